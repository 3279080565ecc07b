// The authors' files of tiny autoencoders hold one sequential each: `1.conv.0.weight`. Names are those of diffusers
// after this: `encoder.layers.1.conv.0.weight`. Their decoder counts the clamp of its input as layer 0, diffusers does
// not.
#include <charconv>
#include <string>

#include "weights/names/transformers.h"
#include "weights/rename.h"

namespace ipa {

namespace {

bool is_encoder(const TensorIndex& index) { return index.contains("0.weight") && index.contains("1.conv.0.weight"); }
bool is_decoder(const TensorIndex& index) { return index.contains("1.weight") && index.contains("3.conv.0.weight"); }

}  // namespace

bool is_tiny_autoencoder(const TensorIndex& index) {
  return index.contains("encoder.layers.1.conv.0.weight") || index.contains("decoder.layers.2.conv.0.weight") ||
         is_encoder(index) || is_decoder(index);
}

TensorSource tiny_autoencoder(TensorSource source) {
  const bool encoder = is_encoder(source.index);
  if (!encoder && !is_decoder(source.index)) return source;
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    int layer = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
    if (error != std::errc() || rest == name.data() + name.size() || *rest != '.') continue;
    const std::string half = encoder ? "encoder.layers." : "decoder.layers.";
    renames.push_back({half + std::to_string(encoder ? layer : layer - 1) + rest, name});
  }
  return renamed(std::move(source), renames);
}

}  // namespace ipa
