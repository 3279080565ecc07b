#pragma once
// A base model's networks written as new files: one file per network in diffusers' names, or one file of all in those
// of single-file checkpoints (LDM), with LoRAs merged. Tensors go from file to file one by one; no network is loaded.
// All parts and LoRAs are checked before a byte is written.
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "runtime/load.h"

namespace ipa {

// One network: by its file, or one that is loaded, whose file is read again. UNet, VAE (no tiny one) and text encoders.
struct SavePart {
  LoadRequest request;
  std::shared_ptr<const Loaded> loaded;
};

struct SaveLora {
  std::string path;
  std::shared_ptr<const Lora> opened;  // or else the path
  float scale = 1, text_scale = 1;
};

struct SaveFile {
  std::string path;  // must be new
  bool ldm = false;
  std::vector<size_t> parts;  // that it holds
};

struct SaveRequest {
  std::vector<SavePart> parts;
  std::vector<SaveLora> loras;
  std::vector<SaveFile> files;
  DType dtype = DType::f16;
  bool allow_nonfinite = false;
  const StopFlag* stop = nullptr;
  std::function<void(uint64_t bytes, uint64_t total)> progress;  // at most 256 times a file
};

struct SavedPart {
  std::variant<UNetConfig, VaeConfig, ClipTextConfig> config;
  std::vector<std::string> left_out;  // tensors of the file that belong to no layer
};

struct Saved {
  std::vector<SavedPart> parts;
  uint64_t bytes = 0;                                         // of all files' tensors
  std::vector<std::pair<std::string, std::string>> warnings;  // code, sentence
};

Saved save(const SaveRequest& request);

}  // namespace ipa
