#include "cuda/driver/context.h"

namespace ipa::cuda::driver {

Context::Context(const Table& table, DeviceNumber device) : table_(table), device_(device) {
  const Call call{"cuDevicePrimaryCtxRetain", "device " + std::to_string(device)};
  if (const Result result = table_.context_retain(&handle_, device_)) throw failure_of(table_, call, result);
}

Context::~Context() { (void)table_.context_release(device_); }

void Context::enter() {
  if (lost_) {
    const std::lock_guard lock(mutex_);
    throw Error(*why_);
  }
  if (const Result result = table_.context_set_current(handle_)) {
    const Call call{"cuCtxSetCurrent", ""};
    if (is_sticky(result)) lose(call, result);
    throw failure_of(table_, call, result);
  }
}

void Context::lose(Call call, Result result) {
  if (const char* const kernel = last_kernel_) {
    if (call.kernel.empty()) call.kernel = kernel;
    if (call.asked.find(kernel) == std::string::npos)
      call.asked += std::string(call.asked.empty() ? "" : "; ") + "the last kernel launched was " + quoted(kernel);
  }
  Error error = failure_of(table_, call, result);
  const std::lock_guard lock(mutex_);
  if (!why_) why_ = std::move(error), lost_ = true;
  throw Error(*why_);
}

}  // namespace ipa::cuda::driver
