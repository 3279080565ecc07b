#include "runtime/need.h"

#include <algorithm>
#include <string>

#include "models/conditioning.h"
#include "runtime/recorders.h"

namespace ipa {

namespace {

struct Work {
  std::string plan;
  RecordRequest request;
};

// As runtime/unet_run.cpp asks for them.
std::vector<Work> unet_programs(const UNetConfig& unet, const PictureWork& work, int64_t text_tokens) {
  const bool added = unet.added_conditioning();
  Conditioning c;
  c.batch = work.batch;
  c.text_tokens = text_tokens;
  c.time_rows = added ? work.batch : 1;
  for (const int tokens : work.prompt_tokens) c.image_prompts.push_back({tokens, false});
  RecordRequest schedule{{{"timesteps", {work.calls, 1, 1, 1}}}, {}, {}};
  if (added) {
    schedule.inputs["pooled"] = {work.batch, 1, 1, unet.pooled_width};
    schedule.inputs["time_ids"] = {work.batch, 1, 1, unet.time_ids};
  }
  return {{"step", {{{"x", {work.batch, work.height, work.width, unet.in_channels}}}, step_numbers(c), {}}},
          {"text_kv", {{{"context", {work.batch, 1, text_tokens, unet.context}}}, {}, {}}},
          {"schedule", std::move(schedule)}};
}

std::vector<Work> programs_of(const Loaded& loaded, const PictureWork& work) {
  constexpr int64_t kTokens = 77;  // of a chunk
  switch (loaded.kind) {
    case NetworkKind::unet:
      return unet_programs(loaded.unet, work, kTokens * work.chunks);
    case NetworkKind::clip_text: {
      const int64_t tokens = loaded.clip_text.positions;
      return {{"hidden", {{{"ids", {1, 1, tokens, 1}}}, {}, {}}}};
    }
    case NetworkKind::vae: {
      const int64_t channels = loaded.tiny ? loaded.tiny->latent_channels : loaded.vae.latent_channels;
      return {{"decode", {{{"z", {1, work.height, work.width, channels}}}, {}, {}}}};
    }
    case NetworkKind::clip_vision: {
      const int64_t side = loaded.clip_vision.image;
      return {{"hidden", {{{"pixels", {1, side, side, loaded.clip_vision.channels}}}, {}, {}}}};
    }
    case NetworkKind::adapter:  // little beside its weights, and of what is read of its pictures
    case NetworkKind::control:
    case NetworkKind::onnx:
      break;
  }
  return {};
}

}  // namespace

Need need_of(const Loaded& loaded, const PictureWork& work, uint64_t room) {
  const Network& network = loaded.onnx ? loaded.onnx->network() : *loaded.network;
  Need need{network.store().bytes(), 0};
  const std::vector<Work> programs = programs_of(loaded, work);
  const auto bytes = [&](const Work& p, uint64_t within) { return network.planned_bytes(p.plan, p.request, within); };
  for (const Work& program : programs) need.run += bytes(program, 0);
  // Only a decoder works in bands, and it has one program.
  if (room > need.weights && need.weights + need.run > room && programs.size() == 1)
    need.run = bytes(programs[0], room - need.weights);
  return need;
}

}  // namespace ipa
