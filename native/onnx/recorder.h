#pragma once
// What the operators of an ONNX graph share while they are recorded: the tensors by name, the node at hand, faults that
// name it, and the ways to get a tensor in the order, or as the numbers, that an operator needs.
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "core/error.h"
#include "onnx/graph.h"
#include "onnx/view.h"

namespace ipa::onnx {

// A tensor of the graph: a value of the plan, or numbers known while recording. Shapes and indices are integers, which
// exist only as known numbers; booleans count as integers.
struct Item {
  Item() = default;
  explicit Item(View view, Value value = {}) : view(std::move(view)), value(value) {}

  View view;
  Value value = {};                    // id kNone: known numbers, in one of the three below
  const OnnxTensor* tensor = nullptr;  // in the file, not yet converted
  std::string initialiser;             // name of `tensor` if it has one
  std::shared_ptr<const std::vector<float>> reals;
  std::shared_ptr<const std::vector<int64_t>> integers;
  bool of_sizes = false;  // known numbers that differ with the sizes of the inputs

  bool known() const { return value.id == kNone; }
  bool whole_numbers() const;
  const Dims& dims() const { return view.dims; }
  size_t rank() const { return view.dims.size(); }
};

Item known_reals(Dims dims, std::vector<float> numbers);
Item known_integers(Dims dims, std::vector<int64_t> numbers);
Shape plan_shape(const Dims& dims);  // [a, b, c, d]; fewer dimensions keep the last as channels, the first as batch

inline constexpr int64_t kLargestTensor = int64_t{1} << 31;  // elements
inline constexpr int64_t kLargestNumber = int64_t{1} << 20;  // strides, pads, kernel sizes, group counts

class Recorder {
 public:
  Recorder(Builder& b, const OnnxModel& model);

  Builder& b;
  const OnnxModel& model;
  int64_t opset() const { return model.opset; }
  const OnnxNode& node() const { return *node_; }
  std::string label() const;  // name of the node or of its first output

  [[noreturn]] void fault(const std::string& what, const std::string& hint = "") const;
  [[noreturn]] void graph_fault(const std::string& what) const;

  // Tensors of the node at hand. An input that is left out, or beyond the last, is absent.
  bool has(size_t input) const;
  const Item& in(size_t input) const;
  void give(Item item, size_t output = 0);
  void give_as(const std::string& name, Item item);
  const Item* find(const std::string& name) const;

  // Attributes; a wrong kind is a fault.
  int64_t integer(std::string_view name, int64_t otherwise) const;
  int64_t integer(std::string_view name, int64_t otherwise, int64_t low, int64_t high) const;
  float real(std::string_view name, float otherwise) const;
  std::string text(std::string_view name, const std::string& otherwise) const;
  const std::vector<int64_t>* integers(std::string_view name) const;  // null: not there
  const OnnxAttribute* attribute(std::string_view name, OnnxAttribute::Kind kind) const;
  size_t axis(int64_t axis, size_t rank) const;                                      // negative counts from the end
  std::vector<size_t> axes(const std::vector<int64_t>& numbers, size_t rank) const;  // each once
  // The axes of operators that moved them from an attribute to input `input` at opset `since`; nullopt: not given.
  std::optional<std::vector<int64_t>> axes_argument(size_t input, int64_t since);
  int64_t elements(const Dims& dims) const;  // product; negative or too large is a fault

  // Known numbers in row-major order. `what` names the input in faults.
  std::vector<float> reals(const Item& item, const char* what);
  std::vector<int64_t> integers(const Item& item, const char* what);

  // Memory in the wanted order; copies only when it lies differently. The value's shape is plan_shape of those dims.
  Value in_order(const Item& item, const Order& order);
  Value plain(const Item& item) { return in_order(item, plain_order(item.rank())); }
  Value channels_last(const Item& item) { return in_order(item, channels_last_order(item.rank())); }
  Item item(Value value, const Dims& dims, const Order& order) const { return Item(stored(dims, order), value); }
  // The order in which the item lies or, when it lies in neither, can be had for one copy.
  Order natural_order(const Item& item) const;
  Item settled(const Item& item);    // every element of its value once, so that element functions may run on all of it
  Item as_value(const Item& item);   // known numbers become a parameter
  Item separable(const Item& item);  // one axis per dimension, so that it can be sliced

  // Names of weights for the plan: the initialiser's own where it fits as it is, else of a derived copy.
  std::string matrix(const Item& item, const char* what);  // convolution kernels and [out, in] matrices
  std::string vector(const Item& item, const char* what);
  std::string derive(const std::string& what, const Dims& dims, std::vector<float> values);

  // Runs f with the builder inside the node's name, for ops without weights.
  template <typename F>
  Value named(F&& f) {
    const Builder::Scope scope = b.enter(label());
    return f();
  }

  // Batch normalisation as one factor and one summand per channel. `following`: of the node that alone reads this
  // node's result; it then counts as recorded. See layers.cpp.
  struct ScaleShift {
    std::vector<float> scale, shift;  // per channel
    const OnnxNode* node;
  };
  std::optional<ScaleShift> following_batch_norm(int64_t channels);
  std::optional<ScaleShift> batch_norm(const OnnxNode& node, int64_t channels);

  OnnxPlan record(const std::map<std::string, Dims>& input_shapes);

 private:
  void check_graph() const;
  void check_node(const OnnxNode& node);
  void record_inputs(const std::map<std::string, Dims>& input_shapes);
  void record_outputs();
  std::string weight(const Item& item, const char* what, bool vector);
  void spend(int64_t numbers);

  OnnxPlan plan_;
  const OnnxNode* node_ = nullptr;
  std::map<std::string, Item, std::less<>> items_;
  std::map<std::string, std::vector<const OnnxNode*>> readers_;  // a graph output counts as a null reader
  std::set<const OnnxNode*> done_;                               // recorded together with an earlier node
  std::map<std::string, bool> weight_is_vector_;
  std::map<std::tuple<ValueId, Axes, int64_t>, Value> copies_;  // conversions already recorded
  std::set<ValueId> input_ids_;
  bool node_reads_sizes_ = false;
  int64_t numbers_left_ = int64_t{1} << 28;  // elements that folding may still make
};

struct Operator {
  const char* name;
  size_t min_inputs, max_inputs, max_outputs;
  void (*record)(Recorder&);
};
// Null: no such operator.
const Operator* find_operator(std::string_view name);

// layers.cpp
void conv(Recorder& r);
void batch_normalization(Recorder& r);
void gemm(Recorder& r);
void matmul(Recorder& r);
// windows.cpp
struct Geometry {
  Window window;
  int64_t out_h, out_w;
};
Geometry geometry(Recorder& r, const Dims& x, int64_t kernel_h, int64_t kernel_w, bool ceil_mode);
void max_pool(Recorder& r);
void average_pool(Recorder& r);
void global_average_pool(Recorder& r);
void resize(Recorder& r);
void upsample(Recorder& r);
// elementwise.cpp
void unary(Recorder& r);
void clip(Recorder& r);
// arithmetic.cpp
void binary(Recorder& r);
Item binary_of(Recorder& r, BinaryKind kind, const Item& a, const Item& b);
// reduce.cpp
void softmax(Recorder& r);
void reduce(Recorder& r);
Item reduced(Recorder& r, ReduceKind kind, const Item& x, const std::vector<size_t>& axes, bool keep);
// movement.cpp
void identity(Recorder& r);
void dropout(Recorder& r);
void flatten(Recorder& r);
void reshape(Recorder& r);
void transpose(Recorder& r);
void squeeze(Recorder& r);
void unsqueeze(Recorder& r);
void slice(Recorder& r);
Item with_dims(const Item& x, const Dims& dims);  // the same elements, other dimensions
// `count` elements along an axis from `first` on, `step` apart.
Item cut(Recorder& r, const Item& x, size_t axis, int64_t first, int64_t count, int64_t step);
// joining.cpp
void split(Recorder& r);
void concat(Recorder& r);
void gather(Recorder& r);
void pad(Recorder& r);
// shapes.cpp
void shape(Recorder& r);
void constant(Recorder& r);
void constant_of_shape(Recorder& r);
void cast(Recorder& r);

}  // namespace ipa::onnx
