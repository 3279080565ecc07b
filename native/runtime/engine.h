#pragma once
// One thread per device takes jobs in order. A job is a function; its stop flag is raised by cancel(), by shutdown and
// by nobody else. Nothing here knows JavaScript: the binding wraps jobs and carries their ends back.
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "core/stop.h"
#include "core/system.h"

namespace ipa {

class Engine {
 public:
  using Job = std::function<void(const StopFlag& stop)>;

  Engine();
  ~Engine();  // raises the flag of every job, runs none that has not begun, joins
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Jobs must not throw. `dropped` is called instead of the job when the engine shuts down first.
  void post(std::shared_ptr<StopFlag> stop, Job job, std::function<void()> dropped);
  void shut_down();  // idempotent

 private:
  struct Entry {
    std::shared_ptr<StopFlag> stop;
    Job job;
    std::function<void()> dropped;
  };
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> queue_;
  std::shared_ptr<StopFlag> running_;
  bool closing_ = false;
  system::Thread thread_;
};

}  // namespace ipa
