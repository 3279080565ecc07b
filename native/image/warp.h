#pragma once
// A face brought upright by its five landmarks.
#include <array>

#include "image/image.h"

namespace ipa {

struct Point {
  double x = 0, y = 0;  // pixels, origin at the top-left pixel's centre
};

// As seen in the image: left eye, right eye, nose tip, left mouth corner, right mouth corner.
using Landmarks = std::array<Point, 5>;

// x' = a x - b y + tx, y' = b x + a y + ty: scale, rotation and shift, no reflection.
struct Similarity {
  double a = 1, b = 0, tx = 0, ty = 0;
};

// Where the landmarks of a face lie in a crop of `size` pixels: a multiple of 112, or of 128 with a wider margin.
Landmarks face_template(int size);

// Least squares from image to crop.   source: Umeyama 1991; insightface estimate_norm
// FACE_LANDMARKS_INVALID when points are not finite, coincide, are mirrored or lie on one line.
Similarity face_similarity(const Landmarks& landmarks, int size);

// Inverse mapping, bilinear, zeros outside, rounded once.   source: OpenCV 5 warpAffine
Image8 warp(const Image8& image, const Similarity& to_crop, int width, int height);

Image8 face_crop(const Image8& image, const Landmarks& landmarks, int size);  // [size, size, C]

}  // namespace ipa
