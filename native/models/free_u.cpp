#include "models/free_u.h"

#include <string>

namespace ipa {

namespace {

std::string named(int block, const std::string& what) { return "free_u." + std::to_string(block) + "." + what; }

// Channels [first, first + count).
Value channels(Builder& b, Value x, int64_t first, int64_t count) {
  const Shape& s = x.shape;
  return b.rearrange(x, {s.rows(), count}, {s.c, 1}, first, {s.n, s.h, s.w, count});
}

}  // namespace

Value free_u_hidden(Builder& b, Value h, int block) {
  const int64_t half = h.shape.c / 2;
  const Value gain = b.input(named(block, "gain"), {1, 1, 1, 1}), first = channels(b, h, 0, half);
  return b.concat({b.add_scaled(first, first, gain, 0), channels(b, h, half, h.shape.c - half)});
}

Value free_u_skip(Builder& b, Value skip, int block) {
  const Shape& s = skip.shape;
  Value y = skip;
  for (int k = 0; k < kFreeURows; ++k) {
    const std::string row = std::to_string(k);
    const Value to = b.input(named(block, "to" + row), {1, s.h, s.w, 1});
    const Value part = b.add_scaled(skip, skip, {}, 0, to);
    const Value mean = b.reduce(part, ReduceKind::mean, s.n, s.tokens(), s.c, {s.n, 1, 1, s.c});
    const Value everywhere = b.rearrange(mean, {s.n, s.tokens(), s.c}, {s.c, 0, 1}, 0, s);
    y = b.add_scaled(y, everywhere, {}, 0, b.input(named(block, "from" + row), {1, s.h, s.w, 1}));
  }
  return y;
}

}  // namespace ipa
