#pragma once
// A VAE run tile by tile: memory then does not grow with the picture. Each tile is a picture of its own to the network
// (norms and attention see no other), so the result is not that of the whole at once.
//   source: diffusers AutoencoderKL.tiled_encode, tiled_decode
#include "runtime/network.h"

namespace ipa {

// When a VAE is run in tiles: always; never, nor in bands; or in bands where it does not fit whole (network.cpp), which
// have no seams.
enum class Tiling { automatic, always, never };

struct TileSize {
  int64_t latents = 64, pixels = 512;  // side of a tile on either side of the VAE
};

// z [1, h, w, C] -> image [1, 8h, 8w, 3].
Tensor decode_in_tiles(Network& vae, const Tensor& z, const TileSize& tile, const StopFlag& stop, bool check = false);
// image [1, H, W, 3] -> moments [1, H/8, W/8, 2C], or what else the encoder's output of that name is.
Tensor encode_in_tiles(Network& vae, const Tensor& image, const TileSize& tile, const StopFlag& stop,
                       bool check = false, const char* output = "moments");

}  // namespace ipa
