#pragma once
// No exception leaves the library: what a call throws is kept for its thread, which asks for it afterwards.
#include <exception>
#include <new>
#include <type_traits>

#include "plan/device_library.h"

namespace ipa::cuda {

const Failure* last_failure() noexcept;  // of this thread: null where its last call went well
void forget_failure() noexcept;
// Keeps what is being thrown.
void keep_failure() noexcept;

// What f() gives; where it throws, a value of no meaning.
template <typename F>
auto guarded(const F& f) noexcept -> std::invoke_result_t<F> {
  using Result = std::invoke_result_t<F>;
  forget_failure();
  try {
    return f();
  } catch (...) {
    keep_failure();
  }
  if constexpr (!std::is_void_v<Result>) return Result{};
}

// The same backend, whose functions throw nothing. Of make_backend() alone, which gives the same functions always.
Backend guarded_backend(const Backend& backend);

}  // namespace ipa::cuda
