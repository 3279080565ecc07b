// Layer norms and small ops. Element kernels count in groups of four neighbours where rows allow it.
#include <algorithm>

#include "cuda/backend/lowering.h"
#include "cuda/kernels/elements.h"
#include "cuda/kernels/gather.h"
#include "cuda/kernels/layer_norm.h"
#include "cuda/kernels/reduce.h"
#include "cuda/kernels/sinusoid.h"
#include "cuda/kernels/softmax.h"
#include "cuda/kernels/strided.h"

namespace ipa::cuda {

namespace {

// The kernels' functions are numbered as those of the plan.
static_assert(static_cast<int>(ElementFunction::ceil) == static_cast<int>(Function::ceil) &&
              static_cast<int>(ElementFunction::quick_gelu) == static_cast<int>(Function::quick_gelu));
static_assert(static_cast<int>(BinaryFunction::max) == static_cast<int>(BinaryKind::max) &&
              static_cast<int>(BinaryFunction::prelu) == static_cast<int>(BinaryKind::prelu));
static_assert(static_cast<int>(ReduceFunction::l2) == static_cast<int>(ReduceKind::l2) &&
              static_cast<int>(ReduceFunction::sum) == static_cast<int>(ReduceKind::sum));

// How many neighbours an index has, for rows of so many columns.
int wide(int64_t columns) { return columns % 4 == 0 ? 4 : 1; }
std::string wide_text(int64_t columns) { return "_x" + std::to_string(wide(columns)); }

// The kernels name dimensions innermost first.
template <typename T>
void reversed(const Dims& from, T* to, int32_t& rank, const std::string& path) {
  if (from.size() > static_cast<size_t>(kMostDims))
    fail(Code::DEVICE_UNSUPPORTED, path + ": " + std::to_string(from.size()) + " dimensions; the kernel takes 8",
         "run this network on the CPU", {{"stage", path}});
  rank = number(static_cast<int64_t>(from.size()));
  for (size_t i = 0; i < from.size(); ++i) to[i] = static_cast<T>(from[from.size() - 1 - i]);
}

}  // namespace

void Lowering::lower(const LayerNorm& op) {
  const Shape& x = shape(op.x);
  std::string columns = "long";
  for (const int64_t c : {2048, 1280, 1024, 640, 320})
    if (x.c <= c) columns = std::to_string(c);
  launch(std::string("layer_norm_") + out() + "_" + columns,
         {static_cast<uint32_t>((x.rows() + kLayerNormWarps - 1) / kLayerNormWarps)},
         LayerNormArguments{f32(op.x), weight<float>(op.weight), weight<float>(op.bias), as<void>(node_->output),
                            number(x.rows()), number(x.c), op.eps});
}

void Lowering::lower(const Apply& op) {
  const int64_t count = shape(op.x).size(), w = wide(count);
  launch(std::string("apply_") + out() + wide_text(count), spread(count / w),
         ApplyArguments{f32(op.x), as<void>(node_->output), number(count / w),
                        static_cast<ElementFunction>(op.function), op.alpha, op.beta});
}

void Lowering::lower(const Geglu& op) {
  const Shape& x = shape(op.x);
  const int64_t columns = x.c / 2, w = wide(columns);
  launch(std::string("geglu_") + out() + wide_text(columns), spread(x.rows() * columns / w),
         GegluArguments{f32(op.x), as<void>(node_->output), number(x.rows()), number(columns / w)});
}

void Lowering::lower(const Add& op) {
  const int64_t count = shape(op.a).size(), period = shape(op.b).size(), w = wide(period);
  launch(std::string("add_") + out() + wide_text(period), spread(count / w),
         AddArguments{f32(op.a), f32(op.b), as<void>(node_->output), number(count / w), number(period / w)});
}

void Lowering::lower(const AddChannel& op) {
  const Shape &x = shape(op.x), &channel = shape(op.channel);
  const int64_t w = wide(x.c);
  launch("add_channel_f32" + wide_text(x.c), spread(x.size() / w),
         AddChannelArguments{f32(op.x), f32(op.channel), as<float>(node_->output), number(x.rows()), number(x.c / w),
                             number(x.tokens()), channel.n > 1 ? number(x.c / w) : 0});
}

void Lowering::lower(const AddScaled& op) {
  const Shape& x = shape(op.x);
  const int64_t w = wide(x.c);
  const float* scale = op.row == kNone ? nullptr : as<const float>(op.row) + op.cell;
  launch(std::string("add_scaled_") + out() + wide_text(x.c), spread(x.size() / w),
         AddScaledArguments{f32(op.x), f32(op.y), scale, as<const float>(op.mask), as<void>(node_->output),
                            number(x.rows()), number(x.c / w), op.mask == kNone ? 1 : number(shape(op.mask).size())});
}

void Lowering::lower(const Concat& op) {
  // What is laid side by side: the channels of a pixel, the pixels of a line, or the lines of a picture.
  const auto width = [&](const Shape& s) { return s.c * (op.axis < 3 ? s.w : 1) * (op.axis < 2 ? s.h : 1); };
  const Shape& y = result_shape();
  int64_t w = wide(width(y));
  for (const ValueId x : op.xs) w = std::min<int64_t>(w, wide(width(shape(x))));
  const size_t number_bytes = is_operand(node_->output) ? sizeof(uint16_t) : sizeof(float);
  constexpr size_t kMost = kMostConcatSources;
  int64_t begin = 0;  // where the sources of a launch begin in a row
  for (size_t first = 0; first < op.xs.size(); first += kMost) {
    ConcatArguments arguments{};
    int64_t end = 0;
    for (size_t i = 0; i < kMost; ++i) {
      if (first + i < op.xs.size()) {
        const ValueId x = op.xs[first + i];
        arguments.x[i] = f32(x), end += width(shape(x)) / w;
      }
      arguments.ends[i] = number(end);
    }
    arguments.y = pointer<void>(at(node_->output) + static_cast<size_t>(begin * w) * number_bytes);
    arguments.rows = number(y.size() / width(y));
    arguments.columns = number(end), arguments.pitch = number(width(y) / w);
    launch(std::string("concat_") + out() + "_x" + std::to_string(w), spread(arguments.rows * end), arguments);
    begin += end;
  }
}

void Lowering::lower(const Upsample& op) {
  const Shape& x = shape(op.x);
  const int64_t w = wide(x.c);
  launch("upsample_f32" + wide_text(x.c), spread(result_shape().size() / w),
         UpsampleArguments{f32(op.x), as<void>(node_->output), number(x.n), number(x.h), number(x.w), number(x.c / w),
                           number(op.h), number(op.w)});
}

void Lowering::lower(const Embed& op) {
  const Dims& table = plan_.weights[static_cast<size_t>(op.table)].dims;  // [V, C]
  const int64_t rows = shape(op.ids).size(), w = wide(table[1]);
  launch("take_rows_f32" + wide_text(table[1]), spread(rows * table[1] / w),
         TakeRowsArguments{weight<void>(op.table), f32(op.ids), as<float>(node_->output), number(rows),
                           number(table[1] / w), 0, number(table[0])});
}

void Lowering::lower(const TakeToken& op) {
  const Shape& x = shape(op.x);
  const int64_t w = wide(x.c);
  launch("take_rows_f32" + wide_text(x.c), spread(x.n * x.c / w),
         TakeRowsArguments{f32(op.x), f32(op.index), as<float>(node_->output), number(x.n), number(x.c / w),
                           number(x.tokens()), number(x.tokens())});
}

void Lowering::lower(const Parameter& op) {
  const int64_t period = product(plan_.weights[static_cast<size_t>(op.weight)].dims);
  cast(reinterpret_cast<uintptr_t>(weight<void>(op.weight)), "f32", at(node_->output), "f32", op.shape.size(), period);
}

void Lowering::lower(const Sinusoid& op) {
  const int64_t count = shape(op.x).size(), half = op.width / 2;
  launch("sinusoid_f32", spread(count * half),
         SinusoidArguments{f32(op.x), as<float>(node_->output), number(count), number(half), op.divisor,
                           op.sin_first ? 1 : 0});
}

void Lowering::lower(const Rearrange& op) {
  RearrangeArguments a{};
  a.x = f32(op.x), a.y = as<float>(node_->output), a.offset = op.offset, a.count = number(op.shape.size());
  reversed(op.dims, a.dims, a.rank, node_->path);
  reversed(op.strides, a.strides, a.rank, node_->path);
  launch("rearrange_f32", spread(a.count), a);
}

void Lowering::lower(const Pad& op) {
  PadArguments a{};
  a.x = f32(op.x), a.y = as<float>(node_->output), a.value = op.value, a.count = number(op.shape.size());
  Dims out;
  for (size_t i = 0; i < op.dims.size(); ++i) out.push_back(op.dims[i] + op.before[i] + op.after[i]);
  reversed(op.dims, a.dims, a.rank, node_->path);
  reversed(op.before, a.before, a.rank, node_->path);
  reversed(out, a.out_dims, a.rank, node_->path);
  launch("pad_f32", spread(a.count), a);
}

void Lowering::lower(const Binary& op) {
  BinaryArguments a{};
  a.a = f32(op.a), a.b = f32(op.b), a.y = as<float>(node_->output);
  a.function = static_cast<BinaryFunction>(op.kind), a.count = number(op.shape.size());
  reversed(op.dims, a.dims, a.rank, node_->path);
  reversed(op.strides_a, a.strides_a, a.rank, node_->path);
  reversed(op.strides_b, a.strides_b, a.rank, node_->path);
  launch("binary_f32", spread(a.count), a);
}

void Lowering::lower(const Softmax& op) {
  const Shape& x = shape(op.x);
  launch("softmax_f32", {static_cast<uint32_t>(std::min<int64_t>(x.rows(), 65535))},
         SoftmaxArguments{f32(op.x), as<void>(node_->output), number(x.rows()), number(x.c)});
}

void Lowering::lower(const Reduce& op) {
  launch("reduce_f32", spread(op.outer * op.inner),
         ReduceArguments{f32(op.x), as<float>(node_->output), number(op.outer), number(op.count), number(op.inner),
                         static_cast<ReduceFunction>(op.kind)});
}

}  // namespace ipa::cuda
