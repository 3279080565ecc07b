#pragma once
// IP-Adapter files: what a file is, by its tensors alone (file names are never asked), and whether it fits a UNet.
#include <string>
#include <variant>
#include <vector>

#include "core/tensor_index.h"
#include "models/configs.h"

namespace ipa {

// Projectors: what turns an encoder's output into image tokens [N, 1, T, D].
struct ImageProjConfig {  // base, light: linear, then LayerNorm per token
  int in = 1024;          // E, width of image_embeds
  int tokens = 4, width = 768;
};
struct FullFaceConfig {  // an MLP on every token of the penultimate layer
  int in = 1280, hidden = 1280, width = 768;
};
struct ResamplerConfig {  // plus, composition, portrait unnorm; the perceiver of FaceID Plus has no latents of its own
  int in = 1280;          // E, width of the input tokens
  int dim = 768, inner = 768, width = 768;  // of latents, of all heads together, of the result
  int queries = 16, layers = 4, mlp = 3072;
  int heads() const { return inner / 64; }  // heads are 64 wide in every public file
};
struct IdProjConfig {  // FaceID and portrait: identity -> MLP -> tokens
  int in = 512, hidden = 1024, tokens = 4, width = 768;
};
struct FaceIdPlusConfig {  // identity tokens that look at the CLIP tokens of the face
  IdProjConfig id;
  ResamplerConfig perceiver;
};
using Projector = std::variant<ImageProjConfig, FullFaceConfig, ResamplerConfig, IdProjConfig, FaceIdPlusConfig>;

enum class EncoderOutput : uint8_t { none, image_embeds, penultimate };
enum class AdapterFamily : uint8_t { sd15, sdxl, sd2, kolors, custom };  // names for messages; `custom` loads as well

struct AdapterInfo {
  Projector projector;
  int tokens = 0;  // per picture or face; 0: as many as the encoder gives (full-face)
  // What it needs from a CLIP image encoder: the output and its width (projection_dim or hidden_size).
  EncoderOutput encoder = EncoderOutput::none;
  int encoder_width = 0;
  // Width of the identity vector it needs, 0: none. A projector that reads 512 numbers has both widths at 512: it means
  // an identity unless the caller was given an encoder of that width.
  int identity_width = 0;
  bool raw_identity = false;  // the recogniser's output as it is, not normalised (portrait unnorm)
  int context = 0;            // D, width of the tokens that to_k_ip reads
  std::vector<int> widths;    // C of every pair, in file order: widths[j] belongs to ip_adapter.(2j+1)
  int lora_rank = 0;          // 0: no LoRA inside
  AdapterFamily family = AdapterFamily::custom;

  bool has_lora() const { return lora_rank > 0; }
};

// `index` holds the names of the authors' safetensors form, `image_proj.X` and `ip_adapter.N.X`; `label` is the file.
// ADAPTER_UNKNOWN, TENSOR_MISSING, TENSOR_SHAPE.
AdapterInfo detect_adapter(const TensorIndex& index, const std::string& label = "the adapter");
// Only the projector, whose names begin with `prefix`: "image_proj." or "".
Projector detect_projector(const TensorIndex& index, const std::string& prefix,
                           const std::string& label = "the adapter");
// ADAPTER_BASE_MISMATCH unless every pair has its site's width and the UNet's context width.
void check_fit(const AdapterInfo& adapter, const UNetConfig& unet, const std::string& label = "the adapter");

// "base", "full-face", "plus", "faceid", "faceid-portrait", "faceid-plus", "portrait-unnorm", "kolors-plus",
// "kolors-faceid-plus"
const char* variant_text(const AdapterInfo& adapter);
const char* family_text(AdapterFamily family);  // "SD1.5", "SDXL" ...
AdapterFamily family_of(const UNetConfig& unet);

}  // namespace ipa
