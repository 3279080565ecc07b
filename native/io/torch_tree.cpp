#include "io/torch_tree.h"

#include <cstring>

#include "io/checked.h"
#include "io/safetensors.h"

namespace ipa {

namespace {

using Kind = PickleValue::Kind;

constexpr int kDeepest = 64;                               // dicts inside dicts
constexpr size_t kMostVisits = 400'000;                    // values looked at, shared ones as often as they are reached
constexpr uint64_t kLargestExpanded = uint64_t{64} << 20;  // bytes a tensor may have beyond its storage
constexpr const char* kDamaged = "the file is damaged or hostile; use the .safetensors version of the model";
constexpr const char* kSaveStateDict = "save the plain state dict: torch.save(model.state_dict(), path)";

// What training scripts wrap around the weights.
constexpr std::string_view kNestings[] = {"state_dict", "model", "module"};

class Flattener {
 public:
  Flattener(const File& file, const Pickle& pickle) : file_(file), pickle_(pickle) {}

  TorchTree run() {
    const PickleValue& root = pickle_[pickle_.root];
    if (root.kind == Kind::tensor) {
      add("tensor", root);
    } else if (root.kind == Kind::dict || root.kind == Kind::list || root.kind == Kind::tuple) {
      const PickleValue& top = used(root);
      walk(top, tree_.nesting.substr(0, tree_.nesting.find('.')), 0);
    }
    const bool empty_dict = root.kind == Kind::dict && root.items.empty();
    if (tree_.views.empty() && !empty_dict)
      file_.fail(Code::ADAPTER_UNKNOWN, "holds no tensors" + first_keys(root), kSaveStateDict);
    return std::move(tree_);
  }

 private:
  // The part of the tree that counts: what stands beside a state dict is training state.
  const PickleValue& used(const PickleValue& root) {
    if (root.kind != Kind::dict) return root;
    for (std::string_view nesting : kNestings) {
      for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
        const PickleValue &key = pickle_[root.items[i]], &value = pickle_[root.items[i + 1]];
        if (key.kind != Kind::text || key.text != nesting || value.kind != Kind::dict) continue;
        tree_.nesting = std::string(nesting) + ".";
        return value;
      }
    }
    return root;
  }

  std::string first_keys(const PickleValue& root) const {
    std::string keys;
    if (root.kind != Kind::dict) return keys;
    for (size_t i = 0; i + 1 < root.items.size() && i < 20; i += 2) {
      const PickleValue& key = pickle_[root.items[i]];
      keys += (i ? ", " : "; its first keys are ") +
              (key.kind == Kind::text ? quoted(std::string_view(key.text).substr(0, 30)) : "(not a string)");
    }
    return keys;
  }

  // The depth is bounded, so recursing is safe.
  void walk(const PickleValue& value, const std::string& path, int depth) {
    if (++visits_ > kMostVisits) file_.fail(Code::MODEL_LIMIT, "its pickle holds more than 400,000 values", kDamaged);
    if (path.size() > kLongestTensorName)
      file_.fail(Code::MODEL_LIMIT, "a tensor name of more than 1,024 bytes: " + quoted(path), kDamaged);
    const std::string prefix = path.empty() ? "" : path + ".";
    const bool inert_class = value.kind == Kind::global && value.global.what == PickleGlobal::inert;
    switch (inert_class ? Kind::opaque : value.kind) {
      case Kind::tensor:
        return add(path, value);
      case Kind::opaque:
        file_.fail(Code::MODEL_FORMAT_UNSUPPORTED,
                   quoted(path) + " is an object of " + quoted(value.text) + ", not a tensor", kSaveStateDict);
      case Kind::dict:
      case Kind::list:
      case Kind::tuple:
        if (depth == kDeepest) file_.fail(Code::MODEL_LIMIT, "its pickle nests deeper than 64 levels", kDamaged);
        break;
      default:
        return;  // numbers and texts beside the tensors
    }
    if (value.kind != Kind::dict) {
      for (size_t i = 0; i < value.items.size(); ++i)
        walk(pickle_[value.items[i]], prefix + std::to_string(i), depth + 1);
      return;
    }
    for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const PickleValue &key = pickle_[value.items[i]], &item = pickle_[value.items[i + 1]];
      if (key.kind == Kind::text) {
        walk(item, prefix + key.text, depth + 1);
      } else if (item.kind == Kind::tensor || item.kind == Kind::dict || item.kind == Kind::list) {
        file_.fail(Code::ADAPTER_UNKNOWN,
                   "holds tensors under a key that is not a string" + first_keys(pickle_[pickle_.root]),
                   kSaveStateDict);
      }
    }
  }

  void add(const std::string& name, const PickleValue& value) {
    const PickleTensor& tensor = pickle_.tensors[static_cast<size_t>(value.integer)];
    const PickleStorage& storage = pickle_.storages[static_cast<size_t>(tensor.storage)];
    if (tree_.views.size() == kMostTensors) file_.fail(Code::MODEL_LIMIT, "more than 200,000 tensors", kDamaged);
    const DType stored = storage.dtype == DType::unknown ? DType::u8 : storage.dtype;
    const auto [known, added] = tree_.storages.try_emplace(storage.key, TorchStorage{stored, storage.count, name});
    if (!added && (known->second.dtype != stored || known->second.count != storage.count))
      file_.fail(Code::MODEL_HEADER_INVALID,
                 "tensors " + quoted(known->second.user) + " and " + quoted(name) + " see storage " +
                     quoted(storage.key) + " with different types or lengths",
                 kDamaged);
    if (!tree_.views.emplace(name, checked_view(name, tensor, storage)).second)
      file_.fail(Code::MODEL_HEADER_INVALID, "names tensor " + quoted(name) + " twice", kDamaged);
  }

  TorchView checked_view(const std::string& name, const PickleTensor& tensor, const PickleStorage& storage) const {
    TorchView view{storage.key, {tensor.dtype, tensor.size}, tensor.stride, 0, 0};
    const size_t bytes_each = dtype_size(tensor.dtype);
    // A storage of raw bytes is counted in bytes, every other in its own elements.
    const int64_t divisor = storage.dtype == DType::unknown ? static_cast<int64_t>(bytes_each) : 1;
    const uint64_t visible = static_cast<uint64_t>(storage.visible / divisor);
    const auto outside = [&] {
      file_.fail(Code::MODEL_HEADER_INVALID,
                 "tensor " + quoted(name) + " of shape " + text(tensor.size) + ", strides " + text(tensor.stride) +
                     " and offset " + std::to_string(tensor.offset) + " lies outside storage " + quoted(storage.key) +
                     " of " + std::to_string(visible) + " elements",
                 kDamaged);
    };
    const auto bytes = checked_bytes(tensor.size, bytes_each);
    if (!bytes) outside();
    uint64_t last = static_cast<uint64_t>(tensor.offset);  // of the tensor's last element
    if (last > visible) outside();
    if (*bytes > 0) {
      for (size_t d = 0; d < tensor.size.size(); ++d) {
        const auto step =
            checked_mul(static_cast<uint64_t>(tensor.size[d] - 1), static_cast<uint64_t>(tensor.stride[d]));
        const auto next = step ? checked_add(last, *step) : std::nullopt;
        if (!next) outside();
        last = *next;
      }
      if (last >= visible) outside();
      view.span = static_cast<int64_t>(last) - tensor.offset + 1;
    }
    if (*bytes > kLargestExpanded && *bytes / bytes_each > visible)
      file_.fail(Code::MODEL_LIMIT,
                 "tensor " + quoted(name) + " repeats " + std::to_string(visible) + " elements up to " +
                     std::to_string(*bytes) + " bytes",
                 kDamaged);
    view.offset = storage.first / divisor + tensor.offset;
    return view;
  }

  const File& file_;
  const Pickle& pickle_;
  TorchTree tree_;
  size_t visits_ = 0;
};

}  // namespace

TorchTree torch_tree(const File& file, const Pickle& pickle) { return Flattener(file, pickle).run(); }

bool is_contiguous(const TorchView& view) {
  int64_t expected = 1;
  for (size_t d = view.stride.size(); d-- > 0;) {
    if (view.info.dims[d] != 1 && view.stride[d] != expected) return false;
    expected *= view.info.dims[d];
  }
  return true;
}

void gather(const TorchView& view, std::span<const std::byte> from, uint64_t first, std::span<std::byte> out) {
  const size_t bytes = dtype_size(view.info.dtype);
  const size_t rank = view.info.dims.size();
  Dims index(rank, 0);
  size_t at = 0;  // element of `from`
  for (size_t d = rank; d-- > 0;) {
    const uint64_t size = static_cast<uint64_t>(view.info.dims[d]);
    index[d] = static_cast<int64_t>(first % size);
    first /= size;
    at += static_cast<size_t>(index[d] * view.stride[d]);
  }
  for (size_t done = 0; done < out.size(); done += bytes) {
    std::memcpy(out.data() + done, from.data() + at * bytes, bytes);
    for (size_t d = rank; d-- > 0;) {
      at += static_cast<size_t>(view.stride[d]);
      if (++index[d] < view.info.dims[d]) break;
      at -= static_cast<size_t>(view.stride[d] * view.info.dims[d]);
      index[d] = 0;
    }
  }
}

}  // namespace ipa
