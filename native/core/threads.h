#pragma once
// The one pool that kernels split their outer loops over. A job is cut into numbered parts; which thread takes a part
// never changes the numbers (reductions are split by shape, not by thread count), so results are the same for any size.
#include <cstdint>
#include <memory>

namespace ipa {

// A callable by reference, without allocation: `void part(int index)`.
class PartRef {
 public:
  template <typename F>
  PartRef(const F& f) noexcept  // NOLINT: implicit on purpose, the callable outlives the call
      : object_(&f), call_([](const void* o, int i) { (*static_cast<const F*>(o))(i); }) {}
  void operator()(int index) const { call_(object_, index); }

 private:
  const void* object_;
  void (*call_)(const void*, int);
};

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // the caller's thread is one of them; 1 starts none
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept;
  // Runs part(0) ... part(parts - 1), returns when all are done. Parts must not throw. Not re-entrant.
  void run(int parts, PartRef part) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Cores this process may really use: affinity and container quota considered, at least 1.
int available_cores();

}  // namespace ipa
