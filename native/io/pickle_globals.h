#pragma once
// The names that a pickle may mention. What is in neither list is refused; nothing is ever imported or called.
#include <optional>
#include <string>
#include <string_view>

#include "core/dtype.h"

namespace ipa {

enum class PickleGlobal : uint8_t {
  ordered_dict,
  rebuild_tensor,     // (storage, offset, size, stride, ...): _rebuild_tensor and _v2
  rebuild_tensor_v3,  // the same with the element type as seventh item
  rebuild_parameter,  // (tensor, ...)
  rebuild_from_type,  // (rebuild function, type, arguments, state)
  storage_type,
  untyped_storage,  // counted in bytes
  dtype,
  parameter_dict,  // an empty dict whose items come as its state
  size,
  device,
  tensor_type,
  encode,
  set,
  bytearray,
  complex,
  inert,  // left over from training: becomes an opaque value
};

struct KnownGlobal {
  PickleGlobal what;
  DType dtype = DType::unknown;  // of a storage type or a dtype
};

// Python 2 module names are turned into today's first.
std::optional<KnownGlobal> known_global(std::string_view module, std::string_view name);

}  // namespace ipa
