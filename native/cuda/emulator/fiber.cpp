// Fibers: stacks, the switch, and what the address sanitizer must be told about both.
#include "cuda/emulator/fiber.h"

#include <cstdint>
#include <cstring>
#include <exception>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define IPA_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IPA_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(IPA_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(IPA_FIBER_UCONTEXT)
// ipa_fiber_switch(from, to): saves what a call must keep on the stack, stores the stack pointer in *from, takes `to`.
// A new stack is laid out as if it had been switched away from, with ipa_fiber_start to return to.
extern "C" {
#if !defined(IPA_FIBER_INLINE)
void ipa_fiber_switch(void** from, void* to) asm("ipa_fiber_switch");
#endif
void ipa_fiber_start() asm("ipa_fiber_start");
}
#if defined(IPA_FIBER_INLINE)
asm(R"(
.text
.globl ipa_fiber_start
ipa_fiber_start:
  popq %rdi
  popq %rax
  call *%rax
  ud2
)");
#elif defined(__x86_64__)
asm(R"(
.text
.globl ipa_fiber_switch
ipa_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.globl ipa_fiber_start
ipa_fiber_start:
  movq %r12, %rdi
  call *%r13
  ud2
)");
#else
asm(R"(
.text
.balign 4
.globl ipa_fiber_switch
ipa_fiber_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.globl ipa_fiber_start
ipa_fiber_start:
  mov x0, x19
  blr x20
  brk #0
)");
#endif
#endif

namespace ipa::cuda::emulator {
namespace {

#if defined(IPA_ADDRESS_SANITIZER)
constexpr size_t kStackBytes = 256 * 1024;  // its frames are several times as large
#else
constexpr size_t kStackBytes = 32 * 1024;
#endif
constexpr size_t kStackAlign = 64;  // bytes
constexpr uint64_t kMark = 0x5354'4143'4b45'4e44;
constexpr size_t kMarks = 8;  // this many marks at the far end

}  // namespace

void Fiber::FreeStack::operator()(std::byte* stack) const {
#if defined(IPA_ADDRESS_SANITIZER)
  ASAN_UNPOISON_MEMORY_REGION(stack, kStackBytes);
#endif
  ::operator delete(stack, std::align_val_t{kStackAlign});
}

Fiber::Fiber(Main main, void* argument)
    : stack_(static_cast<std::byte*>(::operator new(kStackBytes, std::align_val_t{kStackAlign}))),
      main_(main),
      argument_(argument) {
  restart();
}

Fiber::~Fiber() = default;

void Fiber::restart() {
  std::byte* const stack = stack_.get();
#if defined(IPA_ADDRESS_SANITIZER)
  ASAN_UNPOISON_MEMORY_REGION(stack, kStackBytes);  // frames that never returned
#endif
  fake_stack_ = nullptr;
  for (size_t i = 0; i < kMarks; ++i) std::memcpy(stack + 8 * i, &kMark, 8);
#if defined(IPA_FIBER_UCONTEXT)
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack;
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  // makecontext passes ints alone: the address goes in two halves.
  const auto address = reinterpret_cast<uintptr_t>(this);
  void (*start)(unsigned, unsigned) = [](unsigned high, unsigned low) {
    enter(reinterpret_cast<void*>(static_cast<uintptr_t>(static_cast<uint64_t>(high) << 32 | low)));
  };
  makecontext(&inside_, reinterpret_cast<void (*)()>(start), 2, static_cast<unsigned>(uint64_t{address} >> 32),
              static_cast<unsigned>(address));
#else
  // The function and its argument wait in registers that ipa_fiber_switch restores.
  uint64_t saved[20] = {};
  const auto self = reinterpret_cast<uintptr_t>(this);
  const auto main = reinterpret_cast<uintptr_t>(&Fiber::enter);
  const auto start = reinterpret_cast<uintptr_t>(&ipa_fiber_start);
#if defined(IPA_FIBER_INLINE)
  constexpr size_t kSaved = 3;  // where to go on, and what waits there
  saved[0] = start, saved[1] = self, saved[2] = main;
  constexpr size_t kAbove = 64;
#elif defined(__x86_64__)
  constexpr size_t kSaved = 7;  // r15 r14 r13 r12 rbx rbp, return address
  saved[2] = main, saved[3] = self, saved[6] = start;
  // After the return the stack pointer is a multiple of 16, as the ABI wants before a call.
  constexpr size_t kAbove = 64;
#else
  constexpr size_t kSaved = 20;  // x19 ... x30, d8 ... d15
  saved[0] = self, saved[1] = main, saved[11] = start;
  constexpr size_t kAbove = 64;
#endif
  std::byte* const top = stack + kStackBytes - kAbove - 8 * kSaved;
  std::memcpy(top, saved, 8 * kSaved);
  inside_ = top;
#endif
}

bool Fiber::stack_intact() const {
  uint64_t mark = 0;
  for (size_t i = 0; i < kMarks; ++i) {
    std::memcpy(&mark, stack_.get() + 8 * i, 8);
    if (mark != kMark) return false;
  }
  return true;
}

void Fiber::entered() {
#if defined(IPA_ADDRESS_SANITIZER)
  __sanitizer_finish_switch_fiber(fake_stack_, &outside_stack_, &outside_bytes_);
#endif
}

void Fiber::enter(void* fiber) {
  Fiber& self = *static_cast<Fiber*>(fiber);
  self.entered();
  self.main_(self.argument_);
  std::terminate();  // main came back
}

#if !defined(IPA_FIBER_INLINE)
void Fiber::resume() {
#if defined(IPA_ADDRESS_SANITIZER)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack_.get(), kStackBytes);
#endif
#if defined(IPA_FIBER_UCONTEXT)
  swapcontext(&outside_, &inside_);
#else
  ipa_fiber_switch(&outside_, inside_);
#endif
#if defined(IPA_ADDRESS_SANITIZER)
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

void Fiber::suspend() {
#if defined(IPA_ADDRESS_SANITIZER)
  __sanitizer_start_switch_fiber(&fake_stack_, outside_stack_, outside_bytes_);
#endif
#if defined(IPA_FIBER_UCONTEXT)
  swapcontext(&inside_, &outside_);
#else
  ipa_fiber_switch(&inside_, outside_);
#endif
  entered();
}
#endif

}  // namespace ipa::cuda::emulator
