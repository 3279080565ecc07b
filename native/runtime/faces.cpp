#include "runtime/faces.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "image/preprocess.h"

namespace ipa {

namespace {

std::vector<float> planes(const std::vector<float>& nhwc, int width, int height) {  // [H,W,3] -> [3,H,W]
  const size_t pixels = static_cast<size_t>(width) * static_cast<size_t>(height);
  std::vector<float> nchw(nhwc.size());
  for (size_t p = 0; p < pixels; ++p)
    for (size_t c = 0; c < 3; ++c) nchw[c * pixels + p] = nhwc[p * 3 + c];
  return nchw;
}

OnnxArray network_pixels(const OnnxNetwork& net, const Image8& image, const PixelRule& rule) {
  return {net.model().inputs[0].name,
          {1, 3, image.height, image.width},
          planes(network_input(image, rule), image.width, image.height)};
}

// Old exports subtract and scale inside the graph, among their first nodes: they are fed raw pixels.
bool normalises_inside(const OnnxModel& model) {
  bool subtracts = false, multiplies = false;
  for (size_t i = 0; i < std::min<size_t>(8, model.nodes.size()); ++i) {
    subtracts |= model.nodes[i].op_type == "Sub";
    multiplies |= model.nodes[i].op_type == "Mul";
  }
  return subtracts && multiplies;
}

// YuNet's outputs go by name: cls_8 ... kps_32.
std::vector<const OnnxArray*> yunet_order(const std::vector<OnnxArray>& outputs) {
  std::vector<const OnnxArray*> order;
  for (const char* kind : {"cls_", "obj_", "bbox_", "kps_"})
    for (const char* stride : {"8", "16", "32"})
      for (const OnnxArray& output : outputs)
        if (output.name == std::string(kind) + stride) order.push_back(&output);
  return order;
}

[[noreturn]] void no_detector(const OnnxModel& model, size_t outputs) {
  fail(Code::FACE_MODEL_MISSING,
       model.label + " has " + std::to_string(outputs) +
           " outputs; a face detector with landmarks has 9 or 15 (scores, boxes, landmarks per stride), or YuNet's 12",
       "give a detector with five landmarks, such as SCRFD with keypoints, and the recogniser as `recognizer`",
       {{"path", model.label}, {"found", std::to_string(outputs)}, {"expected", "9, 12 or 15"}});
}

}  // namespace

std::vector<Detection> detect_faces(OnnxNetwork& detector, const Image8& image, const DetectOptions& options,
                                    const StopFlag& stop) {
  const size_t count = detector.model().outputs.size();
  if (count != 9 && count != 12 && count != 15) no_detector(detector.model(), count);
  const bool yunet = count == 12;
  const Letterbox box = letterbox(image, options.size, options.size);
  const PixelRule& rule = yunet ? kYunetPixels : kDetectorPixels;
  const std::vector<OnnxArray> outputs = detector.run({network_pixels(detector, box.canvas, rule)}, stop);
  std::vector<const OnnxArray*> order;
  if (yunet) {
    order = yunet_order(outputs);
    if (order.size() != count) no_detector(detector.model(), count);
  } else {
    for (const OnnxArray& output : outputs) order.push_back(&output);
  }
  std::vector<std::span<const float>> spans;
  for (const OnnxArray* output : order) spans.emplace_back(output->data);
  const DetectionCanvas canvas{options.size, options.size, box.scale};
  return suppressed(
      yunet ? yunet_candidates(spans, canvas, options.threshold) : scrfd_candidates(spans, canvas, options.threshold),
      options.nms);
}

std::vector<float> identify(OnnxNetwork& recogniser, const Image8& crop, const StopFlag& stop) {
  const OnnxModel& model = recogniser.model();
  if (model.outputs.size() != 1)
    fail(Code::FACE_MODEL_MISSING,
         model.label + " has " + std::to_string(model.outputs.size()) + " outputs; a face recogniser has one",
         "give the recogniser (ArcFace style, 112 x 112 in, 512 numbers out) as `recognizer`", {{"path", model.label}});
  const PixelRule& rule = normalises_inside(model) ? kRawPixels : kRecogniserPixels;
  std::vector<OnnxArray> outputs = recogniser.run({network_pixels(recogniser, crop, rule)}, stop);
  double square = 0;
  for (float v : outputs[0].data) square += static_cast<double>(v) * static_cast<double>(v);
  if (!std::isfinite(square) || square == 0)
    fail(Code::NAN_CONDITION, model.label + " gave an identity that is no vector",
         "check the recogniser's file and the picture of the face", {{"path", model.label}});
  return std::move(outputs[0].data);
}

}  // namespace ipa
