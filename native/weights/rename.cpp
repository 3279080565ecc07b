#include "weights/rename.h"

#include <cstring>
#include <map>
#include <utility>

#include "core/error.h"

namespace ipa {

namespace {

struct Part {
  Rename rename;
  DType dtype;
  Dims whole;  // of `from`, as the file has it
};

size_t bytes_of(DType dtype, const Dims& dims) { return dtype_size(dtype) * static_cast<size_t>(product(dims)); }

[[noreturn]] void unsuitable(const std::string& label, const Rename& r, const Dims& found,
                             const std::string& expected) {
  fail(Code::TENSOR_SHAPE, label + ": " + r.from + ": expected " + expected + ", file has " + text(found),
       "the file is damaged or of another model than its names say",
       {{"tensor", r.from}, {"expected", expected}, {"found", text(found)}, {"path", label}});
}

Dims shown_dims(const std::string& label, const Rename& r, const Dims& whole) {
  Dims dims = whole;
  if (r.rows > 0) {
    if (dims.empty() || r.first_row < 0 || r.first_row > dims[0] - r.rows)
      unsuitable(label, r, whole, std::to_string(r.first_row + r.rows) + " rows or more");
    dims[0] = r.rows;
  }
  if (r.transpose) {
    if (dims.size() != 2) unsuitable(label, r, whole, "two dimensions");
    std::swap(dims[0], dims[1]);
  }
  if (r.dims.empty()) return dims;
  if (product(r.dims) != product(dims)) unsuitable(label, r, whole, "as many numbers as " + text(r.dims));
  return r.dims;
}

// from [h, w]; out: elements of [w, h] from number `first` on
void transpose(const std::byte* from, size_t h, size_t w, size_t size, size_t first, std::span<std::byte> out) {
  size_t x = first / h, y = first % h;
  for (size_t at = 0; at < out.size(); at += size) {
    std::memcpy(out.data() + at, from + (y * w + x) * size, size);
    if (++y == h) y = 0, ++x;
  }
}

void read_part(const TensorSource& source, const Part& part, uint64_t first, std::span<std::byte> out) {
  const Rename& r = part.rename;
  if (r.rows == 0 && !r.transpose) return source.read(r.from, first, out);
  if (out.empty()) return;
  const size_t row = bytes_of(part.dtype, part.whole) / static_cast<size_t>(part.whole[0]);
  const uint64_t begin = static_cast<uint64_t>(r.first_row) * row;
  if (!r.transpose) return source.read(r.from, begin + first, out);
  const size_t size = dtype_size(part.dtype), rows = static_cast<size_t>(r.rows ? r.rows : part.whole[0]);
  std::vector<std::byte> turned(rows * row);
  source.read(r.from, begin, turned);
  transpose(turned.data(), rows, row / size, size, first / size, out);
}

}  // namespace

TensorSource renamed(TensorSource source, const std::vector<Rename>& renames) {
  std::map<std::string, Part, std::less<>> parts;
  TensorIndex index;
  for (const Rename& r : renames) {
    const auto found = source.index.find(r.from);
    if (found == source.index.end())
      fail(Code::TENSOR_MISSING, source.label + " lacks " + quoted(r.from), "use a complete file of this kind of model",
           {{"tensor", r.from}, {"path", source.label}});
    const TensorInfo& info = found->second;
    index[r.to] = {info.dtype, shown_dims(source.label, r, info.dims), info.scattered || r.transpose};
    parts.insert_or_assign(r.to, Part{r, info.dtype, info.dims});
  }
  TensorSource result{source.label, std::move(index), source.metadata, "", source.warnings, nullptr};
  source.index.clear();  // only its read() is needed from here on
  result.read = [source = std::move(source), parts = std::move(parts)](const std::string& name, uint64_t first,
                                                                       std::span<std::byte> out) {
    const auto at = parts.find(name);
    if (at == parts.end())
      fail(Code::TENSOR_MISSING, source.label + " lacks " + quoted(name), "use a complete file of this kind of model",
           {{"tensor", name}, {"path", source.label}});
    read_part(source, at->second, first, out);
  };
  return result;
}

TensorSource within(TensorSource source, const std::string& prefix) {
  if (prefix.empty()) return source;
  std::vector<Rename> renames;
  for (auto at = source.index.lower_bound(prefix); at != source.index.end() && at->first.starts_with(prefix); ++at)
    if (at->first.size() > prefix.size()) renames.push_back({at->first.substr(prefix.size()), at->first});
  return renamed(std::move(source), renames);
}

bool has_prefix(const TensorIndex& index, std::string_view start) {
  const auto at = index.lower_bound(start);
  return at != index.end() && at->first.starts_with(start);
}

std::string numbered(std::string_view start, int i, std::string_view end) {
  return std::string(start) + std::to_string(i) + std::string(end);
}

int count_prefixes(const TensorIndex& index, std::string_view start, std::string_view end) {
  int n = 0;
  while (has_prefix(index, numbered(start, n, end))) ++n;
  return n;
}

}  // namespace ipa
