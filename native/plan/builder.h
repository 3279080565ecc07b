#pragma once
// Records ops into a plan, checks shapes while doing so, and keeps the scope path: the path is the prefix of the
// weight's name, the name in listings and the name of a tap.
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace ipa {

struct Value {
  ValueId id = kNone;
  Shape shape;
};

struct Window {  // kernel geometry of convolutions and pools
  int kernel_h = 3, kernel_w = 3, stride_h = 1, stride_w = 1;
  int pad_top = 1, pad_left = 1, pad_bottom = 1, pad_right = 1;
  int dilation_h = 1, dilation_w = 1, groups = 1;
};
// A square kernel with padding (kernel - 1) / 2.
Window square(int kernel, int stride = 1);

struct AttendOptions {
  float factor = 0;  // 0: 1 / sqrt(C / heads)
  bool causal = false;
};

class Builder {
 public:
  // `taps`: paths whose values the caller wants to keep, see tap().
  explicit Builder(std::set<std::string, std::less<>> taps = {}) : wanted_taps_(std::move(taps)) {}

  // RAII scope: `auto s = b.enter("resnets.0");` - names inside get the prefix.
  class Scope {
   public:
    Scope(Builder& b, size_t length) : builder_(b), length_(length) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { builder_.scope_.resize(length_); }

   private:
    Builder& builder_;
    size_t length_;
  };
  [[nodiscard]] Scope enter(std::string_view name);  // "" keeps the scope
  std::string path(std::string_view name) const;     // scope + "." + name

  Value input(std::string_view name, const Shape& shape);  // name is absolute; the same name twice is the same value
  void output(std::string_view name, Value v);             // name is absolute
  Value tap(std::string_view name, Value v);               // kept as output path(name) when asked for; returns v

  // Layers with weights. `name` is relative: weights are path(name).weight and .bias. Empty name: the scope itself.
  Value conv2d(std::string_view name, Value x, int out, int kernel = 3, int stride = 1, bool bias = true);
  Value conv2d(std::string_view name, Value x, int out, const Window& window, bool bias = true);
  Value linear(std::string_view name, Value x, int out, bool bias = true);
  Value group_norm(std::string_view name, Value x, int groups, float eps, Value moments = {});  // moments may be absent
  Value layer_norm(std::string_view name, Value x, float eps = 1e-5f);
  Value embed(std::string_view name, Value ids, int64_t rows, int width);  // table path(name).weight
  Value parameter(std::string_view full_name, const Dims& dims,
                  const Shape& shape);                                    // weight path(full_name), no suffix
  Value affine(std::string_view scale, std::string_view shift, Value x);  // weights path(scale), path(shift), [C]
  // Asks for f32 operands in the product that made v, in plans that compute with less: for the few products whose
  // rounding the rest of a network carries to its end. Backends follow where that costs little. Returns v.
  Value exact(Value v);
  // Weights named outright, for graphs whose tensors have names of their own (ONNX).
  Value conv2d_named(std::string_view node, Value x, const std::string& weight, const std::string& bias, int out,
                     const Window& window);
  Value linear_named(std::string_view node, Value x, const std::string& weight, const std::string& bias, int out);

  // Ops without weights.
  Value attend(Value q, Value k, Value v, int heads, AttendOptions options = {});
  Value apply(Function function, Value x, float alpha = 0, float beta = 0);
  Value silu(Value x) { return apply(Function::silu, x); }
  Value gelu(Value x) { return apply(Function::gelu, x); }
  Value quick_gelu(Value x) { return apply(Function::quick_gelu, x); }
  Value geglu(Value x);
  Value add(Value a, Value b);
  Value add_channel(Value x, Value channel);
  // x + row[cell] * mask * y; row and mask may be absent (id kNone).
  Value add_scaled(Value x, Value y, Value row, int cell, Value mask = {});
  Value concat(const std::vector<Value>& xs, int axis = 3);
  Value upsample(Value x, int64_t h, int64_t w);
  Value sinusoid(Value x, int width, bool sin_first = false, int divisor = 0);  // divisor 0: width / 2
  Value take_token(Value x, Value index);
  Value tokens(Value x, int64_t first, int64_t count);    // a run of tokens of every sample: [N, 1, count, C]
  Value channels(Value x, int64_t first, int64_t count);  // a run of channels: [N, H, W, count]
  Value reshape(Value x, const Shape& shape);             // same bytes, no op recorded
  Value rearrange(Value x, const Dims& dims, const Dims& strides, int64_t offset, const Shape& shape);
  Value pad(Value x, const Dims& dims, const Dims& before, const Dims& after, float value, const Shape& shape);
  Value binary(BinaryKind kind, Value a, Value b, const Dims& dims, const Dims& strides_a, const Dims& strides_b,
               const Shape& shape);
  Value pool(Value x, bool maximum, bool include_pad, const Window& window, int64_t out_h, int64_t out_w);
  Value resize(Value x, const Resize& how);  // how.x is set by the builder
  Value softmax(Value x);
  Value moments(Value x, int groups);
  Value reduce(Value x, ReduceKind kind, int64_t outer, int64_t count, int64_t inner, const Shape& shape);
  Value matmul(Value a, Value b, int64_t batch_a, int64_t batch_b, int64_t m, int64_t k, int64_t n);

  Plan finish();  // drops what no output needs

 private:
  Value record(Op op, const Shape& shape, std::string path);
  SlotId slot(const std::string& path, const Dims& dims, WeightRole role);
  Shape check(Value v, std::string_view where) const;

  Plan plan_;
  std::string scope_;
  std::set<std::string, std::less<>> wanted_taps_;
  std::map<std::string, SlotId> slots_;
};

}  // namespace ipa
