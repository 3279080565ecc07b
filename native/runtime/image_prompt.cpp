#include "runtime/image_prompt.h"

#include <cmath>

#include "core/error.h"

namespace ipa {

namespace {

void append_tokens(Tensor& all, Tensor more) {
  if (all.data.empty()) {
    all = std::move(more);
    return;
  }
  all.shape.w += more.shape.tokens();
  all.data.insert(all.data.end(), more.data.begin(), more.data.end());
}

Tensor identity_tensor(const std::vector<float>& identity, int width) {
  if (static_cast<int>(identity.size()) != width)
    fail(Code::FACE_MODEL_MISSING,
         "the recogniser gives " + std::to_string(identity.size()) + " numbers; the adapter reads " +
             std::to_string(width),
         "use the recogniser that the adapter was trained with",
         {{"found", std::to_string(identity.size())}, {"expected", std::to_string(width)}});
  return {{1, 1, 1, width}, identity};
}

void check_features(const Tensor& t, int width, const char* what) {
  if (t.shape.c == width) return;
  fail(Code::ADAPTER_ENCODER_MISMATCH,
       "the adapter reads " + std::string(what) + " of width " + std::to_string(width) + "; the encoder gives " +
           std::to_string(t.shape.c),
       "use the image encoder that the adapter was trained with",
       {{"found", std::to_string(t.shape.c)}, {"expected", std::to_string(width)}});
}

std::map<std::string, double> numbers(int64_t faces, int64_t tokens, bool shortcut) {
  return {{"n", 1.0},
          {"faces", static_cast<double>(faces)},
          {"tokens", static_cast<double>(tokens)},
          {"shortcut", shortcut ? 1.0 : 0.0}};
}

}  // namespace

std::vector<Tensor> encode_images(Network& vision, const ClipVisionConfig& config, const std::vector<Picture>& pictures,
                                  const std::string& output, const ClipPreprocess& how, const StopFlag& stop) {
  std::vector<Tensor> features;
  const Shape pixels{1, config.image, config.image, config.channels};
  for (const auto& [image, mask] : pictures) {
    Tensor input{pixels, {}};
    input.data = !image ? std::vector<float>(static_cast<size_t>(pixels.size()))
                 : mask ? clip_pixels(*image, how, *mask)
                        : clip_pixels(*image, how);
    if (static_cast<int64_t>(input.data.size()) != pixels.size())
      fail(Code::OPTION_RANGE,
           "the preprocessor makes pictures of " + std::to_string(how.size) + " pixels; the encoder reads " +
               std::to_string(config.image),
           "use the preprocessor_config.json that belongs to the encoder");
    Tensors result = vision.run(output, {{"pixels", std::move(input)}}, {}, {}, stop);
    features.push_back(std::move(result.at(output)));
  }
  return features;
}

Tensor project(Network& adapter, const AdapterInfo& info, const ProjectInput& in, const StopFlag& stop) {
  Tensor tokens;
  const auto run = [&](Tensors inputs, const std::map<std::string, double>& how) {
    append_tokens(tokens, std::move(adapter.run("projector", inputs, how, {}, stop).at("tokens")));
  };
  if (const auto* plus = std::get_if<FaceIdPlusConfig>(&info.projector)) {
    for (size_t i = 0; i < in.identities.size(); ++i) {
      check_features(in.features.at(i), plus->perceiver.in, "penultimate states");
      Tensors inputs = {{"id", identity_tensor(in.identities[i], plus->id.in)}, {"hidden", in.features[i]}};
      if (in.structure_scale) inputs["s_scale"] = {{1, 1, 1, 1}, {*in.structure_scale}};
      run(std::move(inputs), numbers(1, in.features[i].shape.tokens(), in.structure_scale.has_value()));
    }
  } else if (const auto* id = std::get_if<IdProjConfig>(&info.projector)) {
    for (const std::vector<float>& identity : in.identities)
      run({{"id", identity_tensor(identity, id->in)}}, numbers(1, 1, true));
  } else if (const auto* base = std::get_if<ImageProjConfig>(&info.projector)) {
    for (const Tensor& t : in.features) {
      check_features(t, base->in, "image_embeds");
      run({{"image_embeds", t}}, numbers(1, 1, true));
    }
  } else {
    const auto* sampler = std::get_if<ResamplerConfig>(&info.projector);
    const int width = sampler ? sampler->in : std::get<FullFaceConfig>(info.projector).in;
    for (const std::vector<float>& identity : in.identities)  // portrait unnorm: a sequence of one vector
      run({{"hidden", identity_tensor(identity, width)}}, numbers(1, 1, true));
    for (const Tensor& t : in.features) {
      check_features(t, width, "penultimate states");
      run({{"hidden", t}}, numbers(1, t.shape.tokens(), true));
    }
  }
  for (float v : tokens.data)
    if (!std::isfinite(v))
      fail(Code::NAN_CONDITION, "the projector made an image token that is NaN or infinite",
           "check the adapter's weights and the reference picture");
  return tokens;
}

}  // namespace ipa
