#include "runtime/engine.h"

#include <utility>

namespace ipa {

Engine::Engine() : thread_([this] { work(); }) {}

Engine::~Engine() { shut_down(); }

void Engine::post(std::shared_ptr<StopFlag> stop, Job job, std::function<void()> dropped) {
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      queue_.push_back({std::move(stop), std::move(job), std::move(dropped)});
      wake_.notify_one();
      return;
    }
  }
  dropped();
}

void Engine::shut_down() {
  std::deque<Entry> left;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    if (running_) running_->raise();
    left.swap(queue_);
  }
  wake_.notify_all();
  for (const Entry& entry : left) entry.dropped();
  thread_.join();
}

void Engine::work() {
  for (;;) {
    Entry entry;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
      if (closing_) return;
      entry = std::move(queue_.front());
      queue_.pop_front();
      running_ = entry.stop;
    }
    entry.job(*entry.stop);
    const std::lock_guard lock(mutex_);
    running_.reset();
  }
}

}  // namespace ipa
