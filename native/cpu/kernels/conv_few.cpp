// Convolutions of stride 1 to few channels, such as the last one of a decoder, in f32. As conv.cpp computes them, they
// would waste most of a panel's columns. Here the columns of a matrix product are (tap, channel of y):
//   1. P [W, taps * N] of every row of x, = x [W, Cin] . weights [Cin, taps * N]
//   2. a row of y sums taps of kernel_h rows of P, each moved by its place in the kernel
// A task is a band of rows of y, which keeps kernel_h rows of P in a ring; bands share the rows at their ends.
// Every result is one fixed sequence of roundings. Bound by multiply-adds. For 3 channels 9 * 3 of 32 columns are used
// on AVX-512, where conv.cpp uses 3.
#include "cpu/kernels/gemm.h"

namespace ipa::cpu::IPA_ISA {

static constexpr int64_t kMostColumns = 4, kMostRows = 8;  // channels of y, rows of the kernel
static constexpr int64_t kBand = 32;                       // rows of y

// y is the sums and the bias: nobody has asked for more.
bool conv_few_fits(const ConvArgs& args) {
  const ResultPath& r = args.result;
  return args.stride_h == 1 && args.stride_w == 1 && args.dilation_h == 1 && args.dilation_w == 1 &&
         args.virtual_h == args.h && args.virtual_w == args.w && args.weight.n <= kMostColumns && args.c <= kDepth &&
         args.kernel_h * args.kernel_w > 1 && args.kernel_h <= kMostRows && r.function == Function::identity &&
         !r.channel && !r.residual && !r.geglu;
}

struct Few {
  int64_t taps, columns, panels;
  int64_t pitch;  // floats from one pixel of P to the next
  int64_t row;    // floats of one row of P
};

static Few few_of(const ConvArgs& args) {
  Few f{};
  f.taps = args.kernel_h * args.kernel_w;
  f.columns = f.taps * args.weight.n, f.panels = ceil_div(f.columns, kPanel);
  f.pitch = f.panels * kPanel, f.row = args.w * f.pitch;
  return f;
}

static int64_t weight_floats(const ConvArgs& args, const Few& f) { return f.panels * args.c * kPanel; }
static int64_t own_floats(const ConvArgs& args, const Few& f) {
  return kStrip * kPitch + kTileFloats + args.kernel_h * f.row;
}

// The packed weights in another order: [panels, Cin, kPanel], column = tap * N + channel of y.
template <typename At>
static void reorder(const ConvArgs& args, const Few& f, const At& at, float* to) {
  for (int64_t panel = 0; panel < f.panels; ++panel)
    for (int64_t c = 0; c < args.c; ++c)
      for (int64_t j = 0; j < kPanel; ++j) {
        const int64_t column = panel * kPanel + j, tap = column / args.weight.n, n = column % args.weight.n;
        *to++ = tap < f.taps ? at(tap * args.c + c, n) : 0.0f;
      }
}

// One row of P.
static void multiply_row(const ConvArgs& args, const Few& f, const float* x, const float* weights, float* strip,
                         float* tile, float* to) {
  for (int64_t first = 0; first < args.w; first += kStrip) {
    const int rows = static_cast<int>(least(kStrip, args.w - first));
    for (int i = 0; i < rows; ++i) copy(x + (first + i) * args.c, strip + i * kPitch, args.c);
    for (int64_t panel = 0; panel < f.panels; ++panel) {
      const float* b = weights + panel * args.c * kPanel;
      product(rows, strip, kPitch, b, args.c, tile, false, {reinterpret_cast<const char*>(b), 0});
      for (int i = 0; i < rows; ++i)
        for (int64_t j = 0; j < kPanel; j += kLanes)
          store(to + (first + i) * f.pitch + panel * kPanel + j, load(tile + i * kPanel + j));
    }
  }
}

template <int64_t N>
static void sum_row(const ConvArgs& args, const Few& f, const float* const* products, float* y) {
  for (int64_t x = 0; x < args.out_w; ++x, y += N) {
    float sums[N] = {};
    for (int64_t ky = 0; ky < args.kernel_h; ++ky) {
      if (!products[ky]) continue;
      for (int64_t kx = 0; kx < args.kernel_w; ++kx) {
        const int64_t at = x + kx - args.pad_left;
        if (at < 0 || at >= args.w) continue;
        const float* p = products[ky] + at * f.pitch + (ky * args.kernel_w + kx) * N;
        for (int64_t n = 0; n < N; ++n) sums[n] += p[n];
      }
    }
    for (int64_t n = 0; n < N; ++n) y[n] = sums[n] + (args.result.bias ? args.result.bias[n] : 0.0f);
  }
}

using SumRow = void (*)(const ConvArgs&, const Few&, const float* const*, float*);
static constexpr SumRow kSumRow[kMostColumns] = {sum_row<1>, sum_row<2>, sum_row<3>, sum_row<4>};

template <typename At>
static void convolve(const ConvArgs& args, const Context& context, const At& weight_at) {
  const Few f = few_of(args);
  float* weights = reinterpret_cast<float*>(context.scratch);
  float* own = weights + weight_floats(args, f);
  reorder(args, f, weight_at, weights);
  const int64_t bands = ceil_div(args.out_h, kBand), own_step = own_floats(args, f);
  for_tasks(context, args.n * bands, [&](int slot, int64_t task) {
    float* strip = own + slot * own_step;
    float* tile = strip + kStrip * kPitch;
    float* ring = tile + kTileFloats;
    const int64_t image = task / bands, begin = task % bands * kBand, end = least(args.out_h, begin + kBand);
    const float* x = args.x + image * args.h * args.w * args.c;
    float* y = args.result.y + image * args.out_h * args.out_w * args.weight.n;
    int64_t made = begin - args.pad_top;  // rows of x before this one have their P
    for (int64_t row = begin; row < end; ++row) {
      const int64_t top = row - args.pad_top;
      for (; made < top + args.kernel_h; ++made)
        if (made >= 0 && made < args.h)
          multiply_row(args, f, x + made * args.w * args.c, weights, strip, tile, ring + made % args.kernel_h * f.row);
      const float* products[kMostRows];
      for (int64_t ky = 0; ky < args.kernel_h; ++ky) {
        const int64_t at = top + ky;
        products[ky] = at >= 0 && at < args.h ? ring + at % args.kernel_h * f.row : nullptr;
      }
      kSumRow[args.weight.n - 1](args, f, products, y + row * args.out_w * args.weight.n);
    }
  });
}

size_t conv_few_scratch(const ConvArgs& args, int threads) {
  const Few f = few_of(args);
  return static_cast<size_t>(weight_floats(args, f) + own_floats(args, f) * threads) * sizeof(float);
}

void conv_few(const ConvArgs& args, const Context& context) noexcept {
  with_type(args.weight.type, args.weight.data, [&]<typename From>(const From* panel) {
    convolve(args, context, [&](int64_t k, int64_t n) { return f32(panel[k * kPanel + n]); });
  });
}

// From weights as bf16 levels pack them: bf16.h.
void conv_few_of_pairs(const ConvArgs& args, const Context& context) noexcept {
  const uint16_t* panel = static_cast<const uint16_t*>(args.weight.data);
  convolve(args, context, [&](int64_t k, int64_t n) {
    const uint32_t bits = static_cast<uint32_t>(panel[k / 32 * 1024 + k % 32 / 2 * 32 + n * 2 + k % 2]) << 16;
    float number;
    __builtin_memcpy(&number, &bits, sizeof number);
    return number;
  });
}

}  // namespace ipa::cpu::IPA_ISA
