#pragma once
#include "image/image.h"

namespace ipa {

// Edges of a picture, white on black, [H, W, 3]. Gradients of its grey by Sobel's 3x3 (the border repeats), |dx| +
// |dy|, thinned to the largest across the edge; from those above `high` along all above `low`. source: Canny, A
// Computational Approach to Edge Detection, 1986; thresholds and the sum of absolute values as in the reference's
// examples for canny ControlNets (OpenCV's Canny(image, 100, 200))
Image8 canny(const Image8& image, int low = 100, int high = 200);

}  // namespace ipa
