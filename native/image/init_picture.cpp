#include "image/init_picture.h"

#include "core/error.h"
#include "image/color_match.h"
#include "image/resize.h"

namespace ipa {

namespace {

// Bilinear: Lanczos rings, and a mask must stay black beside its edge.
Image8 stretched(const Image8& mask, const Image8& over) {
  return resize(mask, over.width, over.height, Filter::bilinear);
}

}  // namespace

PreparedInit prepare(const InitPicture& init, const InitSize& size, bool blurred) {
  PreparedInit out;
  const auto sized = [&](const Image8& image) {
    if (!out.region) return resize(image, size.width, size.height, Filter::lanczos);
    const Region& at = *out.region;
    return resize_fill(crop(image, at.left, at.top, at.width(), at.height()), size.width, size.height, Filter::lanczos);
  };
  Image8 mask;
  if (init.mask && size.padding) {
    mask = stretched(*init.mask, init.image);
    const std::optional<Region> box = mask_box(mask);
    if (!box)
      fail(Code::OPTION_RANGE, "init.mask is black all over: there is nothing to paint",
           "give a mask with something white", {{"option", "init.mask"}});
    out.region = crop_region(*box, *size.padding, init.image.width, init.image.height, size.width, size.height);
  } else if (init.mask) {
    mask = *init.mask;
  }
  out.picture = sized(init.image);
  if (!init.mask) return out;
  out.hidden = binary_mask(sized(mask), size.width, size.height);
  if (blurred) out.picture = fill_blurred(out.picture, out.hidden);
  out.mask = latent_mask(out.hidden, size.width, size.height, size.factor);
  return out;
}

Image8 finish(const Image8& painted, const InitPicture& init, const FinishRule& rule) {
  const Image8 original = rule.region ? init.image : resize(init.image, painted.width, painted.height, Filter::lanczos);
  Image8 whole = painted;
  if (rule.region) {
    const Region& at = *rule.region;
    whole = original;
    paste(whole, resize_cover(painted, at.width(), at.height(), Filter::lanczos), at.left, at.top);
  }
  if (!init.mask) return whole;
  const Image8 mask = stretched(*init.mask, original);
  if (rule.match_colors) whole = match_colors(whole, original, mask);
  return composite(original, whole, soft_mask(mask, rule.soft));
}

}  // namespace ipa
