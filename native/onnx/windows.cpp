// Operators over the pixels of feature maps: the geometry of Conv and pools, MaxPool, AveragePool, GlobalAveragePool,
// Resize, Upsample.
#include <algorithm>
#include <array>
#include <cmath>

#include "onnx/recorder.h"

namespace ipa::onnx {

namespace {

// A list attribute of `count` numbers, each from `low` on.
std::vector<int64_t> numbers(Recorder& r, const char* name, size_t count, int64_t otherwise, int64_t low) {
  const std::vector<int64_t>* given = r.integers(name);
  if (!given || given->empty()) return std::vector<int64_t>(count, otherwise);
  if (given->size() != count)
    r.fault("attribute " + std::string(name) + " has " + std::to_string(given->size()) + " numbers, expected " +
            std::to_string(count));
  for (int64_t number : *given)
    if (number < low || number > kLargestNumber)
      r.fault("attribute " + std::string(name) + " is " + text(*given) + ", expected numbers from " +
              std::to_string(low) + " to " + std::to_string(kLargestNumber));
  return *given;
}

const Item& feature_map(Recorder& r) {
  const Item& x = r.in(0);
  if (x.rank() != 4) r.fault("input " + text(x.dims()) + ", expected four dimensions [N, C, H, W]");
  if (r.elements(x.dims()) == 0) r.fault("the input " + text(x.dims()) + " is empty");
  return x;
}

}  // namespace

Geometry geometry(Recorder& r, const Dims& x, int64_t kernel_h, int64_t kernel_w, bool ceil_mode) {
  const std::vector<int64_t> kernel = numbers(r, "kernel_shape", 2, 0, 1);
  if (kernel[0] != 0) {
    if ((kernel_h != 0 && kernel[0] != kernel_h) || (kernel_w != 0 && kernel[1] != kernel_w))
      r.fault("kernel_shape is " + text(kernel) + ", but the weight is " + std::to_string(kernel_h) + " by " +
              std::to_string(kernel_w));
    kernel_h = kernel[0], kernel_w = kernel[1];
  }
  if (kernel_h < 1 || kernel_w < 1 || kernel_h > kLargestNumber || kernel_w > kLargestNumber)
    r.fault("the kernel has no usable size");
  const std::vector<int64_t> strides = numbers(r, "strides", 2, 1, 1), dilations = numbers(r, "dilations", 2, 1, 1);
  std::vector<int64_t> pads = numbers(r, "pads", 4, 0, 0);  // top, left, bottom, right
  const std::string mode = r.text("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "SAME_UPPER" && mode != "SAME_LOWER" && mode != "VALID")
    r.fault("auto_pad is " + quoted(mode));

  const int64_t sizes[2] = {x[2], x[3]}, kernels[2] = {kernel_h, kernel_w};
  int64_t out[2];
  for (size_t i = 0; i < 2; ++i) {
    const int64_t reach = dilations[i] * (kernels[i] - 1) + 1;  // pixels that one window spans
    if (mode == "VALID") pads[i] = pads[i + 2] = 0;
    if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      out[i] = (sizes[i] + strides[i] - 1) / strides[i];
      const int64_t pad = std::max<int64_t>(0, (out[i] - 1) * strides[i] + reach - sizes[i]);
      pads[i] = mode == "SAME_UPPER" ? pad / 2 : (pad + 1) / 2;
      pads[i + 2] = pad - pads[i];
      if (pad > kLargestNumber) r.fault("the kernel reaches too far");
      continue;
    }
    const int64_t room = sizes[i] + pads[i] + pads[i + 2] - reach;
    if (room < 0)
      r.fault("the kernel spans " + std::to_string(reach) + " pixels, the padded input " + text(x) + " only " +
              std::to_string(room + reach));
    out[i] = (room + (ceil_mode ? strides[i] - 1 : 0)) / strides[i] + 1;
    // A window that starts in the padding behind the input does not count.   source: onnxruntime, PyTorch
    if (ceil_mode && (out[i] - 1) * strides[i] >= sizes[i] + pads[i]) --out[i];
  }
  const auto i = [](int64_t number) { return static_cast<int>(number); };
  return {{i(kernel_h), i(kernel_w), i(strides[0]), i(strides[1]), i(pads[0]), i(pads[1]), i(pads[2]), i(pads[3]),
           i(dilations[0]), i(dilations[1]), 1},
          out[0],
          out[1]};
}

namespace {

void pool(Recorder& r, bool maximum) {
  const Item& x = feature_map(r);
  const Geometry g = geometry(r, x.dims(), 0, 0, r.integer("ceil_mode", 0, 0, 1) == 1);
  if (g.window.dilation_h != 1 || g.window.dilation_w != 1)
    r.fault("a dilated pool", "use a model without dilated pools");
  // Otherwise a window could lie in the padding alone and have no largest element and no mean.
  if (std::max(g.window.pad_top, g.window.pad_bottom) >= g.window.kernel_h ||
      std::max(g.window.pad_left, g.window.pad_right) >= g.window.kernel_w)
    r.fault("the padding is not smaller than the kernel");
  const Dims dims = {x.dims()[0], x.dims()[1], g.out_h, g.out_w};
  r.elements(dims);
  const bool include_pad = !maximum && r.integer("count_include_pad", 0, 0, 1) == 1;
  const Value input = r.channels_last(x);
  const Value y = r.named([&] { return r.b.pool(input, maximum, include_pad, g.window, g.out_h, g.out_w); });
  r.give(r.item(y, dims, channels_last_order(4)));
}

struct Sampling {
  ResizeMode mode;
  ResizeCoordinates coordinates;
  ResizeRounding rounding;
};

// `scales` out / in of H and W, as the file has them or as the sizes give them.
void resample(Recorder& r, const Item& x, int64_t h, int64_t w, float scale_h, float scale_w, Sampling how) {
  const Dims dims = {x.dims()[0], x.dims()[1], h, w};
  if (h < 1 || w < 1) r.fault("the result would have the shape " + text(dims));
  r.elements(dims);
  const Value input = r.channels_last(x);
  // Whole factors: every pixel repeated. That form folds into the convolution behind it.
  const auto repeats = [](int64_t out, int64_t in, float scale) {
    return out % in == 0 && static_cast<float>(out / in) == scale;
  };
  const bool repeated =
      how.mode == ResizeMode::nearest && repeats(h, x.dims()[2], scale_h) && repeats(w, x.dims()[3], scale_w) &&
      ((how.coordinates == ResizeCoordinates::asymmetric && how.rounding == ResizeRounding::floor) ||
       (how.coordinates == ResizeCoordinates::half_pixel &&
        (how.rounding == ResizeRounding::round_prefer_floor || how.rounding == ResizeRounding::round_prefer_ceil)));
  const Value y = r.named([&] {
    if (repeated) return r.b.upsample(input, h, w);
    return r.b.resize(input, {kNone, h, w, scale_h, scale_w, how.mode, how.coordinates, how.rounding});
  });
  r.give(r.item(y, dims, channels_last_order(4)));
}

// Four numbers [N, C, H, W] from the two to four that stand for `axes`; those left out are `others`.
template <typename T>
std::array<T, 4> by_axis(Recorder& r, const std::vector<T>& given, const std::vector<size_t>& axes,
                         std::array<T, 4> others, const char* what) {
  if (given.size() != axes.size())
    r.fault(std::string(what) + " has " + std::to_string(given.size()) + " numbers, expected " +
            std::to_string(axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) others[axes[i]] = given[i];
  return others;
}

void resample_by_scales(Recorder& r, const Item& x, const std::array<float, 4>& scales, Sampling how) {
  if (scales[0] != 1 || scales[1] != 1) r.fault("batch or channels would be resized");
  int64_t out[2];
  for (size_t i = 0; i < 2; ++i) {
    const double size = std::floor(static_cast<double>(x.dims()[i + 2]) * scales[i + 2]);
    if (!(scales[i + 2] > 0) || !(size <= static_cast<double>(kLargestTensor)))
      r.fault("the scale is " + std::to_string(scales[i + 2]));
    out[i] = static_cast<int64_t>(size);
  }
  resample(r, x, out[0], out[1], scales[2], scales[3], how);
}

ResizeMode sampling_mode(Recorder& r) {
  const std::string mode = r.text("mode", "nearest");
  if (mode == "nearest") return ResizeMode::nearest;
  if (mode == "linear") return ResizeMode::linear;
  r.fault("mode is " + quoted(mode) + ", expected nearest or linear", "use a model without cubic resizing");
}

// Upsample and the first form of Resize: origin at the corner; nearest goes down when it enlarges and up when it
// shrinks.
void resample_legacy(Recorder& r, const Item& x, const std::vector<float>& scales) {
  const std::array<float, 4> by = by_axis(r, scales, {0, 1, 2, 3}, {1, 1, 1, 1}, "scales");
  const bool shrinks = by[2] < 1 || by[3] < 1;
  if (shrinks && (by[2] > 1 || by[3] > 1)) r.fault("one side grows while the other shrinks");
  resample_by_scales(
      r, x, by,
      {sampling_mode(r), ResizeCoordinates::asymmetric, shrinks ? ResizeRounding::ceil : ResizeRounding::floor});
}

template <typename T, size_t N>
T choice(Recorder& r, const char* attribute, const char* otherwise, const std::pair<const char*, T> (&choices)[N]) {
  const std::string word = r.text(attribute, otherwise);
  for (const auto& [name, value] : choices)
    if (word == name) return value;
  r.fault("attribute " + std::string(attribute) + " is " + quoted(word) + ", which is not supported");
}

}  // namespace

void max_pool(Recorder& r) { pool(r, true); }
void average_pool(Recorder& r) { pool(r, false); }

void global_average_pool(Recorder& r) {
  const Item& x = r.in(0);
  std::vector<size_t> spatial;
  for (size_t d = 2; d < x.rank(); ++d) spatial.push_back(d);
  if (spatial.empty()) r.fault("input " + text(x.dims()) + " has no height and width");
  r.give(reduced(r, ReduceKind::mean, x, spatial, true));
}

void upsample(Recorder& r) {
  if (r.opset() > 9) r.fault("the operator ended with opset 9; Resize took its place");
  if (!r.has(1)) r.fault("the scales are missing");
  resample_legacy(r, feature_map(r), r.reals(r.in(1), "scales"));
}

void resize(Recorder& r) {
  const Item& x = feature_map(r);
  if (r.opset() < 10) r.fault("the operator exists from opset 10 on");
  if (r.opset() == 10) return resample_legacy(r, x, r.reals(r.in(1), "scales"));

  using C = ResizeCoordinates;
  using R = ResizeRounding;
  static constexpr std::pair<const char*, C> kCoordinates[] = {{"half_pixel", C::half_pixel},
                                                               {"pytorch_half_pixel", C::pytorch_half_pixel},
                                                               {"asymmetric", C::asymmetric},
                                                               {"align_corners", C::align_corners}};
  static constexpr std::pair<const char*, R> kRounding[] = {{"round_prefer_floor", R::round_prefer_floor},
                                                            {"round_prefer_ceil", R::round_prefer_ceil},
                                                            {"floor", R::floor},
                                                            {"ceil", R::ceil}};
  const Sampling how = {sampling_mode(r), choice(r, "coordinate_transformation_mode", "half_pixel", kCoordinates),
                        choice(r, "nearest_mode", "round_prefer_floor", kRounding)};
  if (r.integer("antialias", 0) != 0) r.fault("antialiased resizing is not supported");
  if (r.text("keep_aspect_ratio_policy", "stretch") != "stretch") r.fault("only stretching to a size is supported");
  const std::vector<int64_t>* given = r.integers("axes");
  const std::vector<size_t> axes = r.axes(given && !given->empty() ? *given : std::vector<int64_t>{0, 1, 2, 3}, 4);

  const bool by_scales = r.has(2) && r.elements(r.in(2).dims()) > 0;
  if (by_scales)
    return resample_by_scales(r, x, by_axis(r, r.reals(r.in(2), "scales"), axes, {1, 1, 1, 1}, "scales"), how);
  if (!r.has(3)) r.fault("neither scales nor sizes are given");
  const Dims& in = x.dims();
  const auto sizes = by_axis(r, r.integers(r.in(3), "sizes"), axes, {in[0], in[1], in[2], in[3]}, "sizes");
  if (sizes[0] != in[0] || sizes[1] != in[1]) r.fault("batch or channels would be resized");
  resample(r, x, sizes[2], sizes[3], static_cast<float>(sizes[2]) / static_cast<float>(in[2]),
           static_cast<float>(sizes[3]) / static_cast<float>(in[3]), how);
}

}  // namespace ipa::onnx
