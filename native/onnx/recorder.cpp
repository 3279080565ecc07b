#include "onnx/recorder.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace ipa::onnx {

namespace {

bool is_real(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

template <typename T>
std::vector<int64_t> widened(std::span<const std::byte> bytes) {
  std::vector<int64_t> numbers(bytes.size() / sizeof(T));
  for (size_t i = 0; i < numbers.size(); ++i) {
    T number;
    std::memcpy(&number, bytes.data() + i * sizeof(T), sizeof(T));
    numbers[i] = static_cast<int64_t>(number);
  }
  return numbers;
}

std::vector<int64_t> whole_numbers_of(const OnnxTensor& tensor) {
  switch (tensor.info.dtype) {
    case DType::i64:
      return widened<int64_t>(tensor.bytes);
    case DType::i32:
      return widened<int32_t>(tensor.bytes);
    case DType::i16:
      return widened<int16_t>(tensor.bytes);
    case DType::i8:
      return widened<int8_t>(tensor.bytes);
    case DType::u64:
      return widened<uint64_t>(tensor.bytes);
    case DType::u32:
      return widened<uint32_t>(tensor.bytes);
    case DType::u16:
      return widened<uint16_t>(tensor.bytes);
    default:
      return widened<uint8_t>(tensor.bytes);
  }
}

template <typename T>
std::vector<T> picked(const std::vector<T>& from, const Axes& axes, int64_t offset) {
  std::vector<T> numbers;
  for_each_element(axes, offset, [&](int64_t at) { numbers.push_back(from[static_cast<size_t>(at)]); });
  return numbers;
}

}  // namespace

bool Item::whole_numbers() const { return tensor ? !is_real(tensor->info.dtype) : integers != nullptr; }

Item known_reals(Dims dims, std::vector<float> numbers) {
  Item item(row_major(dims));
  item.reals = std::make_shared<const std::vector<float>>(std::move(numbers));
  return item;
}

Item known_integers(Dims dims, std::vector<int64_t> numbers) {
  Item item(row_major(dims));
  item.integers = std::make_shared<const std::vector<int64_t>>(std::move(numbers));
  return item;
}

Shape plan_shape(const Dims& dims) {
  const size_t rank = dims.size();
  if (rank < 2) return {1, 1, 1, product(dims)};
  if (rank == 2) return {dims[0], 1, 1, dims[1]};
  const int64_t h = rank > 3 ? dims[rank - 3] : 1;
  const int64_t n = rank > 3 ? product(Dims(dims.begin(), dims.end() - 3)) : dims[0];
  return {n, h, dims[rank - 2], dims[rank - 1]};
}

std::string Recorder::label() const {
  if (!node_->name.empty()) return node_->name;
  for (const std::string& output : node_->outputs)
    if (!output.empty()) return output;
  return node_->op_type;
}

void Recorder::graph_fault(const std::string& what) const {
  fail(Code::MODEL_ONNX_INVALID, model.label + ": " + what,
       "the file is damaged or was written by a faulty exporter; download or export it again", {{"file", model.label}});
}

void Recorder::fault(const std::string& what, const std::string& hint) const {
  fail(Code::MODEL_ONNX_INVALID,
       model.label + ": " + quoted(node_->op_type) + " node " + quoted(label()) + " (opset " + std::to_string(opset()) +
           "): " + what,
       hint.empty() ? "the file is damaged or was written by a faulty exporter; download or export it again" : hint,
       {{"file", model.label}, {"operator", node_->op_type}, {"node", label()}, {"opset", std::to_string(opset())}});
}

bool Recorder::has(size_t input) const { return input < node_->inputs.size() && !node_->inputs[input].empty(); }

const Item* Recorder::find(const std::string& name) const {
  const auto found = items_.find(name);
  return found == items_.end() ? nullptr : &found->second;
}

const Item& Recorder::in(size_t input) const {
  if (!has(input)) fault("input " + std::to_string(input) + " is left out");
  const Item* item = find(node_->inputs[input]);
  if (!item)
    fault("input " + std::to_string(input) + " reads " + quoted(node_->inputs[input]) +
          ", which nothing before it gives (a cycle, a wrong order or a missing tensor)");
  return *item;
}

void Recorder::give(Item item, size_t output) {
  if (output < node_->outputs.size()) give_as(node_->outputs[output], std::move(item));
}

void Recorder::give_as(const std::string& name, Item item) {
  if (elements(item.dims()) == 0 && !item.known()) fault("the result " + ipa::text(item.dims()) + " is empty");
  item.of_sizes = item.known() && (item.of_sizes || node_reads_sizes_ || node_->op_type == "Shape");
  if (!name.empty()) items_.insert_or_assign(name, std::move(item));
}

const OnnxAttribute* Recorder::attribute(std::string_view name, OnnxAttribute::Kind kind) const {
  const OnnxAttribute* found = node_->find(name);
  if (found && found->kind != kind) fault("attribute " + std::string(name) + " has the wrong type");
  return found;
}

int64_t Recorder::integer(std::string_view name, int64_t otherwise) const {
  const OnnxAttribute* found = attribute(name, OnnxAttribute::Kind::integer);
  return found ? found->integer : otherwise;
}

int64_t Recorder::integer(std::string_view name, int64_t otherwise, int64_t low, int64_t high) const {
  const int64_t number = integer(name, otherwise);
  if (number < low || number > high)
    fault("attribute " + std::string(name) + " is " + std::to_string(number) + ", expected " + std::to_string(low) +
          " to " + std::to_string(high));
  return number;
}

float Recorder::real(std::string_view name, float otherwise) const {
  const OnnxAttribute* found = attribute(name, OnnxAttribute::Kind::real);
  return found ? found->real : otherwise;
}

std::string Recorder::text(std::string_view name, const std::string& otherwise) const {
  const OnnxAttribute* found = attribute(name, OnnxAttribute::Kind::text);
  return found ? found->text : otherwise;
}

const std::vector<int64_t>* Recorder::integers(std::string_view name) const {
  const OnnxAttribute* found = attribute(name, OnnxAttribute::Kind::integers);
  return found ? &found->integers : nullptr;
}

size_t Recorder::axis(int64_t axis, size_t rank) const {
  const int64_t size = static_cast<int64_t>(rank);
  if (axis < -size || axis >= size)
    fault("axis " + std::to_string(axis) + " of a tensor with " + std::to_string(rank) + " dimensions");
  return static_cast<size_t>(axis < 0 ? axis + size : axis);
}

std::vector<size_t> Recorder::axes(const std::vector<int64_t>& numbers, size_t rank) const {
  std::vector<size_t> result;
  for (int64_t number : numbers) {
    const size_t one = axis(number, rank);
    if (std::find(result.begin(), result.end(), one) != result.end())
      fault("axis " + std::to_string(number) + " is named twice");
    result.push_back(one);
  }
  return result;
}

int64_t Recorder::elements(const Dims& dims) const {
  int64_t count = 1;
  bool empty = false;
  for (int64_t d : dims) {
    if (d < 0 || d > kLargestTensor || (count *= d == 0 ? 1 : d) > kLargestTensor) {
      const std::string what = "a tensor of shape " + ipa::text(dims) + "; at most 2^31 elements are possible";
      if (node_) fault(what);
      graph_fault(what);
    }
    empty |= d == 0;
  }
  return empty ? 0 : count;
}

void Recorder::spend(int64_t numbers) {
  if ((numbers_left_ -= numbers) < 0) fault("the constants computed from the graph exceed 2^28 numbers");
}

std::vector<float> Recorder::reals(const Item& item, const char* what) {
  if (!item.known()) fault(std::string(what) + " must be constant, but depends on the input");
  if (item.whole_numbers()) fault(std::string(what) + " must be real numbers, but are integers");
  // A slice of a stored tensor costs the whole: it is converted anew for each.
  spend(std::max(elements(item.dims()), item.tensor ? product(item.tensor->info.dims) : 0));
  if (!item.tensor) return picked(*item.reals, item.view.axes, item.view.offset);
  std::vector<float> all(static_cast<size_t>(product(item.tensor->info.dims)));
  to_f32(item.tensor->info.dtype, item.tensor->bytes.data(), all.data(), all.size());
  if (is_whole(item.view.axes, item.view.offset, static_cast<int64_t>(all.size()))) return all;
  return picked(all, item.view.axes, item.view.offset);
}

std::vector<int64_t> Recorder::integers(const Item& item, const char* what) {
  if (!item.known() || !item.whole_numbers()) fault(std::string(what) + " must be constant integers");
  spend(std::max(elements(item.dims()), item.tensor ? product(item.tensor->info.dims) : 0));
  return picked(item.tensor ? whole_numbers_of(*item.tensor) : *item.integers, item.view.axes, item.view.offset);
}

std::optional<std::vector<int64_t>> Recorder::axes_argument(size_t input, int64_t since) {
  if (opset() >= since) {
    if (has(input)) return integers(in(input), "axes");
    return std::nullopt;
  }
  const std::vector<int64_t>* found = integers("axes");
  return found ? std::optional(*found) : std::nullopt;
}

}  // namespace ipa::onnx
