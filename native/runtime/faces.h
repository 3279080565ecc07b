#pragma once
// Face networks at work: find faces, bring one upright, turn it into an identity.
#include <vector>

#include "image/detections.h"
#include "image/image.h"
#include "runtime/onnx_network.h"

namespace ipa {

struct DetectOptions {
  int size = 640;          // side of the square canvas, pixels, a multiple of 32
  float threshold = 0.5f;  // lowest score kept
  float nms = 0.4f;        // highest overlap of two faces
};

// Best score first. FACE_MODEL_MISSING when the network's outputs are no detector's with landmarks.
std::vector<Detection> detect_faces(OnnxNetwork& detector, const Image8& image, const DetectOptions& options,
                                    const StopFlag& stop);

// The recogniser's output as it is, for an aligned 112 x 112 crop. FACE_MODEL_MISSING when it is no recogniser.
std::vector<float> identify(OnnxNetwork& recogniser, const Image8& crop, const StopFlag& stop);

}  // namespace ipa
