#pragma once
#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

// x [N,H,W,3] in [-1, 1] -> moments [N, H/8, W/8, 2 * latent channels] (mean, then logvar); sizes are rounded down.
// Taps: encoder.conv_in, encoder.down_blocks.<i>, encoder.mid_block.
Value vae_encoder(Builder& b, const VaeConfig& v, Value x);
// z [N,h,w,latent], already divided by the scaling factor -> [N,8h,8w,3], not clamped.
// Taps: decoder.conv_in, decoder.mid_block, decoder.up_blocks.<i>.
Value vae_decoder(Builder& b, const VaeConfig& v, Value z);

// Input "image"; outputs "moments" (what tiles are blended from), "mean", "logvar" (in [-30, 20]), "std".
void record_vae_encode(Builder& b, const VaeConfig& v, int64_t n, int64_t h, int64_t w);
// Input "moments" [n,h,w,2 latent]; outputs "mean", "logvar", "std". For moments that were blended from tiles.
void record_vae_posterior(Builder& b, const VaeConfig& v, int64_t n, int64_t h, int64_t w);
// Input "z"; output "image".
void record_vae_decode(Builder& b, const VaeConfig& v, int64_t n, int64_t h, int64_t w);

}  // namespace ipa
