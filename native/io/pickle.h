#pragma once
// Reads a pickle without running it: a stack machine over the opcodes that checkpoints use. Values live in one list and
// name each other by number, so building and freeing never recurse.
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"
#include "io/pickle_globals.h"

namespace ipa {

using PickleId = uint32_t;  // place in Pickle::values

struct PickleValue {
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    real,
    text,
    bytes,
    tuple,
    list,
    dict,
    set,
    global,
    storage,
    tensor,
    opaque
  };
  Kind kind = Kind::none;
  uint8_t depth = 0;            // of containers inside
  KnownGlobal global{};         // kind global
  int64_t integer = 0;          // boolean, integer; place in storages or tensors
  std::string text;             // text, bytes; dotted name of a global or of an opaque value's class
  std::vector<PickleId> items;  // tuple, list, set; dict: key, value, key, value ...
};

// A storage as the pickle claims it. A view of the old container starts `first` elements into the stored one.
struct PickleStorage {
  DType dtype = DType::unknown;  // unknown: raw bytes, the tensor says the type
  std::string key;
  int64_t count = 0;  // elements stored under the key
  int64_t first = 0, visible = 0;
};

struct PickleTensor {
  int64_t storage = 0;  // place in Pickle::storages
  DType dtype = DType::f32;
  int64_t offset = 0;  // elements
  Dims size, stride;   // elements
};

struct Pickle {
  std::vector<PickleValue> values;
  std::vector<PickleStorage> storages;
  std::vector<PickleTensor> tensors;
  PickleId root = 0;
  std::set<std::string> inert;  // names of the inert list that occur
  size_t length = 0;            // bytes up to and with STOP

  const PickleValue& operator[](PickleId id) const { return values[id]; }
};

// `label` is the file's name in messages. What follows STOP is not looked at.
Pickle read_pickle(std::string_view bytes, const std::string& label);

}  // namespace ipa
