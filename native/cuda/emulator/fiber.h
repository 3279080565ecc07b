#pragma once
// A fiber: a function on a stack of its own that gives the processor back by hand. The emulator runs one per CUDA
// thread. The switch is hand-written on x86-64 and AArch64, ucontext elsewhere (or with IPA_FIBER_UCONTEXT).
#include <cstddef>
#include <memory>
#if !defined(IPA_FIBER_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define IPA_FIBER_UCONTEXT 1
#endif
#if defined(IPA_FIBER_UCONTEXT)
#include <ucontext.h>
#endif

namespace ipa::cuda::emulator {

class Fiber {
 public:
  using Main = void (*)(void* argument);  // must not return and must not throw

  Fiber(Main main, void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();   // from outside: runs until the fiber suspends
  void suspend();  // from inside: resume() returns
  // Forgets where it stood: the next resume() begins `main` again. What lay on its stack is not destroyed.
  void restart();
  // False once something wrote to the far end of the stack, which is then too small.
  bool stack_intact() const;

 private:
  [[noreturn]] static void enter(void* fiber);
  void entered();  // told to the address sanitizer: we run on the fiber's stack now

  struct FreeStack {
    void operator()(std::byte* stack) const;
  };
  std::unique_ptr<std::byte, FreeStack> stack_;
  Main main_;
  void* argument_;
#if defined(IPA_FIBER_UCONTEXT)
  ucontext_t inside_{}, outside_{};
#else
  void* inside_ = nullptr;  // stack pointers, valid while the other side runs
  void* outside_ = nullptr;
#endif
  // For the address sanitizer alone.
  void* fake_stack_ = nullptr;
  [[maybe_unused]] const void* outside_stack_ = nullptr;
  [[maybe_unused]] size_t outside_bytes_ = 0;
};

}  // namespace ipa::cuda::emulator
