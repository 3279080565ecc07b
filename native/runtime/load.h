#pragma once
// A file (or generated weights) -> a network of a known kind, checked and ready to run.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "models/adapters.h"
#include "models/configs.h"
#include "models/tiny_autoencoder.h"
#include "runtime/network.h"
#include "runtime/onnx_network.h"
#include "runtime/tiles.h"
#include "weights/lora.h"

namespace ipa {

// `control` is a ControlNet or a T2I-Adapter, whichever the tensors are.
enum class NetworkKind { unet, vae, clip_text, clip_vision, adapter, onnx, control };

// What steers a UNet by a picture.
using ControlConfig = std::variant<ControlNetConfig, T2iAdapterConfig>;

// A change of weights that is merged, or is to be; it stays as long as it may have to be merged again.
struct MergedLora {
  std::shared_ptr<const Lora> lora;
  float strength;
};

// What was loaded. The configuration of its kind is filled, the others keep their defaults.
struct Loaded {
  NetworkKind kind;
  UNetConfig unet;
  VaeConfig vae;
  std::optional<TinyAutoencoderConfig> tiny;  // of a vae: it is one of these
  Tiling tiling = Tiling::automatic;          // of a vae
  ClipTextConfig clip_text;
  ClipVisionConfig clip_vision;
  AdapterInfo adapter;
  ControlConfig control;
  std::unique_ptr<Network> network;
  std::unique_ptr<OnnxNetwork> onnx;
  LoraPart part = LoraPart::unet;                             // what LoRA files call a unet or text encoder
  LoraState loras;                                            // of these: what is merged now
  std::vector<MergedLora> active;                             // and from what
  Lora inner_lora;                                            // of a FaceID adapter: its own
  int64_t parameters = 0;                                     // numbers in the weights that are used
  double streaming_seconds = 0;                               // that streamed weights take in every run, about
  std::vector<std::pair<std::string, std::string>> warnings;  // code, sentence
};

struct LoadRequest {
  NetworkKind kind;
  std::string path;                   // of the file; for generated weights empty
  bool ldm = false;                   // names of a single-file checkpoint
  int encoder = 0;                    // which text encoder: 0 CLIP-L, 1 bigG
  TensorSource generated;             // used when path is empty
  Tiling tiling = Tiling::automatic;  // of a vae
  Compute compute = Compute::f32;     // of those kinds of network that can choose: runtime/recorders.h
  ConfigFacts facts;
  const Loaded* unet = nullptr;  // of an adapter or control: what it must fit
  LoadOptions options;
};

// The request's tensors under the names that the models record. MODEL_FORMAT_UNSUPPORTED names other families.
TensorSource network_source(const LoadRequest& request);

std::shared_ptr<Loaded> load(std::shared_ptr<Device> device, LoadRequest request);

// A LoRA file, matched with the modules of these: a model's UNet and text encoders.
Lora read_lora(const std::string& path, std::span<const std::shared_ptr<Loaded>> networks);
// Makes the network's weights the file's plus what `active` has for it; returns how many were rewritten. Between runs
// only.
size_t set_loras(Loaded& network, std::vector<MergedLora> active);

}  // namespace ipa
