#include "weights/blocks.h"

#include <algorithm>

#include "weights/tensor_values.h"

namespace ipa {

namespace {

// Bytes of the file, which are packed out of a core's L2. The largest unit (32 rows of a 3x3 convolution of 2560
// channels in f32) has 3 MB.
constexpr int64_t kBlockBytes = int64_t{512} << 10;

// Backends take these as they are; other types are made f32 first.
bool packs_from(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

}  // namespace

void add_blocks(const Backend& backend, const WeightWant& want, const TensorInfo& info, DType stored, Place to,
                std::vector<Block>& blocks) {
  const int64_t numbers = product(want.dims), all = pack_rows(want);
  if (numbers == 0) return;
  const size_t row = static_cast<size_t>(numbers / all), element = dtype_size(info.dtype);
  const int64_t unit = backend.pack_unit(backend.self, want);
  const int64_t fitting = kBlockBytes / std::max<int64_t>(static_cast<int64_t>(row * element), 1) / unit * unit;
  const int64_t step = info.scattered ? all : std::max(fitting, unit);
  for (int64_t first = 0; first < all; first += step) {
    const int64_t rows = std::min(step, all - first);
    const size_t elements = static_cast<size_t>(rows) * row;
    blocks.push_back({&want, &info, first, rows, elements, elements * element, stored, to});
  }
}

BlockLoader::BlockLoader(const Backend& backend, const TensorSource& source, const std::vector<Block>& blocks)
    : backend_(backend), source_(source) {
  size_t raw = 0, widened = 0;
  for (const Block& block : blocks) {
    raw = std::max(raw, block.bytes);
    if (!packs_from(block.info->dtype)) widened = std::max(widened, block.elements * sizeof(float));
  }
  raw_ = allocate(raw);
  widened_ = allocate(widened);
}

void BlockLoader::load(const Block& block, bool allow_nonfinite) {
  const WeightWant& want = *block.want;
  const std::span<std::byte> raw(raw_.get(), block.bytes);
  // Values and gates of a GEGLU weight lie apart, unless the block is all of it.
  const bool apart = want.role == WeightRole::geglu && block.rows < pack_rows(want);
  const size_t part = raw.size() / (apart ? 2 : 1), row = part / static_cast<size_t>(block.rows);  // bytes
  source_.read(want.path, static_cast<size_t>(block.first) * row, raw.first(part));
  if (apart) source_.read(want.path, static_cast<size_t>(block.first + pack_rows(want)) * row, raw.subspan(part));
  WeightRows rows{block.first, block.rows, raw.data(), block.info->dtype};
  if (!packs_from(rows.type)) {
    float* widened = reinterpret_cast<float*>(widened_.get());
    to_f32(rows.type, raw.data(), widened, block.elements);
    rows.from = widened, rows.type = DType::f32;
  }
  if (!allow_nonfinite && !all_finite(rows.type, rows.from, block.elements))
    check_finite(tensor_values(source_, want.path), want.path, source_.label);  // says how many and where
  backend_.pack(backend_.self, want, block.stored, rows, block.to);
}

}  // namespace ipa
