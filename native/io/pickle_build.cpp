#include "io/pickle_build.h"

#include <algorithm>

namespace ipa {

namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMostMemory = size_t{256} << 20;  // bytes of values
constexpr uint8_t kDeepest = 64;                   // containers inside containers
constexpr const char* kDamaged = "the file is damaged or hostile; use the .safetensors version of the model";

}  // namespace

void PickleBuilder::refuse(const std::string& what, Code code) const {
  fail(code, quoted(label_) + ": its pickle " + what + " at byte " + std::to_string(at), kDamaged,
       {{"offset", std::to_string(at)}});
}

void PickleBuilder::truncated(uint64_t wanted, uint64_t left) const {
  fail(Code::MODEL_TRUNCATED,
       quoted(label_) + ": its pickle wants " + std::to_string(wanted) + " more bytes at byte " + std::to_string(at) +
           " but ends after " + std::to_string(left),
       "download the file again", {{"offset", std::to_string(at)}});
}

void PickleBuilder::refuse_call(std::string_view module, std::string_view name) const {
  const std::string dotted = std::string(module) + "." + std::string(name);
  fail(Code::MODEL_UNSAFE_PICKLE,
       quoted(label_) + ": its pickle asks to run " + quoted(dotted) + " at byte " + std::to_string(at),
       "do not use this file; get the .safetensors version", {{"global", dotted}, {"offset", std::to_string(at)}});
}

void PickleBuilder::grow(size_t bytes) {
  memory_ += bytes;
  if (memory_ > kMostMemory) limit("needs more than 256 MiB of memory");
}

PickleId PickleBuilder::add(PickleValue value) {
  grow(sizeof(PickleValue) + value.text.size() + value.items.size() * sizeof(PickleId));
  pickle.values.push_back(std::move(value));
  return static_cast<PickleId>(pickle.values.size() - 1);
}

PickleId PickleBuilder::value(Kind kind) {
  PickleValue v;
  v.kind = kind;
  return add(std::move(v));
}

PickleId PickleBuilder::boolean(bool value) {
  PickleValue v;
  v.kind = Kind::boolean;
  v.integer = value;
  return add(std::move(v));
}

PickleId PickleBuilder::integer(int64_t value) {
  PickleValue v;
  v.kind = Kind::integer;
  v.integer = value;
  return add(std::move(v));
}

PickleId PickleBuilder::text(Kind kind, std::string text) {
  PickleValue v;
  v.kind = kind;
  v.text = std::move(text);
  return add(std::move(v));
}

// A container that is put into itself deepens a little each time and so meets the limit as well.
void PickleBuilder::deepen(PickleValue& parent, const std::vector<PickleId>& items) const {
  for (PickleId id : items) parent.depth = std::max<uint8_t>(parent.depth, static_cast<uint8_t>(get(id).depth + 1));
  if (parent.depth > kDeepest) limit("nests containers deeper than 64 levels");
}

PickleId PickleBuilder::container(Kind kind, std::vector<PickleId> items) {
  PickleValue v;
  v.kind = kind;
  deepen(v, items);
  v.items = std::move(items);
  return add(std::move(v));
}

void PickleBuilder::extend(Kind kind, PickleId container, const std::vector<PickleId>& items) {
  PickleValue& v = pickle.values[container];
  if (v.kind == Kind::opaque) return;
  if (v.kind != kind) refuse("adds items to something that cannot hold them");
  grow(items.size() * sizeof(PickleId));
  deepen(v, items);
  v.items.insert(v.items.end(), items.begin(), items.end());
}

PickleId PickleBuilder::global(std::string_view module, std::string_view name) {
  const std::optional<KnownGlobal> known = known_global(module, name);
  if (!known) refuse_call(module, name);
  PickleValue v;
  v.kind = Kind::global;
  v.global = *known;
  v.text = std::string(module) + "." + std::string(name);
  if (known->what == PickleGlobal::inert) pickle.inert.insert(v.text);
  return add(std::move(v));
}

PickleId PickleBuilder::named_global(PickleId module, PickleId name) {
  if (get(module).kind != Kind::text || get(name).kind != Kind::text)
    refuse("names a global by something that is not a string");
  return global(get(module).text, get(name).text);
}

const PickleValue& PickleBuilder::argument(const PickleValue& arguments, size_t i, Kind kind, const char* what) const {
  if (i >= arguments.items.size() || get(arguments.items[i]).kind != kind)
    refuse(std::string("lacks the ") + what + " of a tensor or storage");
  return get(arguments.items[i]);
}

int64_t PickleBuilder::count(const PickleValue& arguments, size_t i, const char* what) const {
  const int64_t n = argument(arguments, i, Kind::integer, what).integer;
  if (n < 0) refuse(std::string("gives a negative ") + what);
  return n;
}

Dims PickleBuilder::counts(const PickleValue& arguments, size_t i, const char* what) const {
  const PickleValue& tuple = argument(arguments, i, Kind::tuple, what);
  Dims dims;
  if (tuple.items.size() > 8) limit("makes a tensor of more than 8 dimensions");
  for (size_t d = 0; d < tuple.items.size(); ++d) dims.push_back(count(tuple, d, what));
  return dims;
}

// ("storage", type, key, location, count) and in the old container (key of the view, first, visible) or None.
PickleId PickleBuilder::storage(PickleId persistent_id) {
  const PickleValue& id = get(persistent_id);
  if (id.kind != Kind::tuple || id.items.size() < 5 || id.items.size() > 6 || get(id.items[0]).text != "storage")
    refuse("refers to an outside object that is not a storage");
  const KnownGlobal& type = argument(id, 1, Kind::global, "type").global;
  PickleStorage storage;
  if (type.what == PickleGlobal::storage_type) {
    storage.dtype = type.dtype;
  } else if (type.what != PickleGlobal::untyped_storage) {
    refuse("refers to a storage of an unknown type");
  }
  storage.key = argument(id, 2, Kind::text, "key").text;
  storage.count = storage.visible = count(id, 4, "element count");
  if (id.items.size() == 6 && get(id.items[5]).kind != Kind::none) {
    const PickleValue& view = argument(id, 5, Kind::tuple, "view");
    storage.first = count(view, 1, "first element");
    storage.visible = count(view, 2, "element count");
    if (storage.first > storage.count || storage.visible > storage.count - storage.first)
      refuse("refers to a view outside storage " + quoted(storage.key));
  }
  grow(sizeof(PickleStorage) + storage.key.size());
  PickleValue v;
  v.kind = Kind::storage;
  v.integer = static_cast<int64_t>(pickle.storages.size());
  pickle.storages.push_back(std::move(storage));
  return add(std::move(v));
}

PickleId PickleBuilder::rebuild_tensor(const PickleValue& arguments, bool typed) {
  PickleTensor tensor;
  tensor.storage = argument(arguments, 0, Kind::storage, "storage").integer;
  tensor.offset = count(arguments, 1, "offset");
  tensor.size = counts(arguments, 2, "size");
  tensor.stride = counts(arguments, 3, "stride");
  if (tensor.size.size() != tensor.stride.size()) refuse("gives a tensor another number of strides than of dimensions");
  tensor.dtype = pickle.storages[static_cast<size_t>(tensor.storage)].dtype;
  if (typed) {
    const KnownGlobal& dtype = argument(arguments, 6, Kind::global, "type").global;
    if (dtype.what != PickleGlobal::dtype) refuse("gives a tensor an unknown type");
    if (tensor.dtype != DType::unknown && tensor.dtype != dtype.dtype)
      refuse("gives a tensor another type than its storage");
    tensor.dtype = dtype.dtype;
  } else if (tensor.dtype == DType::unknown) {
    tensor.dtype = DType::u8;
  }
  grow(sizeof(PickleTensor) + tensor.size.size() * 2 * sizeof(int64_t));
  PickleValue v;
  v.kind = Kind::tensor;
  v.integer = static_cast<int64_t>(pickle.tensors.size());
  pickle.tensors.push_back(std::move(tensor));
  return add(std::move(v));
}

// Empty, or made from a list of pairs as Python 2 wrote it.
PickleId PickleBuilder::ordered_dict(const PickleValue& arguments) {
  std::vector<PickleId> items;
  if (!arguments.items.empty()) {
    for (PickleId id : argument(arguments, 0, Kind::list, "list of pairs").items) {
      const PickleValue& pair = get(id);
      if ((pair.kind != Kind::tuple && pair.kind != Kind::list) || pair.items.size() != 2)
        refuse("makes a dict from something else than pairs");
      items.insert(items.end(), pair.items.begin(), pair.items.end());
    }
  }
  return container(Kind::dict, std::move(items));
}

PickleId PickleBuilder::reduce(PickleId callee, PickleId arguments_id) {
  using G = PickleGlobal;
  if (get(arguments_id).kind != Kind::tuple) refuse("calls something without a tuple of arguments");
  if (get(callee).kind == Kind::global && get(callee).global.what == G::rebuild_from_type) {
    // (function, type, arguments, state): only the tensor inside matters. The function may not be this one again.
    const PickleValue& outer = get(arguments_id);
    argument(outer, 0, Kind::global, "rebuild function");
    argument(outer, 2, Kind::tuple, "rebuild arguments");
    callee = outer.items[0];
    arguments_id = outer.items[2];
  }
  if (get(callee).kind != Kind::global) refuse("calls something that is not a function");
  // Both are read in full before anything is added: adding moves the list of values.
  const PickleValue& arguments = get(arguments_id);
  const PickleValue& function = get(callee);
  switch (function.global.what) {
    case G::ordered_dict:
      return ordered_dict(arguments);
    case G::rebuild_tensor:
      return rebuild_tensor(arguments, false);
    case G::rebuild_tensor_v3:
      return rebuild_tensor(arguments, true);
    case G::rebuild_parameter:
      argument(arguments, 0, Kind::tensor, "tensor");
      return arguments.items[0];
    case G::parameter_dict: {
      const PickleId made = container(Kind::dict, {});
      pickle.values[made].global = {G::parameter_dict};
      return made;
    }
    case G::size: {
      const PickleId inner = arguments.items.empty() ? arguments_id : arguments.items[0];
      if (get(inner).kind != Kind::tuple && get(inner).kind != Kind::list)
        refuse("makes a torch.Size from something else than a list");
      std::vector<PickleId> items = get(inner).items;
      return container(Kind::tuple, std::move(items));
    }
    case G::set: {
      if (arguments.items.empty()) return container(Kind::set, {});
      std::vector<PickleId> items = argument(arguments, 0, Kind::list, "list").items;
      return container(Kind::set, std::move(items));
    }
    case G::encode: {  // how protocol 2 spells bytes
      std::string spelled = argument(arguments, 0, Kind::text, "text").text;
      const std::string& encoding = argument(arguments, 1, Kind::text, "encoding").text;
      if (encoding != "latin1" && encoding != "latin-1") refuse("encodes text in another way than Latin-1");
      return text(Kind::bytes, std::move(spelled));
    }
    case G::bytearray:
    case G::complex:
    case G::device:
      return value(Kind::none);  // nothing here asks what they held
    case G::inert:
      return text(Kind::opaque, function.text);
    case G::rebuild_from_type:
    case G::storage_type:
    case G::untyped_storage:
    case G::dtype:
    case G::tensor_type:
      break;
  }
  refuse("calls " + quoted(function.text) + ", which is not a function");
}

void PickleBuilder::set_state(PickleId target, PickleId state) {
  switch (get(target).kind) {
    case Kind::dict:
      if (get(target).global.what == PickleGlobal::parameter_dict) add_parameters(target, get(state));
      return;
    case Kind::list:
    case Kind::set:
    case Kind::opaque:
      return;
    default:
      refuse("sets the state of something that is not a plain container");
  }
}

// The parameters of a module lie in its state. source: torch.nn.Module, what __getstate__ gives
void PickleBuilder::add_parameters(PickleId target, const PickleValue& state) {
  if (state.kind != Kind::dict) refuse("gives a ParameterDict a state that is no dict");
  for (size_t i = 0; i + 1 < state.items.size(); i += 2) {
    const PickleValue &key = get(state.items[i]), &value = get(state.items[i + 1]);
    if (key.kind != Kind::text || key.text != "_parameters" || value.kind != Kind::dict) continue;
    const std::vector<PickleId> items = value.items;
    return extend(Kind::dict, target, items);
  }
}

}  // namespace ipa
