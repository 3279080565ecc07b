#include <algorithm>
#include <utility>

#include "core/error.h"
#include "weights/rename.h"

namespace ipa {

namespace {

struct Part {
  std::string name;
  DType dtype;
  uint64_t begin, end;  // numbers of the whole
};

struct Whole {
  DType dtype;
  std::vector<Part> parts;
};

const TensorInfo& part_of(const TensorSource& source, const std::string& name) {
  const auto found = source.index.find(name);
  if (found == source.index.end())
    fail(Code::TENSOR_MISSING, source.label + " lacks " + quoted(name), "use a complete file of this kind of model",
         {{"tensor", name}, {"path", source.label}});
  return found->second;
}

Whole whole_of(const TensorSource& source, const RowJoin& join, TensorInfo& info) {
  info = part_of(source, join.parts[0]);
  info.dims.at(0) = 0;
  Whole whole{info.dtype, {}};
  uint64_t at = 0;
  for (const std::string& name : join.parts) {
    const TensorInfo& part = part_of(source, name);
    Dims row = part.dims;
    if (!row.empty()) row[0] = info.dims[0];
    if (row != info.dims)
      fail(Code::TENSOR_SHAPE,
           source.label + ": " + name + " has " + text(part.dims) + " and cannot be joined with " +
               quoted(join.parts[0]),
           "the file is damaged", {{"tensor", name}, {"found", text(part.dims)}, {"path", source.label}});
    const auto count = static_cast<uint64_t>(product(part.dims));
    info.dims[0] += part.dims[0];
    info.scattered = info.scattered || part.scattered;
    if (part.dtype != whole.dtype) whole.dtype = DType::f32;
    whole.parts.push_back({name, part.dtype, at, at + count});
    at += count;
  }
  info.dtype = whole.dtype;
  return whole;
}

void read_whole(const TensorSource& source, const Whole& whole, uint64_t first, std::span<std::byte> out) {
  const size_t size = dtype_size(whole.dtype);
  const uint64_t begin = first / size, end = begin + out.size() / size;
  std::vector<std::byte> raw;
  for (const Part& part : whole.parts) {
    const uint64_t from = std::max(begin, part.begin), to = std::min(end, part.end);
    if (from >= to) continue;
    const std::span<std::byte> place = out.subspan((from - begin) * size, (to - from) * size);
    const size_t own = dtype_size(part.dtype);
    if (part.dtype == whole.dtype) {
      source.read(part.name, (from - part.begin) * own, place);
      continue;
    }
    raw.resize((to - from) * own);
    source.read(part.name, (from - part.begin) * own, raw);
    std::vector<float> values(to - from);
    to_f32(part.dtype, raw.data(), values.data(), values.size());
    std::ranges::copy(std::as_bytes(std::span(values)), place.begin());
  }
}

}  // namespace

TensorSource joined(TensorSource source, const std::vector<RowJoin>& joins) {
  std::map<std::string, Whole, std::less<>> wholes;
  TensorIndex index = source.index;
  for (const RowJoin& join : joins) {
    TensorInfo info;
    wholes.insert_or_assign(join.to, whole_of(source, join, info));
    for (const std::string& part : join.parts) index.erase(part);
    index[join.to] = std::move(info);
  }
  TensorSource result{source.label, std::move(index), source.metadata, "", source.warnings, nullptr};
  result.read = [source = std::move(source), wholes = std::move(wholes)](const std::string& name, uint64_t first,
                                                                         std::span<std::byte> out) {
    const auto whole = wholes.find(name);
    if (whole == wholes.end()) return source.read(name, first, out);
    read_whole(source, whole->second, first, out);
  };
  return result;
}

TensorSource below(TensorSource source, const std::string& prefix) {
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) renames.push_back({prefix + name, name});
  return renamed(std::move(source), renames);
}

}  // namespace ipa
