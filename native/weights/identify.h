#pragma once
// What a weight file is, by the names and shapes of its tensors: for `inspect`, and for messages that name a model
// family which cannot be loaded.
#include <string>

#include "core/tensor_index.h"

namespace ipa {

enum class FileKind : uint8_t {
  sd15,  // single file with a UNet, its VAE and text encoder
  sdxl,  // the same with added conditioning
  unet,
  vae,
  text_encoder,
  image_encoder,
  ip_adapter,
  lora,
  controlnet,
  t2i_adapter,
  text_embedding,  // vectors for a word of a prompt
  unknown,
};
const char* kind_text(FileKind kind);  // "UNet", "IP-Adapter" ...

struct FileIdentity {
  FileKind kind = FileKind::unknown;
  std::string family;  // "SD1.5", "SDXL", "SD2.x", "FLUX" ...; "" when the tensors do not tell, or for other sizes
  bool loads = true;   // false: a family that is known and not supported
};

// The index of without_nesting(), see io/open.h.
FileIdentity identify(const TensorIndex& index);

// Names of a T2I-Adapter, diffusers' or the authors'.
bool is_t2i_adapter(const TensorIndex& index);

// MODEL_FORMAT_UNSUPPORTED (an adapter: ADAPTER_UNKNOWN) naming the family found and those that load.
void require_loadable(const TensorIndex& index, const std::string& label);

}  // namespace ipa
