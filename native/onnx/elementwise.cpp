// Functions of one number: Relu, Sigmoid, Clip ... on values, or on known numbers while recording.
#include <algorithm>
#include <cmath>
#include <limits>

#include "onnx/recorder.h"

namespace ipa::onnx {

namespace {

struct Named {
  const char* op;
  Function function;
};
constexpr Named kFunctions[] = {{"Abs", Function::abs},
                                {"Ceil", Function::ceil},
                                {"Exp", Function::exp},
                                {"Floor", Function::floor},
                                {"Neg", Function::neg},
                                {"Relu", Function::relu},
                                {"LeakyRelu", Function::leaky_relu},
                                {"Sqrt", Function::sqrt},
                                {"Sigmoid", Function::sigmoid},
                                {"Tanh", Function::tanh}};

float applied(Function function, float x, float alpha, float beta) {
  switch (function) {
    case Function::relu:
      return x > 0 ? x : 0;
    case Function::leaky_relu:
      return x < 0 ? alpha * x : x;
    case Function::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Function::tanh:
      return std::tanh(x);
    case Function::exp:
      return std::exp(x);
    case Function::sqrt:
      return std::sqrt(x);
    case Function::abs:
      return std::abs(x);
    case Function::neg:
      return -x;
    case Function::clip:
      return std::min(std::max(x, alpha), beta);
    case Function::floor:
      return std::floor(x);
    case Function::ceil:
      return std::ceil(x);
    default:
      return x;
  }
}

void apply(Recorder& r, Function function, float alpha = 0, float beta = 0) {
  const Item& x = r.in(0);
  if (x.known() && x.whole_numbers()) {
    if (function != Function::abs && function != Function::neg) r.fault("the operator does not take integers");
    std::vector<int64_t> numbers = r.integers(x, "the input");
    for (int64_t& number : numbers) {
      if (number == std::numeric_limits<int64_t>::min()) r.fault("an integer overflows");
      number = function == Function::abs ? std::abs(number) : -number;
    }
    return r.give(known_integers(x.dims(), std::move(numbers)));
  }
  if (x.known()) {
    std::vector<float> numbers = r.reals(x, "the input");
    for (float& number : numbers) number = applied(function, number, alpha, beta);
    return r.give(known_reals(x.dims(), std::move(numbers)));
  }
  Item y = r.settled(x);
  y.value = r.named([&] { return r.b.apply(function, y.value, alpha, beta); });
  r.give(y);
}

}  // namespace

void unary(Recorder& r) {
  for (const Named& known : kFunctions)
    if (r.node().op_type == known.op)
      return apply(r, known.function, known.function == Function::leaky_relu ? r.real("alpha", 0.01f) : 0);
}

void clip(Recorder& r) {
  float low = std::numeric_limits<float>::lowest(), high = std::numeric_limits<float>::max();
  const auto bound = [&](size_t input, float& into) {
    if (!r.has(input)) return;
    const std::vector<float> number = r.reals(r.in(input), "a bound");
    if (number.size() != 1) r.fault("a bound has " + std::to_string(number.size()) + " numbers, expected one");
    into = number[0];
  };
  if (r.opset() < 11) {
    low = r.real("min", low), high = r.real("max", high);
  } else {
    bound(1, low), bound(2, high);
  }
  apply(r, Function::clip, low, high);
}

}  // namespace ipa::onnx
