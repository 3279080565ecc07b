#include "cuda/backend/weights.h"

#include <cstring>
#include <vector>

#include "cuda/backend/buffer.h"
#include "cuda/backend/lowering.h"
#include "cuda/packing.h"

namespace ipa::cuda {

namespace {

Card& own(void* self) { return *static_cast<Card*>(self); }

bool is_matrix(const WeightWant& want) { return want.role == WeightRole::matrix || want.role == WeightRole::geglu; }

// From several threads; to the card, or to the host's part of what is streamed.
void bring(Card& card, Place to, const std::byte* from, size_t bytes) {
  const auto& buffer = *static_cast<Buffer*>(to.buffer);
  if (buffer.is_streamed()) {
    std::memcpy(buffer.streamed.data() + to.offset, from, bytes);
    return;
  }
  const std::lock_guard lock(card.mutex);
  card.device.upload(address(to), from, bytes);
}

// Rows of each of the four behind the weight.
void pack_four(Card& card, const WeightWant& want, DType stored, const WeightRows& rows, Place to) {
  to = to.at(static_cast<size_t>(product(want.dims)) * dtype_size(stored));
  const size_t row = static_cast<size_t>(want.dims[1] * 4) * dtype_size(stored);  // bytes
  const size_t part = row * static_cast<size_t>(rows.rows), whole = row * static_cast<size_t>(want.dims[0]);
  std::vector<std::byte> packed(4 * part);
  pack_doubled({rows.from, rows.type, packed.data(), stored, rows.rows, want.dims[1], 9});
  for (size_t i = 0; i < 4; ++i)
    bring(card, to.at(i * whole + row * static_cast<size_t>(rows.first)), &packed[i * part], part);
}

}  // namespace

DType stored_type(void*, const WeightWant& want, DType) {
  if (!packs_operands(want)) return DType::f32;
  return want.compute == Compute::f16 ? DType::f16 : DType::bf16;
}

size_t packed_bytes(void*, const WeightWant& want, DType stored) {
  const int64_t numbers = product(want.dims), more = packs_doubled(want) ? numbers / 9 * 16 : 0;
  return static_cast<size_t>(numbers + more) * dtype_size(stored);
}

// GEGLU's values and gates meet by eights; what the direct convolution reads has rows innermost.
int64_t pack_unit(void*, const WeightWant& want) {
  if (!is_matrix(want)) return 1;
  if (!packs_operands(want)) return pack_rows(want);
  return want.role == WeightRole::geglu ? 8 : 1;
}

void pack(void* self, const WeightWant& want, DType stored, const WeightRows& rows, Place to) {
  const bool geglu = want.role == WeightRole::geglu;
  const int64_t count = rows.rows * (geglu ? 2 : 1), row = product(want.dims) / want.dims[0];
  std::vector<std::byte> packed(static_cast<size_t>(count * row) * dtype_size(stored));
  if (!is_matrix(want)) {
    to_f32(rows.type, static_cast<const std::byte*>(rows.from), reinterpret_cast<float*>(packed.data()),
           static_cast<size_t>(count * row));
  } else {
    const int64_t channels = want.dims[1];
    const PackArguments arguments{rows.from, rows.type, packed.data(),  stored,
                                  count,     channels,  row / channels, geglu && packs_operands(want)};
    if (packs_operands(want))
      cuda::pack_rows(arguments);
    else
      pack_columns(arguments);
  }
  const size_t offset = static_cast<size_t>(rows.first * (geglu ? 2 : 1) * row) * dtype_size(stored);
  bring(own(self), to.at(offset), packed.data(), packed.size());
  if (packs_doubled(want)) pack_four(own(self), want, stored, rows, to);
}

}  // namespace ipa::cuda
