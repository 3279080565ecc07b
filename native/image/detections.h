#pragma once
// Detector outputs to faces: decode, suppress, limit. Several canvases are decoded first and suppressed together.
#include <span>
#include <vector>

#include "image/warp.h"

namespace ipa {

struct Detection {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;  // image pixels, not clipped to the image
  float score = 0;                       // 0..1
  bool has_landmarks = false;
  Landmarks landmarks;  // image pixels
};

// The canvas that the outputs belong to.
struct DetectionCanvas {
  int width, height;  // pixels, the network's input
  double scale;       // canvas pixels per image pixel (Letterbox::scale)
};

// One output of the detector, batch element 0, in the graph's order: all scores, all boxes, all landmarks, each by
// ascending stride. The number of outputs is the variant: 6 or 9 (strides 8..32, two anchors a cell), 10 or 15
// (strides 8..128, one anchor).   source: insightface SCRFD, RetinaFace
using DetectorOutputs = std::span<const std::span<const float>>;
std::vector<Detection> scrfd_candidates(DetectorOutputs outputs, const DetectionCanvas& canvas, float threshold);

// cls, obj, bbox, kps, each for strides 8, 16, 32: twelve outputs in this order.   source: OpenCV FaceDetectorYN
std::vector<Detection> yunet_candidates(DetectorOutputs outputs, const DetectionCanvas& canvas, float threshold);

// Greedy suppression, best score first, with the "+1" pixel convention; equal scores keep their order. What is left
// overlaps no better candidate by more than `iou_limit`.
std::vector<Detection> suppressed(std::vector<Detection> candidates, float iou_limit);

// How `limited` ranks faces.
enum class FaceMetric { area, area_near_centre };  // the second takes off twice the squared distance from the centre

// At most `count` faces, best metric first. All faces in their order when there are no more than `count`.
std::vector<Detection> limited(std::vector<Detection> faces, size_t count, FaceMetric metric, int image_width,
                               int image_height);

}  // namespace ipa
