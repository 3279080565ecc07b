// Inpainting: masks, the region that is cropped, and a VAE in tiles.
#include "image/inpaint.h"

#include <string>
#include <vector>

#include "golden/case_tensors.h"
#include "golden/compare.h"
#include "golden/kinds.h"
#include "runtime/recorders.h"
#include "runtime/tiles.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenModel;
using test::Json;

void check_mask(Level&, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const auto& in = g["in/image"];
  const auto& binary_dims = g["out/binary"].dims;
  Image8 image(static_cast<int>(in.dims.at(1)), static_cast<int>(in.dims[0]), 3);
  image.data = in.u8();
  const int width = static_cast<int>(binary_dims.at(1)), height = static_cast<int>(binary_dims[0]);
  const std::vector<uint8_t> binary = binary_mask(image, width, height);
  verdict.close("out/binary", binary, g["out/binary"].u8(), 0);
  const int factor = width / static_cast<int>(g["out/latent"].dims.at(1));
  verdict.close("out/latent", latent_mask(binary, width, height, factor), g["out/latent"].u8(), 0);
}

void check_regions(Level&, const std::string& name, Verdict& verdict) {
  const Json table = test::golden_json(name + ".json");
  const auto whole = [](const Json& v) { return static_cast<int>(v.integer()); };
  for (const Json& row : table["rows"].array) {
    const int height = whole(row["image"][0]), width = whole(row["image"][1]);
    const Json& box = row["mask_box_x1y1x2y2"];
    const Region white{whole(box[0]), whole(box[1]), whole(box[2]), whole(box[3])};
    Image8 mask(width, height, 1);
    for (int y = white.top; y < white.bottom; ++y)
      for (int x = white.left; x < white.right; ++x) mask.row(y)[x] = 255;
    const std::optional<Region> found = mask_box(mask);
    verdict.require(found == white, "the box of the mask differs");
    if (!found) continue;
    const Region r =
        crop_region(*found, whole(row["pad"]), width, height, whole(row["process_hw"][1]), whole(row["process_hw"][0]));
    verdict.close("region", std::vector<int>{r.left, r.top, r.right, r.bottom}, row["region"].numbers(), 0);
  }
}

void check_tiled_vae(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const GoldenModel model(g.info["weights"].string);
  const bool decodes = g.has("in/z");
  const Compute with = decodes ? compute_of(level, g) : Compute::f32;  // encode always takes f32
  Network network(level.device, vae_plans(detect_vae(model.index, model.config), with), weights(model), {});
  const TileSize tile{g.info["tile_latent"].integer(), g.info["tile_sample"].integer()};
  if (decodes) {
    const Tensor image = decode_in_tiles(network, input(g, "z"), tile, StopFlag{}, /*check=*/true);
    compare(verdict, g, bare({{"image", image}}), with);
    return;
  }
  Tensor moments = encode_in_tiles(network, input(g, "image"), tile, StopFlag{}, /*check=*/true);
  compare(verdict, g, bare(network.run("posterior", {{"moments", std::move(moments)}}, {}, {}, StopFlag{})), with);
}

}  // namespace

void add_inpainting(Kinds& kinds) {
  kinds["image/inpaint-mask"] = {check_mask, /*per_level=*/false};
  kinds["image/crop-regions"] = {check_regions, false};
  kinds["network/tiled-vae"] = {check_tiled_vae};
}

}  // namespace ipa::golden
