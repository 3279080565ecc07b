#pragma once
// Reference pictures -> features -> image tokens.
#include <optional>
#include <vector>

#include "image/preprocess.h"
#include "models/adapters.h"
#include "runtime/network.h"

namespace ipa {

// What an image encoder is shown. Absent pixels are an all-zero tensor: what the Plus adapters' unconditional side was
// trained on.
struct Picture {
  std::optional<Image8> pixels;
  std::optional<Image8> mask;  // grey, stretched over the picture: what counts of it
};

// Features of each picture, [1, 1, 1, P] ("image_embeds") or [1, 1, T, W] ("hidden").
std::vector<Tensor> encode_images(Network& vision, const ClipVisionConfig& config, const std::vector<Picture>& pictures,
                                  const std::string& output, const ClipPreprocess& how, const StopFlag& stop);

struct ProjectInput {
  std::vector<Tensor> features;  // of encode_images, one per picture; their tokens are joined
  std::vector<std::vector<float>> identities;
  std::optional<float> structure_scale;  // FaceID Plus v2; absent: v1
};

// Image tokens [1, 1, T, D]. Several pictures or faces: tokens follow each other in input order.
Tensor project(Network& adapter, const AdapterInfo& info, const ProjectInput& input, const StopFlag& stop);

}  // namespace ipa
