#pragma once
#include "image/image.h"

namespace ipa {

// Moves the colours of `painted` so that, in a ring just outside the mask, mean and spread of each Lab channel are
// those of `original`: what was painted then takes part in the light of its surroundings. The ring is an eighth of the
// mask's longer side wide. Where no ring is left the picture stays as it is.
Image8 match_colors(const Image8& painted, const Image8& original, const Image8& mask);

}  // namespace ipa
