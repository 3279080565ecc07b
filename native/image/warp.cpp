#include "image/warp.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace ipa {

namespace {

// In a crop of 112 pixels.   source: insightface arcface_dst
constexpr Landmarks kTemplate112{
    {{38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}}};

[[noreturn]] void bad_landmarks(const std::string& why) {
  fail(Code::FACE_LANDMARKS_INVALID, "the five landmarks cannot be aligned: " + why,
       "expected left eye, right eye, nose, left and right mouth corner as seen in the image, in pixels; use a photo "
       "that shows one face clearly");
}

Point mean(const Landmarks& points) {
  Point m;
  for (const Point& p : points) m.x += p.x / 5, m.y += p.y / 5;
  return m;
}

}  // namespace

Landmarks face_template(int size) {
  const bool by112 = size > 0 && size % 112 == 0, by128 = size > 0 && size % 128 == 0;
  if (!by112 && !by128)
    fail(Code::OPTION_RANGE, "face crop: expected a multiple of 112 or 128, found " + std::to_string(size),
         "use 112, 224, 256, 336 or 512");
  const double ratio = by112 ? size / 112 : size / 128;
  const double shift = by112 ? 0 : 8 * ratio;  // the face keeps its scale, the margin grows
  Landmarks points = kTemplate112;
  for (Point& p : points) p = {p.x * ratio + shift, p.y * ratio};
  return points;
}

Similarity face_similarity(const Landmarks& landmarks, int size) {
  const Landmarks target = face_template(size);
  const Point from = mean(landmarks), to = mean(target);
  double xx = 0, along = 0, across = 0;   // sums of x^2 + y^2, x u + y v, x v - y u over centred points
  double xu = 0, xv = 0, yu = 0, yv = 0;  // the covariance, for its determinant
  for (size_t i = 0; i < landmarks.size(); ++i) {
    const double x = landmarks[i].x - from.x, y = landmarks[i].y - from.y;
    const double u = target[i].x - to.x, v = target[i].y - to.y;
    xx += x * x + y * y;
    along += x * u + y * v;
    across += x * v - y * u;
    xu += x * u, xv += x * v, yu += y * u, yv += y * v;
  }
  if (!std::isfinite(xx)) bad_landmarks("a coordinate is not a finite number");
  if (xx < 1) bad_landmarks("the points coincide");  // pixels squared
  // The closed form is the optimum only without reflection.
  if (!(xu * yv - xv * yu > 0)) bad_landmarks("the points are mirrored or lie on one line");
  const double a = along / xx, b = across / xx;
  return {a, b, to.x - a * from.x + b * from.y, to.y - b * from.x - a * from.y};
}

Image8 warp(const Image8& image, const Similarity& m, int width, int height) {
  check_image(image);
  check_size(width, height);
  const double scale2 = m.a * m.a + m.b * m.b;
  if (!(scale2 > 0) || !std::isfinite(scale2)) bad_landmarks("the similarity transform has no inverse");
  Image8 out(width, height, image.channels);
  const size_t c = static_cast<size_t>(image.channels);
  uint8_t* to = out.data.data();
  for (int v = 0; v < height; ++v)
    for (int u = 0; u < width; ++u, to += c) {
      const double du = u - m.tx, dv = v - m.ty;
      const double x = (m.a * du + m.b * dv) / scale2, y = (m.a * dv - m.b * du) / scale2;
      if (!(x > -1 && y > -1 && x < image.width && y < image.height)) continue;  // also keeps the casts in range
      const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
      const double fx = x - x0, fy = y - y0;
      const auto tap = [&](int px, int py, size_t channel) {
        const bool inside = px >= 0 && py >= 0 && px < image.width && py < image.height;
        return inside ? static_cast<double>(image.row(py)[static_cast<size_t>(px) * c + channel]) : 0.0;
      };
      for (size_t k = 0; k < c; ++k) {
        const double top = tap(x0, y0, k) * (1 - fx) + tap(x0 + 1, y0, k) * fx;
        const double bottom = tap(x0, y0 + 1, k) * (1 - fx) + tap(x0 + 1, y0 + 1, k) * fx;
        to[k] = static_cast<uint8_t>(std::nearbyint(top * (1 - fy) + bottom * fy));
      }
    }
  return out;
}

Image8 face_crop(const Image8& image, const Landmarks& landmarks, int size) {
  return warp(image, face_similarity(landmarks, size), size, size);
}

}  // namespace ipa
