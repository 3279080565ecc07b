// Convolution as an implicit matrix product over NHWC: rows are result pixels, k = (ky, kx, cin). Tiles and blocking:
// gemm.h; only kRows x kDepth numbers of the unfolded image exist at a time. Two small tables, from (result row, ky)
// and (result column, kx) to the source row and column (-1: padding), hold stride, dilation, padding and the nearest
// upsample. Bound by multiply-adds. Measured, 3 x 3: 0.86, 0.86, 0.83, 0.87 of the multiply-add peak on AVX-512 at
// 64 x 64 x 320, 32 x 32 x 640, 16 x 16 x 1280, 8 x 8 x 1280; 0.86 on AVX2 (Xeon, Emerald Rapids, 2 threads). Fewer
// than kPanel output channels waste the rest of the panel: 0.09 for 320 -> 4.
#include "cpu/kernels/gemm.h"

namespace ipa::cpu::IPA_ISA {

static int64_t table_floats(const ConvArgs& args) {  // the tables are int32, rounded up to whole cache lines
  return ceil_div(args.out_h * args.kernel_h + args.out_w * args.kernel_w, 16) * 16;
}

size_t conv_scratch(const ConvArgs& args, int threads) {
  return static_cast<size_t>(table_floats(args) + gemm_scratch_floats(args.weight.k) * threads) * sizeof(float);
}

// table[o * kernel + t]: where in `size` input elements output o reads with tap t.
static void fill_table(int32_t* table, int64_t out, int kernel, int stride, int pad, int dilation, int64_t size,
                       int64_t virtual_size) {
  for (int64_t o = 0; o < out; ++o)
    for (int t = 0; t < kernel; ++t) {
      const int64_t at = o * stride - pad + static_cast<int64_t>(t) * dilation;
      const bool inside = at >= 0 && at < virtual_size;
      *table++ = static_cast<int32_t>(!inside ? -1 : size == virtual_size ? at : at * size / virtual_size);
    }
}

void conv(const ConvArgs& args, const Context& context) noexcept {
  int32_t* source_rows = reinterpret_cast<int32_t*>(context.scratch);  // [out_h, kernel_h]
  int32_t* source_columns = source_rows + args.out_h * args.kernel_h;  // [out_w, kernel_w]
  float* scratch = reinterpret_cast<float*>(context.scratch) + table_floats(args);
  fill_table(source_rows, args.out_h, args.kernel_h, args.stride_h, args.pad_top, args.dilation_h, args.h,
             args.virtual_h);
  fill_table(source_columns, args.out_w, args.kernel_w, args.stride_w, args.pad_left, args.dilation_w, args.w,
             args.virtual_w);

  const int64_t c = args.c, pixels = args.out_h * args.out_w;
  const auto gather = [&](int64_t row, int rows, int64_t begin, int64_t end, Operand* to) {
    int64_t image = row / pixels, y = row % pixels / args.out_w, x = row % args.out_w;
    const int64_t first_tap = begin / c, first_c = begin % c;
    for (int i = 0; i < rows; ++i, to += kPitch) {
      const float* from = args.x + image * args.h * args.w * c;
      const int32_t* ys = source_rows + y * args.kernel_h;
      const int32_t* xs = source_columns + x * args.kernel_w;
      int64_t ky = first_tap / args.kernel_w, kx = first_tap % args.kernel_w, at = first_c;
      for (int64_t k = begin; k < end;) {
        const int64_t count = least(c - at, end - k);
        Operand* p = to + (k - begin);
        if (ys[ky] >= 0 && xs[kx] >= 0) {
          copy(from + (ys[ky] * args.w + xs[kx]) * c + at, p, count);
        } else {
          clear(p, count);
        }
        k += count;
        at = 0;
        if (++kx == args.kernel_w) kx = 0, ++ky;
      }
      if (++x == args.out_w) {
        x = 0;
        if (++y == args.out_h) y = 0, ++image;
      }
    }
  };
  gemm(gather, args.n * pixels, args.weight, pixels, args.result, scratch, context);
}

}  // namespace ipa::cpu::IPA_ISA
