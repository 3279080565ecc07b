#include "io/torch.h"

#include <algorithm>
#include <cstring>

#include "io/bytes.h"
#include "io/checked.h"
#include "io/pickle.h"
#include "io/sniff.h"
#include "io/torch_tree.h"
#include "io/zip.h"

namespace ipa {

namespace {

constexpr uint64_t kLongestPickle = uint64_t{64} << 20;  // bytes
constexpr const char* kDamaged = "the file is damaged; download it again";
constexpr const char* kConvert = "use the .safetensors version of the model";

// First data byte and length of each storage in the file.
struct Stored {
  uint64_t offset, bytes;
};
using Places = std::map<std::string, Stored, std::less<>>;

// Texts beside the tensors, such as the name that a textual inversion gives its word.
std::map<std::string, std::string> texts_of(const Pickle& pickle) {
  constexpr size_t kLongest = 1'024;  // bytes
  std::map<std::string, std::string> texts;
  const PickleValue& root = pickle[pickle.root];
  if (root.kind != PickleValue::Kind::dict) return texts;
  for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
    const PickleValue &key = pickle[root.items[i]], &value = pickle[root.items[i + 1]];
    const bool both = key.kind == PickleValue::Kind::text && value.kind == PickleValue::Kind::text;
    if (both && key.text.size() <= kLongest && value.text.size() <= kLongest) texts[key.text] = value.text;
  }
  return texts;
}

TensorSource make_source(std::shared_ptr<const File> file, const Pickle& pickle, TorchTree tree, Places places) {
  TensorSource source;
  source.label = file->name();
  source.nesting = std::move(tree.nesting);
  source.metadata = texts_of(pickle);
  if (!pickle.inert.empty()) {
    std::string names;
    for (const std::string& name : pickle.inert)
      if (names.size() < 300) names += (names.empty() ? "" : ", ") + name;
    source.warnings.emplace_back(code_text(Code::MODEL_UNSAFE_PICKLE),
                                 quoted(file->name()) + ": left-overs of training were not read: " + names);
  }
  for (const auto& [name, view] : tree.views)
    source.index.emplace(name, TensorInfo{view.info.dtype, view.info.dims, !is_contiguous(view)});
  const auto views = std::make_shared<const decltype(tree.views)>(std::move(tree.views));
  const auto stored = std::make_shared<const Places>(std::move(places));
  file->check_unchanged();

  source.read = [file, views, stored](const std::string& name, uint64_t first, std::span<std::byte> out) {
    const auto found = views->find(name);
    if (found == views->end())
      file->fail(Code::TENSOR_MISSING, "has no tensor " + quoted(name), "check that this is the right file");
    const TorchView& view = found->second;
    const uint64_t each = dtype_size(view.info.dtype);
    if (!inside(first, out.size(), checked_bytes(view.info.dims, each).value_or(0)))
      file->fail(Code::INTERNAL, "tensor " + quoted(name) + " was asked for with a wrong size", "report this as a bug");
    if (out.empty()) return;
    // The view lies inside its storage and the storage inside the file, so these products fit.
    const uint64_t start = stored->at(view.key).offset + static_cast<uint64_t>(view.offset) * each;
    if (is_contiguous(view)) {
      file->read(start + first, out);
    } else {
      std::vector<std::byte> spanned(static_cast<uint64_t>(view.span) * each);
      file->read(start, spanned);
      gather(view, spanned, first / each, out);
    }
    file->check_unchanged();
  };
  return source;
}

// A storage must hold what the pickle says; `bytes` is what the file has for it.
void check_storage(const File& file, const std::string& key, const TorchStorage& storage, uint64_t bytes) {
  const auto claimed = checked_mul(static_cast<uint64_t>(storage.count), dtype_size(storage.dtype));
  if (!claimed || *claimed > bytes)
    file.fail(Code::MODEL_TRUNCATED,
              "storage " + quoted(key) + " of tensor " + quoted(storage.user) + " has " + std::to_string(bytes) +
                  " of " + (claimed ? std::to_string(*claimed) : "more than 2^64") + " bytes",
              "download the file again");
}

const ZipEntry* find_entry(const std::vector<ZipEntry>& entries, const std::string& name) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const ZipEntry& e) { return e.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

// "archive/" of "archive/data.pkl", whatever it is called.
std::string archive_root(const File& file, const std::vector<ZipEntry>& entries) {
  const ZipEntry* pickle = nullptr;
  for (const ZipEntry& e : entries) {
    if (e.name.ends_with("/constants.pkl") || e.name.find("/code/") != std::string::npos)
      file.fail(Code::MODEL_FORMAT_UNSUPPORTED, "is a TorchScript program, not a state dict",
                "load it with torch.jit and save its state_dict()");
    if (e.name != "data.pkl" && !e.name.ends_with("/data.pkl")) continue;
    if (pickle)
      file.fail(Code::MODEL_ZIP_INVALID, "holds " + quoted(pickle->name) + " and " + quoted(e.name), kConvert);
    pickle = &e;
  }
  if (pickle) return pickle->name.substr(0, pickle->name.size() - std::strlen("data.pkl"));
  for (const ZipEntry& e : entries)
    for (std::string_view suffix : {".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".onnx", ".zip", ".h5", ".npy"})
      if (e.name.ends_with(suffix))
        file.fail(Code::MODEL_FORMAT_UNSUPPORTED, "is a zip archive around " + quoted(e.name), "unpack it first");
  file.fail(Code::MODEL_ZIP_INVALID, "is a zip archive without data.pkl, so not a PyTorch checkpoint", kConvert);
}

}  // namespace

TensorSource open_torch_zip(std::shared_ptr<const File> file) {
  const std::vector<ZipEntry> entries = zip_entries(*file);
  const std::string root = archive_root(*file, entries);
  const ZipEntry& program = *find_entry(entries, root + "data.pkl");
  if (program.size > kLongestPickle)
    file->fail(Code::MODEL_LIMIT, "its pickle has " + std::to_string(program.size) + " bytes; the limit is 64 MiB",
               kConvert);
  if (const ZipEntry* order = find_entry(entries, root + "byteorder"); order && order->size <= 16) {
    if (file->read_text(order->offset, order->size) == "big")
      file->fail(Code::MODEL_FORMAT_UNSUPPORTED, "was saved on a big-endian machine", kConvert);
  }
  const std::string bytes = file->read_text(program.offset, program.size);
  if (crc32(std::as_bytes(std::span(bytes))) != program.crc)
    file->fail(Code::MODEL_ZIP_INVALID, "the checksum of zip member " + quoted(program.name) + " is wrong", kDamaged);

  const Pickle pickle = read_pickle(bytes, file->name());
  TorchTree tree = torch_tree(*file, pickle);
  Places stored;
  const std::string folder = root + "data/";
  for (const ZipEntry& e : entries)
    if (e.name.starts_with(folder)) stored.emplace(e.name.substr(folder.size()), Stored{e.offset, e.size});
  for (const auto& [key, storage] : tree.storages) {
    const auto found = stored.find(key);
    if (found == stored.end())
      file->fail(Code::MODEL_ZIP_INVALID,
                 "tensor " + quoted(storage.user) + " needs zip member " + quoted(folder + key) + ", which is missing",
                 kDamaged);
    check_storage(*file, key, storage, found->second.bytes);
  }
  return make_source(std::move(file), pickle, std::move(tree), std::move(stored));
}

// Five pickles (magic number, protocol, system, object, storage keys), then per key a count and its elements.
TensorSource open_torch_legacy(std::shared_ptr<const File> file) {
  // The number 0x1950a86a20f9469cfc6c as protocol 2 spells it. source: torch.serialization MAGIC_NUMBER
  constexpr std::string_view kMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15);
  const std::string head = file->read_text(0, std::min(file->size(), kLongestPickle));
  std::string_view rest = head;
  const auto next = [&] {
    Pickle pickle = read_pickle(rest, file->name());
    rest.remove_prefix(pickle.length);
    return pickle;
  };
  next();
  if (!head.starts_with(kMagic))
    file->fail(Code::MODEL_HEADER_INVALID, "begins with another magic number than PyTorch's", kConvert);
  if (const Pickle protocol = next();
      protocol[protocol.root].kind != PickleValue::Kind::integer || protocol[protocol.root].integer != 1001)
    file->fail(Code::MODEL_HEADER_INVALID, "has another protocol number than 1001", kConvert);
  const Pickle system = next();
  const std::vector<PickleId>& facts = system[system.root].items;
  for (size_t i = 0; i + 1 < facts.size(); i += 2)
    if (system[facts[i]].text == "little_endian" && system[facts[i + 1]].integer == 0)
      file->fail(Code::MODEL_FORMAT_UNSUPPORTED, "was saved on a big-endian machine", kConvert);
  const Pickle pickle = next();
  const Pickle keys = next();
  TorchTree tree = torch_tree(*file, pickle);

  // Every storage of the object is listed, also those of its unused parts: their lengths lead to the next one.
  std::map<std::string_view, const PickleStorage*> claimed;
  for (const PickleStorage& storage : pickle.storages) claimed.emplace(storage.key, &storage);
  Places stored;
  uint64_t at = head.size() - rest.size();
  for (PickleId id : keys[keys.root].items) {
    const std::string& key = keys[id].text;
    const auto found = claimed.find(key);
    if (found == claimed.end() || stored.contains(key))
      file->fail(Code::MODEL_HEADER_INVALID,
                 "lists storage " + quoted(key) + ", which no tensor uses or which came before", kDamaged);
    const PickleStorage& storage = *found->second;
    int64_t count = 0;
    file->read(at, std::as_writable_bytes(std::span(&count, 1)));
    at += sizeof count;
    if (count != storage.count)
      file->fail(Code::MODEL_HEADER_INVALID,
                 "storage " + quoted(key) + " has " + std::to_string(count) + " elements where its tensors expect " +
                     std::to_string(storage.count),
                 kDamaged);
    const DType dtype = storage.dtype == DType::unknown ? DType::u8 : storage.dtype;
    check_storage(*file, key, {dtype, count, key}, file->size() - at);
    const uint64_t bytes = static_cast<uint64_t>(count) * dtype_size(dtype);  // fits: it lies inside the file
    stored.emplace(key, Stored{at, bytes});
    at += bytes;
  }
  for (const auto& [key, storage] : tree.storages) {
    if (!stored.contains(key))
      file->fail(Code::MODEL_HEADER_INVALID,
                 "tensor " + quoted(storage.user) + " needs storage " + quoted(key) + ", which is not listed",
                 kDamaged);
    check_storage(*file, key, storage, stored.at(key).bytes);
  }
  return make_source(std::move(file), pickle, std::move(tree), std::move(stored));
}

TensorSource open_torch(const std::string& path) {
  auto file = std::make_shared<const File>(path);
  const Format format = sniff(*file);
  if (format == Format::torch_zip) return open_torch_zip(std::move(file));
  if (format == Format::torch_legacy) return open_torch_legacy(std::move(file));
  file->fail(Code::MODEL_FORMAT_UNSUPPORTED, std::string("is a ") + format_text(format) + ", not a PyTorch checkpoint",
             "name a .bin, .pt, .pth or .ckpt file");
}

}  // namespace ipa
