// Products and convolutions: which kernel, which tile, how many slices of K.
#include <algorithm>

#include "cuda/backend/lowering.h"
#include "cuda/kernels/convolution.h"
#include "cuda/kernels/convolution_direct.h"
#include "cuda/kernels/convolution_shortcut.h"
#include "cuda/kernels/elements.h"
#include "cuda/kernels/gather.h"
#include "cuda/kernels/product.h"

namespace ipa::cuda {

namespace {

ResultFunction result_function(Function f) {
  switch (f) {
    case Function::relu:
      return ResultFunction::relu;
    case Function::silu:
      return ResultFunction::silu;
    case Function::gelu:
      return ResultFunction::gelu;
    case Function::quick_gelu:
      return ResultFunction::quick_gelu;
    default:
      return ResultFunction::identity;
  }
}

}  // namespace

// A product of either kind: m rows of the result, n columns of the weight.
struct Lowering::Matrix {
  ValueId x;
  SlotId weight, bias;
  const Epilogue& epilogue;
  int64_t m, n, k;
  int64_t parts;                     // of one size, in one launch
  const Conv2d* conv = nullptr;      // null: a linear layer
  bool doubled = false;              // the parts are the four of convolution_doubled
  const Conv2d* shortcut = nullptr;  // appended along K; the node's own op
};

// What a node multiplies, as an operand that a norm wrote where there is one.
const void* Lowering::multiplied(const Node& node, ValueId x) {
  const auto copy = fusion_.operands.find(x);
  if (copy != fusion_.operands.end() && multiplies(plan_, node, x)) return as<const void>(copy->second.area);
  return operand(x);
}

void Lowering::multiply_tiles(const Matrix& matrix) {
  const FusedProduct* const fused = fusion_.product(node_->output);
  const void* x = multiplied(fused && fused->convolution ? *fused->convolution : *node_, matrix.x);
  const int64_t parts = matrix.parts;
  const Cut cut = fused ? fused->cut : cut_of({matrix.m, matrix.n, matrix.k, parts}, device_.properties());
  const Epilogue& e = matrix.epilogue;
  ResultArguments result{};
  result.bias = weight<float>(matrix.bias);
  result.channel = as<const float>(e.channel);
  if (e.channel != kNone && shape(e.channel).n > 1) result.channel_step = number(shape(e.channel).c);
  result.residual = as<const float>(e.residual);
  result.y = as<void>(node_->output);
  result.rows_per_image = number(std::max<int64_t>(result_shape().tokens(), 1));
  result.function = result_function(e.function);
  result.geglu = e.geglu ? 1 : 0;
  if (matrix.doubled) result.line = number(shape(matrix.x).w), result.rows_per_image /= 4;
  if (fused) result.moments = as<GroupMoments>(fused->moments), result.moment_rows = number(fused->moment_rows);
  if (matrix.shortcut) result.channel = weight<float>(matrix.shortcut->bias);  // a second bias, alike for all images
  SplitArguments split{};
  if (cut.slices > 1) {
    split.sums = pointer<float>(scratch(static_cast<size_t>(parts * cut.slices * matrix.m * matrix.n) * sizeof(float)));
    split.arrivals = pointer<uint32_t>(memories_.arrivals);
  }
  const driver::Grid grid{static_cast<uint32_t>((matrix.n + cut.tile->n - 1) / cut.tile->n * parts),
                          static_cast<uint32_t>((matrix.m + cut.tile->m - 1) / cut.tile->m),
                          static_cast<uint32_t>(cut.slices)};
  const std::string types = std::string(compute()) + "_" + out() + "_" + cut.tile->name;
  const void* w = weight<void>(matrix.weight);
  if (matrix.doubled)  // the four lie behind it
    w = static_cast<const uint16_t*>(w) + ipa::product(plan_.weights[static_cast<size_t>(matrix.weight)].dims);
  if (!matrix.conv) {
    ProductArguments arguments{x, {{w, result}}, split, number(matrix.m), number(matrix.n), number(matrix.k)};
    for (size_t i = 1; i < nodes_.size(); ++i) {  // siblings have all else in common
      const Linear& other = std::get<Linear>(nodes_[i].op);
      ProductPart& part = arguments.parts[i];
      part = {weight<void>(other.weight), result};
      part.result.bias = weight<float>(other.bias), part.result.y = as<void>(nodes_[i].output);
    }
    launch("product_" + types, grid, arguments);
    return;
  }
  const Conv2d& c = *matrix.conv;
  const Shape &in = shape(c.x), &y = result_shape();
  ConvolutionArguments arguments{x,
                                 w,
                                 result,
                                 split,
                                 number(in.n),
                                 number(in.h),
                                 number(in.w),
                                 number(in.c),
                                 number(c.out),
                                 number(y.h),
                                 number(y.w),
                                 c.kernel_h,
                                 c.kernel_w,
                                 c.stride_h,
                                 c.stride_w,
                                 c.pad_top,
                                 c.pad_left,
                                 c.dilation_h,
                                 c.dilation_w,
                                 number(c.virtual_h ? c.virtual_h : in.h),
                                 number(c.virtual_w ? c.virtual_w : in.w)};
  if (matrix.doubled) {
    arguments.out_h = arguments.virtual_h = arguments.height, arguments.out_w = arguments.virtual_w = arguments.width;
    arguments.kernel_h = arguments.kernel_w = 2;
  }
  if (!matrix.shortcut)
    return launch((matrix.doubled ? "convolution_doubled_" : "convolution_") + types, grid, arguments);
  const Conv2d& shortcut = *matrix.shortcut;
  launch("convolution_shortcut_" + types, grid,
         ConvolutionShortcutArguments{arguments, multiplied(*node_, shortcut.x), weight<void>(shortcut.weight),
                                      number(shape(shortcut.x).c)});
}

// In f32. GEGLU and an upsample that was folded in are launches of their own here.
void Lowering::multiply_direct(const Matrix& matrix) {
  const float* x = f32(matrix.x);
  Shape in = shape(matrix.x);
  Conv2d c{matrix.x, matrix.weight, matrix.bias, number(matrix.n)};
  if (matrix.conv) {
    c = *matrix.conv;
  } else {
    in = {1, 1, matrix.m, matrix.k};
    c.kernel_h = c.kernel_w = 1, c.pad_top = c.pad_left = 0;
  }
  if (c.virtual_h) {
    const Shape up{in.n, c.virtual_h, c.virtual_w, in.c};
    const driver::Address to = scratch(static_cast<size_t>(up.size()) * sizeof(float));
    launch("upsample_f32_x1", spread(up.size()),
           UpsampleArguments{x, pointer<void>(to), number(in.n), number(in.h), number(in.w), number(in.c), number(up.h),
                             number(up.w)});
    x = pointer<const float>(to), in = up;
  }
  const Epilogue& e = matrix.epilogue;
  const Shape& y = result_shape();
  ResultArguments result{};
  result.bias = weight<float>(matrix.bias);
  result.channel = as<const float>(e.channel);
  if (e.channel != kNone && shape(e.channel).n > 1) result.channel_step = number(shape(e.channel).c);
  result.rows_per_image = number(std::max<int64_t>(y.tokens(), 1));
  result.function = result_function(e.function);
  const int64_t out_h = matrix.conv ? y.h : 1, out_w = matrix.conv ? y.w : matrix.m;
  const bool apart = e.geglu;
  const driver::Address halves = apart ? scratch(static_cast<size_t>(matrix.m * matrix.n) * sizeof(float)) : 0;
  result.y = apart ? pointer<void>(halves) : as<void>(node_->output);
  if (!apart) result.residual = as<const float>(e.residual);
  launch(
      std::string("convolution_direct_") + (apart ? "f32" : out()),
      {static_cast<uint32_t>((matrix.m * matrix.n + kConvolutionDirectThreads - 1) / kConvolutionDirectThreads)},
      ConvolutionDirectArguments{x, weight<float>(matrix.weight), result, number(in.n), number(in.h), number(in.w),
                                 number(in.c), number(matrix.n), number(out_h), number(out_w), c.kernel_h, c.kernel_w,
                                 c.stride_h, c.stride_w, c.pad_top, c.pad_left, c.dilation_h, c.dilation_w});
  if (!apart) return;
  const int64_t columns = matrix.n / 2;
  const bool adds = e.residual != kNone;
  const driver::Address gated =
      adds ? scratch(static_cast<size_t>(matrix.m * columns) * sizeof(float)) : at(node_->output);
  launch(std::string("geglu_") + (adds ? "f32" : out()) + "_x1", spread(matrix.m * columns),
         GegluArguments{pointer<const float>(halves), pointer<void>(gated), number(matrix.m), number(columns)});
  if (adds)
    launch(std::string("add_") + out() + "_x1", spread(matrix.m * columns),
           AddArguments{pointer<const float>(gated), as<const float>(e.residual), as<void>(node_->output),
                        number(matrix.m * columns), number(matrix.m * columns)});
}

void Lowering::lower(const Conv2d& op) {
  if (const FusedProduct* fused = fusion_.product(node_->output); fused && fused->convolution) {
    const Conv2d& conv = std::get<Conv2d>(fused->convolution->op);
    const int64_t depth = shape(conv.x).c * conv.kernel_h * conv.kernel_w;
    return multiply_tiles(
        {conv.x, conv.weight, conv.bias, conv.epilogue, result_shape().rows(), conv.out, depth, 1, &conv, false, &op});
  }
  const Shape &x = shape(op.x), &y = result_shape();
  if (op.groups != 1)
    fail(Code::DEVICE_UNSUPPORTED,
         node_->path + ": a convolution of " + std::to_string(op.groups) + " groups has no CUDA kernel",
         "run this network on the CPU", {{"stage", node_->path}});
  Matrix matrix{op.x, op.weight, op.bias, op.epilogue, y.rows(), op.out, x.c * op.kernel_h * op.kernel_w, 1, &op};
  const bool twice = op.virtual_h == 2 * x.h && op.virtual_w == 2 * x.w;
  if (twice && packs_doubled(plan_.weights[static_cast<size_t>(op.weight)]))
    matrix.doubled = true, matrix.parts = 4, matrix.m = x.rows(), matrix.k = x.c * 4;
  if (takes_operands(plan_, *node_))
    multiply_tiles(matrix);
  else
    multiply_direct(matrix);
}

void Lowering::lower(const Linear& op) {
  const Shape& x = shape(op.x);
  const Matrix matrix{op.x,     op.weight, op.bias, op.epilogue,
                      x.rows(), op.out,    x.c,     number(static_cast<int64_t>(nodes_.size()))};
  if (takes_operands(plan_, *node_))
    multiply_tiles(matrix);
  else
    multiply_direct(matrix);
}

}  // namespace ipa::cuda
