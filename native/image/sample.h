#pragma once
// Resizing by other rules than Pillow's, for the places whose reference uses them.
#include "image/image.h"

namespace ipa {

// Two taps per axis at half-pixel centres, no antialias, edges clamped, rounded once.   source: OpenCV INTER_LINEAR
// The detector's numbers come from this one: an antialiased resize gives visibly other scores.
Image8 sample_linear(const Image8& image, int width, int height);

// Mean over the area an output pixel covers when both sides shrink, else two taps.   source: OpenCV INTER_AREA
Image8 sample_area(const Image8& image, int width, int height);

// Source index floor(i * inputs / outputs) in f32.   source: torch interpolate "nearest"
Image8 sample_nearest(const Image8& image, int width, int height);

}  // namespace ipa
