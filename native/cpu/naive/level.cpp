// The level "naive": weights keep the file's order [N, taps, Cin] (a panel of one column) and there are no kernels.
#include "cpu/table.h"

namespace ipa::cpu::naive {
namespace {

int64_t geglu_column(int64_t n, int64_t) { return n; }

size_t packed_bytes(int64_t k, int64_t n) { return static_cast<size_t>(k * n) * sizeof(float); }

void pack(const float* from, int64_t n, int64_t cin, int64_t taps, bool, void* to) {
  float* packed = static_cast<float*>(to);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t c = 0; c < cin; ++c) *packed++ = from[(i * cin + c) * taps + tap];
}

float packed_at(const PackedMatrix& w, int64_t k, int64_t column) {
  return static_cast<const float*>(w.data)[column * w.k + k];
}

Level make_level() {
  Level l{};
  l.name = "naive", l.panel = 1, l.geglu_column = geglu_column;
  l.packed_bytes = packed_bytes, l.pack = pack, l.packed_at = packed_at;
  return l;
}

}  // namespace

const Level level = make_level();

}  // namespace ipa::cpu::naive
