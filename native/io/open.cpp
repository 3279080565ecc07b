#include "io/open.h"

#include <algorithm>
#include <cctype>

#include "io/onnx.h"
#include "io/safetensors.h"
#include "io/shards.h"
#include "io/sniff.h"
#include "io/torch.h"

namespace ipa {

namespace {

struct Extension {
  const char* text;
  Format first, second;  // what a file with this name is expected to hold
};

constexpr Extension kExtensions[] = {
    {".safetensors", Format::safetensors, Format::safetensors}, {".bin", Format::torch_zip, Format::torch_legacy},
    {".pt", Format::torch_zip, Format::torch_legacy},           {".pth", Format::torch_zip, Format::torch_legacy},
    {".ckpt", Format::torch_zip, Format::torch_legacy},         {".onnx", Format::onnx, Format::onnx},
    {".json", Format::shard_index, Format::shard_index},
};

// The content decides; a name that promises something else is worth a word.
void warn_about_name(const std::string& name, Format format, TensorSource& source) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return;
  const std::string given = name.substr(dot);
  std::string lower = given;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Extension& e : kExtensions) {
    if (lower != e.text || (lower == given && (format == e.first || format == e.second))) continue;
    source.warnings.emplace_back("FILE_NAME_MISLEADING",
                                 quoted(name) + " is a " + format_text(format) + " in spite of its name");
  }
}

TensorSource open_format(Format format, std::shared_ptr<const File> file) {
  switch (format) {
    case Format::safetensors:
      return open_safetensors(std::move(file));
    case Format::torch_zip:
      return open_torch_zip(std::move(file));
    case Format::torch_legacy:
      return open_torch_legacy(std::move(file));
    case Format::onnx:
      return onnx_weights(open_onnx(*file));
    case Format::shard_index:
      break;
  }
  file->fail(Code::MODEL_HEADER_INVALID, "is an index of shards where a shard was expected",
             "download the shards again");
}

// Readers know the file's name, callers also want its path.
template <typename F>
TensorSource with_path(const std::string& path, F open) {
  try {
    return open();
  } catch (Error& e) {
    const bool known = std::any_of(e.details.begin(), e.details.end(), [](const auto& d) { return d.first == "path"; });
    if (!known) e.details.emplace_back("path", path);
    throw;
  }
}

}  // namespace

TensorSource open_weights_file(std::shared_ptr<const File> file) {
  const std::string path = file->path();
  return with_path(path, [&] {
    const std::string name = file->name();
    const Format format = sniff(*file);
    TensorSource source = open_format(format, std::move(file));
    warn_about_name(name, format, source);
    return source;
  });
}

TensorSource open_weights(const std::string& path) {
  auto file = std::make_shared<const File>(path);
  if (sniff(*file) != Format::shard_index) return open_weights_file(std::move(file));
  return with_path(path, [&] { return open_shards(*file); });
}

TensorSource without_nesting(TensorSource source) {
  std::string prefix = source.nesting;
  constexpr std::string_view kParallel = "module.";  // source: torch.nn.DataParallel
  const auto all_begin_with = [&](const std::string& start) {
    return std::all_of(source.index.begin(), source.index.end(),
                       [&](const auto& entry) { return entry.first.starts_with(start); });
  };
  if (!source.index.empty() && all_begin_with(prefix + std::string(kParallel))) prefix += kParallel;
  if (prefix.empty()) return source;
  TensorIndex index;
  for (auto& [name, info] : source.index) index.emplace(name.substr(prefix.size()), std::move(info));
  source.index = std::move(index);
  source.nesting.clear();
  source.read = [prefix, read = std::move(source.read)](const std::string& name, uint64_t first,
                                                        std::span<std::byte> out) { read(prefix + name, first, out); };
  return source;
}

}  // namespace ipa
