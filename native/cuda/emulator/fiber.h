#pragma once
// A fiber: a function on a stack of its own that gives the processor back by hand. The emulator runs one per CUDA
// thread. The switch is hand-written on x86-64 and AArch64, ucontext elsewhere (or with IPA_FIBER_UCONTEXT). On x86-64
// it is inline: a call and a return at every switch would leave the processor's guesses of returns wrong, and a fiber
// is switched for every collective of its lane.
#include <cstddef>
#include <memory>
#if !defined(IPA_FIBER_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define IPA_FIBER_UCONTEXT 1
#endif
#if defined(IPA_FIBER_UCONTEXT)
#include <ucontext.h>
#elif defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define IPA_FIBER_INLINE 1
#endif

namespace ipa::cuda::emulator {

class Fiber {
 public:
  using Main = void (*)(void* argument);  // must not return and must not throw

  Fiber(Main main, void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

#if defined(IPA_FIBER_INLINE)
  void resume() { change(&outside_, inside_); }
  void suspend() { change(&inside_, outside_); }
#else
  void resume();            // from outside: runs until the fiber suspends
  void suspend();           // from inside: resume() returns
#endif
  // Forgets where it stood: the next resume() begins `main` again. What lay on its stack is not destroyed.
  void restart();
  // False once something wrote to the far end of the stack, which is then too small.
  bool stack_intact() const;

 private:
#if defined(IPA_FIBER_INLINE)
  // Leaves its place on the stack below what the caller may keep there (128 bytes), the stack's in *from; takes `to`.
  __attribute__((always_inline)) static void change(void** from, void* to) {
    asm volatile(
        "leaq -128(%%rsp), %%rsp\n\t"
        "pushq %%rbp\n\t"
        "pushq %%rbx\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "movq %%rsp, (%%rdi)\n\t"
        "movq %%rsi, %%rsp\n\t"
        "popq %%rax\n\t"
        "jmp *%%rax\n"
        "1:\n\t"
        "popq %%rbx\n\t"
        "popq %%rbp\n\t"
        "leaq 128(%%rsp), %%rsp"
        : "+D"(from), "+S"(to)
        :
        : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3",
          "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
          "memory", "cc");
  }
#endif
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
