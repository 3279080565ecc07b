// Group norm over NHWC, then identity or SiLU. Pass 1 sums chunks of pixels per channel: sums of x - s and its square,
// s being the chunk's first pixel, so a large mean costs no digits; chunks are cut by shape, never by thread count. The
// chunks of a group are merged in f64. Pass 2 writes. Tile: kPanel channels of a chunk. Bound by memory: two reads and
// one write; 4096 x 320 with SiLU in 0.4 to 0.6 ms, 26 to 37 GB/s (Xeon, Emerald Rapids, 2 threads).
#include "cpu/kernels/kernels_of_level.h"
#include "cpu/kernels/math.h"

namespace ipa::cpu::IPA_ISA {

static int64_t chunk_pixels(const GroupNormArgs& args) { return args.pixels > 65536 ? 256 : 64; }

// Floats of scratch: [images, chunks, 2, channels] sums, then [images, 2, channels] mean and factor.
static int64_t sums_floats(const GroupNormArgs& args) {
  return args.images * ceil_div(args.pixels, chunk_pixels(args)) * 2 * args.channels;
}

size_t group_norm_scratch(const GroupNormArgs& args, int) {
  return static_cast<size_t>(sums_floats(args) + args.images * 2 * args.channels) * sizeof(float);
}

// x [pixels, c] -> sums [2, c]
static void sum_chunk(const float* x, int64_t pixels, int64_t c, float* sums) {
  for (int64_t i = 0; i < c; i += kPanel) {
    const int64_t n0 = least(kLanes, c - i), n1 = most(0, least(kLanes, c - i - kLanes));
    const V s0 = load_part(x + i, n0), s1 = load_part(x + i + kLanes, n1);
    V a0 = {}, a1 = {}, q0 = {}, q1 = {};
    const float* p = x + i;
    if (n1 == kLanes) {
      for (int64_t pixel = 0; pixel < pixels; ++pixel, p += c) {
        const V d0 = load(p) - s0, d1 = load(p + kLanes) - s1;
        a0 += d0, a1 += d1;
        q0 = fma(d0, d0, q0), q1 = fma(d1, d1, q1);
      }
    } else {
      for (int64_t pixel = 0; pixel < pixels; ++pixel, p += c) {
        const V d0 = load_part(p, n0) - s0, d1 = load_part(p + kLanes, n1) - s1;
        a0 += d0, a1 += d1;
        q0 = fma(d0, d0, q0), q1 = fma(d1, d1, q1);
      }
    }
    store_part(sums + i, a0, n0), store_part(sums + i + kLanes, a1, n1);
    store_part(sums + c + i, q0, n0), store_part(sums + c + i + kLanes, q1, n1);
  }
}

// Mean and 1 / sqrt(variance + eps) * scale of one group, written to each of its channels.
static void merge_group(const GroupNormArgs& args, int64_t image, int64_t group, const float* sums,
                        float* mean_factor) {
  const int64_t c = args.channels, width = c / args.groups, first = group * width;
  const int64_t chunk = chunk_pixels(args), chunks = ceil_div(args.pixels, chunk);
  const float* x = args.x + image * args.pixels * c;
  double mean = 0;
  for (int64_t k = 0; k < chunks; ++k)
    for (int64_t i = first; i < first + width; ++i) {
      const double n = static_cast<double>(least(chunk, args.pixels - k * chunk));
      mean += n * static_cast<double>(x[k * chunk * c + i]) + static_cast<double>(sums[k * 2 * c + i]);
    }
  const double count = static_cast<double>(args.pixels * width);
  mean /= count;
  double square = 0;  // sum of (x - mean)^2
  for (int64_t k = 0; k < chunks; ++k)
    for (int64_t i = first; i < first + width; ++i) {
      const double n = static_cast<double>(least(chunk, args.pixels - k * chunk));
      const double total = static_cast<double>(sums[k * 2 * c + i]);
      const double shift = static_cast<double>(x[k * chunk * c + i]) - mean;
      square += static_cast<double>(sums[k * 2 * c + c + i]) + 2 * shift * total + n * shift * shift;
    }
  const double variance = square > 0 ? square / count : square == square ? 0 : square;  // a NaN stays
  const double factor = 1 / __builtin_sqrt(variance + static_cast<double>(args.eps));
  for (int64_t i = first; i < first + width; ++i) {
    mean_factor[i] = static_cast<float>(mean);
    mean_factor[c + i] = static_cast<float>(args.scale ? factor * static_cast<double>(args.scale[i]) : factor);
  }
}

template <bool kSilu>
static void write_pixels(const float* x, int64_t pixels, int64_t c, const float* mean_factor, const float* shift,
                         float* y) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += c, y += c)
    for (int64_t i = 0; i < c; i += kLanes) {
      const int64_t n = c - i;
      const V b = shift ? load_part(shift + i, n) : V{};
      const V v = fma(load_part(x + i, n) - load_part(mean_factor + i, n), load_part(mean_factor + c + i, n), b);
      store_part(y + i, kSilu ? silu(v) : v, n);
    }
}

void group_norm(const GroupNormArgs& args, const Context& context) noexcept {
  const int64_t c = args.channels, chunk = chunk_pixels(args), chunks = ceil_div(args.pixels, chunk);
  float* sums = reinterpret_cast<float*>(context.scratch);
  float* mean_factor = sums + sums_floats(args);
  const auto pixels_of = [&](int64_t task) { return least(chunk, args.pixels - task % chunks * chunk); };
  const auto start_of = [&](int64_t task) { return (task / chunks * args.pixels + task % chunks * chunk) * c; };
  for_tasks(context, args.images * chunks,
            [&](int, int64_t task) { sum_chunk(args.x + start_of(task), pixels_of(task), c, sums + task * 2 * c); });
  for_tasks(context, args.images * args.groups, [&](int, int64_t task) {
    const int64_t image = task / args.groups;
    merge_group(args, image, task % args.groups, sums + image * chunks * 2 * c, mean_factor + image * 2 * c);
  });
  for_tasks(context, args.images * chunks, [&](int, int64_t task) {
    const float* statistics = mean_factor + task / chunks * 2 * c;
    const float* x = args.x + start_of(task);
    float* y = args.y + start_of(task);
    if (args.function == Function::silu) {
      write_pixels<true>(x, pixels_of(task), c, statistics, args.shift, y);
    } else {
      write_pixels<false>(x, pixels_of(task), c, statistics, args.shift, y);
    }
  });
}

}  // namespace ipa::cpu::IPA_ISA
