#pragma once
// The one error type of the native core. Thrown while loading, recording and preparing; kernels never throw.
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ipa {

// The codes of the public contract. lib/errors.ts maps each to its class; the text of a code is its name.
#define IPA_ERROR_CODES(X)    \
  X(MODEL_NOT_FOUND)          \
  X(MODEL_EMPTY)              \
  X(MODEL_NOT_A_MODEL)        \
  X(MODEL_TRUNCATED)          \
  X(MODEL_HEADER_INVALID)     \
  X(MODEL_LIMIT)              \
  X(MODEL_FORMAT_UNSUPPORTED) \
  X(MODEL_UNSAFE_PICKLE)      \
  X(MODEL_ZIP_INVALID)        \
  X(MODEL_ONNX_INVALID)       \
  X(MODEL_CHANGED)            \
  X(MODEL_HASH_MISMATCH)      \
  X(MODEL_IO)                 \
  X(ADAPTER_ENCODER_MISMATCH) \
  X(ADAPTER_ENCODER_MISSING)  \
  X(ADAPTER_BASE_MISMATCH)    \
  X(ADAPTER_LORA_MISSING)     \
  X(ADAPTER_UNKNOWN)          \
  X(TENSOR_MISSING)           \
  X(TENSOR_SHAPE)             \
  X(TENSOR_DTYPE)             \
  X(TENSOR_NONFINITE)         \
  X(LORA_KEYS_UNMATCHED)      \
  X(FACE_MODEL_MISSING)       \
  X(FACE_LANDMARKS_INVALID)   \
  X(OPTION_TYPE)              \
  X(OPTION_RANGE)             \
  X(OPTION_CONFLICT)          \
  X(ABORTED)                  \
  X(HOST_OUT_OF_MEMORY)       \
  X(DEVICE_OUT_OF_MEMORY)     \
  X(MEMORY_BUDGET)            \
  X(DEVICE_NONE)              \
  X(DEVICE_LOST)              \
  X(DEVICE_UNSUPPORTED)       \
  X(DRIVER_TOO_OLD)           \
  X(NAN_LATENTS)              \
  X(NAN_DECODED)              \
  X(NAN_CONDITION)            \
  X(OUTPUT_EXISTS)            \
  X(OUTPUT_NO_SPACE)          \
  X(OUTPUT_IO)                \
  X(CLOSED)                   \
  X(BINARY_NOT_FOUND)         \
  X(BINARY_INCOMPATIBLE)      \
  X(INTERNAL)

enum class Code {
#define IPA_X(name) name,
  IPA_ERROR_CODES(IPA_X)
#undef IPA_X
};

const char* code_text(Code code) noexcept;

// `details` become the fields of the JavaScript error's `details` (path, tensor, expected, found, offset, step ...).
class Error : public std::runtime_error {
 public:
  using Details = std::vector<std::pair<std::string, std::string>>;
  Error(Code code, const std::string& message, std::string hint, Details details = {})
      : std::runtime_error(message), code(code), hint(std::move(hint)), details(std::move(details)) {}
  Code code;
  std::string hint;
  Details details;
};

[[noreturn]] void fail(Code code, const std::string& message, const std::string& hint, Error::Details details = {});

// Text taken from an input, safe to show: quoted, cut at 120 characters, control characters as \u00XX.
std::string quoted(std::string_view text);

// Runs `f`; an error of its own about the file `label` that does not name it is thrown on with the name before it.
template <typename F>
auto naming_file(const std::string& label, F&& f) {
  try {
    return f();
  } catch (Error& e) {
    const std::string message = e.what();
    if (message.find(label) != std::string::npos || e.hint.find(label) != std::string::npos) throw;
    e.details.emplace_back("file", label);
    throw Error(e.code, ipa::quoted(label) + ": " + message, e.hint, e.details);
  }
}

}  // namespace ipa
