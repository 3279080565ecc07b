// Weight files: those that must be read, and those that must be refused.
#include <map>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "golden/compare.h"
#include "golden/kinds.h"
#include "io/open.h"
#include "models/adapters.h"
#include "weights/names/ip_adapter.h"

namespace ipa::golden {

namespace {

using test::Json;

std::vector<std::byte> bytes_of(const TensorSource& source, const std::string& name) {
  const TensorInfo& info = source.index.at(name);
  std::vector<std::byte> bytes(dtype_size(info.dtype) * static_cast<size_t>(product(info.dims)));
  source.read(name, 0, bytes);
  return bytes;
}

// One element as f64, exact for every type of the goldens.
double element(DType dtype, const std::byte* from) {
  if (dtype == DType::f64) return *reinterpret_cast<const double*>(from);
  if (dtype == DType::i64) return static_cast<double>(*reinterpret_cast<const int64_t*>(from));
  float f = 0;
  to_f32(dtype, from, &f, 1);
  return f;
}

void check_tensor(const TensorSource& source, const std::string& name, const Json& wanted, const std::string& what,
                  Verdict& verdict) {
  const auto found = source.index.find(name);
  if (found == source.index.end()) return verdict.fault(what + " is missing");
  Dims dims;
  for (const Json& d : wanted["shape"].array) dims.push_back(d.integer());
  verdict.require(found->second.dims == dims, what + " is " + text(found->second.dims) + ", expected " + text(dims));
  verdict.require(dtype_text(found->second.dtype) == wanted["dtype"].string,
                  what + " is " + dtype_text(found->second.dtype));
  const std::vector<std::byte> bytes = bytes_of(source, name);
  const size_t each = dtype_size(found->second.dtype);
  std::vector<double> got;
  for (size_t at = 0; at < bytes.size(); at += each) got.push_back(element(found->second.dtype, bytes.data() + at));
  std::vector<double> want;
  for (const Json& v : wanted["values"].array)
    want.push_back(v.kind == Json::Kind::boolean ? static_cast<double>(v.boolean) : v.number);
  verdict.close(what, got, want, 0);
}

void check_files(Level&, const std::string& name, Verdict& verdict) {
  const Json list = test::golden_json(name + ".json");
  for (const Json& file : list["files"].array) {
    const std::string& path = file["file"].string;
    try {
      const TensorSource source = open_weights(data_file(name, path));
      const auto& tensors = file["tensors"].object;
      verdict.require(source.index.size() == tensors.size(), path + " has " + std::to_string(source.index.size()) +
                                                                 " tensors, expected " +
                                                                 std::to_string(tensors.size()));
      for (const auto& [tensor, wanted] : tensors) check_tensor(source, tensor, wanted, path + ": " + tensor, verdict);
      if (!file.has("metadata")) continue;
      for (const auto& [key, wanted] : file["metadata"].object) {
        const auto found = source.metadata.find(key);
        verdict.require(found != source.metadata.end() && found->second == wanted.string, path + ": metadata " + key);
      }
    } catch (const Error& e) {
      verdict.fault(path + ": " + code_text(e.code) + ": " + e.what());
    }
  }
}

// The code with which the file is refused on its way to an adapter or a network; "" when it is taken.
std::string refusal(const std::string& path, bool as_adapter) {
  try {
    const TensorSource source = open_weights(path);
    for (const auto& [tensor, info] : source.index) bytes_of(source, tensor);
    if (as_adapter) detect_adapter(adapter_groups(without_nesting(source)).index, path);
    return "";
  } catch (const Error& e) {
    return e.hint.empty() ? std::string("no hint with ") + code_text(e.code) : code_text(e.code);
  }
}

void check_malformed(Level&, const std::string& name, Verdict& verdict) {
  // The list's `kind` is advice for the class of the error; a kind of another list is met by any typed error.
  static const std::map<std::string, std::string> codes = {
      {"not a weight file", "MODEL_EMPTY MODEL_NOT_A_MODEL"},
      {"truncated", "MODEL_TRUNCATED"},
      {"limit", "MODEL_LIMIT"},
      {"format", "MODEL_HEADER_INVALID MODEL_ZIP_INVALID"},
      {"html", "MODEL_NOT_A_MODEL"},
      {"lfs pointer", "MODEL_NOT_A_MODEL"},
      {"unsupported", "TENSOR_DTYPE MODEL_ZIP_INVALID"},
      {"disallowed global", "MODEL_UNSAFE_PICKLE"},
      {"not an adapter", "TENSOR_MISSING ADAPTER_UNKNOWN"},
  };
  const Json list = test::golden_json(name + ".json");
  for (const Json& file : list["files"].array) {
    const std::string& path = file["file"].string;
    const std::string& kind = file["kind"].string;
    const std::string got = refusal(data_file(name, path), kind == "not an adapter");
    if (got.empty() && file.has("optional")) continue;
    const std::string why = file.has("why") ? file["why"].string : kind;
    // INST names a global: the stricter code applies.
    const auto row = codes.find(why.starts_with("INST") ? "disallowed global" : kind);
    const std::string wanted = row == codes.end() ? got : row->second;
    verdict.require(!got.empty() && got != "INTERNAL" && wanted.find(got) != std::string::npos,
                    path + " (" + why + "): " + (got.empty() ? "loaded" : got + ", expected " + wanted));
  }
}

}  // namespace

void add_files(Kinds& kinds) {
  kinds["files"] = {check_files, /*per_level=*/false};
  kinds["malformed"] = {check_malformed, false};
}

}  // namespace ipa::golden
