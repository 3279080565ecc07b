#include "cuda/library/guard.h"

#include <optional>

namespace ipa::cuda {

namespace {

thread_local std::optional<Failure> kept;

// The functions behind the guards. A function pointer carries no state, so they lie here; every device has the same.
Backend& behind() {
  static Backend functions;
  return functions;
}

template <auto member>
struct Guard;
template <typename Result, typename... Given, Result (*Backend::*member)(Given...)>
struct Guard<member> {
  static Result call(Given... given) noexcept {
    const auto inner = [&]() -> Result { return (behind().*member)(given...); };
    if constexpr (std::is_reference_v<Result>)
      return inner();  // reads what is there, throws nothing
    else
      return guarded(inner);
  }
};

}  // namespace

const Failure* last_failure() noexcept { return kept ? &*kept : nullptr; }
void forget_failure() noexcept { kept.reset(); }

void keep_failure() noexcept {
  try {
    Failure& failure = kept.emplace();
    try {
      throw;
    } catch (const Error& e) {
      failure = {false, e.code, e.what(), e.hint, e.details};
    } catch (const std::bad_alloc&) {
      failure.out_of_memory = true;
    } catch (const std::exception& e) {
      failure = {false, Code::INTERNAL, e.what(), "this is a defect of ours: report it with this text", {}};
    }
  } catch (...) {  // there is no room even for the text
    kept.emplace().out_of_memory = true;
  }
}

Backend guarded_backend(const Backend& backend) {
  static const bool set = (behind() = backend, true);
  (void)set;
  Backend guarded = backend;
#define IPA_X(name) \
  if (guarded.name) guarded.name = Guard<&Backend::name>::call;
  IPA_BACKEND_FUNCTIONS(IPA_X)
#undef IPA_X
  return guarded;
}

}  // namespace ipa::cuda
