#pragma once
// A file (or generated weights) -> a network of a known kind, checked and ready to run.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/adapters.h"
#include "models/configs.h"
#include "runtime/network.h"
#include "runtime/onnx_network.h"
#include "weights/lora.h"

namespace ipa {

enum class NetworkKind { unet, vae, clip_text, clip_vision, adapter, onnx };

// What was loaded. The configuration of its kind is filled, the others keep their defaults.
struct Loaded {
  NetworkKind kind;
  UNetConfig unet;
  VaeConfig vae;
  ClipTextConfig clip_text;
  ClipVisionConfig clip_vision;
  AdapterInfo adapter;
  std::unique_ptr<Network> network;
  std::unique_ptr<OnnxNetwork> onnx;
  LoraState loras;                                            // of a unet: what is merged now
  Lora inner_lora;                                            // of a FaceID adapter: its own
  int64_t parameters = 0;                                     // numbers in the weights that are used
  double streaming_seconds = 0;                               // that streamed weights take in every run, about
  std::vector<std::pair<std::string, std::string>> warnings;  // code, sentence
};

struct LoadRequest {
  NetworkKind kind;
  std::string path;                // of the file; for generated weights empty
  bool ldm = false;                // names of a single-file checkpoint
  int encoder = 0;                 // which text encoder of a single file: 0 CLIP-L, 1 bigG
  TensorSource generated;          // used when path is empty
  Compute compute = Compute::f32;  // of those kinds of network that can choose: runtime/recorders.h
  ConfigFacts facts;
  const Loaded* unet = nullptr;  // of an adapter: what it must fit
  LoadOptions options;
};

std::shared_ptr<Loaded> load(std::shared_ptr<Device> device, LoadRequest request);

// A LoRA file, matched with the UNet's modules.
Lora read_lora(const std::string& path, const Loaded& unet);
// Makes the UNet's weights the file's plus `active`; returns how many were rewritten. Between runs only.
size_t set_loras(Loaded& unet, std::span<const ActiveLora> active);

}  // namespace ipa
