#include "cuda/driver/failure.h"

namespace ipa::cuda::driver {

std::string text_of(const Table& table, Result result) {
  const char *name = nullptr, *text = nullptr;
  if (table.error_name(result, &name) != kSuccess || !name) name = "an unknown result";
  if (table.error_text(result, &text) != kSuccess || !text) text = "";
  return std::string(name) + " (" + std::to_string(static_cast<int>(result)) + (*text ? std::string(", ") + text : "") +
         ")";
}

bool is_sticky(Result result) noexcept {
  switch (result) {
    case kDeinitialized:
    case kDeviceUnavailable:
    case kEccUncorrectable:
    case kNvlinkUncorrectable:
    case kContained:
    case kIllegalAddress:
    case kLaunchTimeout:
    case kContextIsDestroyed:
    case kAssert:
    case kHardwareStackError:
    case kIllegalInstruction:
    case kMisalignedAddress:
    case kInvalidAddressSpace:
    case kInvalidPc:
    case kLaunchFailed:
    case kTensorMemoryLeak:
    case kUnknown:
      return true;
    default:
      return false;
  }
}

Error failure_of(const Table& table, const Call& call, Result result) {
  Code code = Code::INTERNAL;
  std::string hint = "this is a defect of ours: report it with this text and the name of the card";
  std::string what = std::string(call.name) + " failed: " + text_of(table, result);
  switch (result) {
    case kNoBinaryForGpu:
    case kInvalidPtx:
    case kJitCompilerNotFound:
    case kUnsupportedPtxVersion:
    case kNotSupported:
      code = Code::DEVICE_UNSUPPORTED, hint = "update the NVIDIA driver, or use device cpu";
      break;
    case kOutOfMemory:  // of the driver's own needs: modules, graphs, streams
      code = Code::DEVICE_OUT_OF_MEMORY, hint = "free memory of the card: other programs hold the rest of it";
      break;
    default:
      break;
  }
  if (is_sticky(result)) {
    code = Code::DEVICE_LOST, hint = "start the process again; if it comes back, look at the driver's log for Xid";
    what = "the CUDA device is lost: " + what;
  }
  if (!call.asked.empty()) what += "; " + call.asked;
  Error::Details details{{"call", call.name}, {"result", std::to_string(static_cast<int>(result))}};
  if (!call.kernel.empty()) details.emplace_back("kernel", call.kernel);
  if (!call.asked.empty()) details.emplace_back("asked", call.asked);
  return {code, what, hint, std::move(details)};
}

}  // namespace ipa::cuda::driver
