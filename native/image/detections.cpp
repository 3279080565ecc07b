#include "image/detections.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace ipa {

namespace {

void expect_count(DetectorOutputs outputs, size_t index, size_t rows, size_t width) {
  if (outputs[index].size() == rows * width) return;
  fail(Code::TENSOR_SHAPE,
       "face detector: output " + std::to_string(index) + " expected [" + std::to_string(rows) + ", " +
           std::to_string(width) + "], found " + std::to_string(outputs[index].size()) + " numbers",
       "this graph's outputs are not those of a supported face detector at this detection size");
}

// Canvas pixels to image pixels. A network that answers with infinities finds nothing.
void add(std::vector<Detection>& found, Detection d, double scale) {
  const float s = static_cast<float>(scale);
  d.x1 /= s, d.y1 /= s, d.x2 /= s, d.y2 /= s;
  if (!std::isfinite(d.x1) || !std::isfinite(d.y1) || !std::isfinite(d.x2) || !std::isfinite(d.y2)) return;
  for (Point& p : d.landmarks) p = {p.x / scale, p.y / scale};
  found.push_back(d);
}

float area(const Detection& d) { return (d.x2 - d.x1 + 1) * (d.y2 - d.y1 + 1); }

float overlap(const Detection& a, const Detection& b) {
  const float w = std::max(0.0f, std::min(a.x2, b.x2) - std::max(a.x1, b.x1) + 1);
  const float h = std::max(0.0f, std::min(a.y2, b.y2) - std::max(a.y1, b.y1) + 1);
  return w * h / (area(a) + area(b) - w * h);
}

// In double: the square of any finite coordinate is finite there, so the ranks can be ordered.
double rank(const Detection& d, FaceMetric metric, int image_width, int image_height) {
  const double size = (double{d.x2} - d.x1) * (double{d.y2} - d.y1);
  if (metric == FaceMetric::area) return size;
  const double dx = (double{d.x1} + d.x2) / 2 - image_width / 2, dy = (double{d.y1} + d.y2) / 2 - image_height / 2;
  return size - 2 * (dx * dx + dy * dy);
}

}  // namespace

std::vector<Detection> scrfd_candidates(DetectorOutputs outputs, const DetectionCanvas& canvas, float threshold) {
  const size_t count = outputs.size();
  if (count != 6 && count != 9 && count != 10 && count != 15)
    fail(Code::TENSOR_SHAPE, "face detector: expected 6, 9, 10 or 15 outputs, found " + std::to_string(count),
         "use an SCRFD- or RetinaFace-style detector; FaceID needs one with landmarks (9 or 15 outputs)");
  const size_t levels = count == 6 || count == 9 ? 3 : 5;
  const size_t anchors = levels == 3 ? 2 : 1;
  const bool has_landmarks = count == 3 * levels;

  std::vector<Detection> found;
  for (size_t level = 0; level < levels; ++level) {
    const int stride = 8 << level;  // canvas pixels per cell
    const size_t columns = static_cast<size_t>(canvas.width / stride),
                 rows = static_cast<size_t>(canvas.height / stride);
    const size_t n = columns * rows * anchors;
    expect_count(outputs, level, n, 1);
    expect_count(outputs, levels + level, n, 4);
    if (has_landmarks) expect_count(outputs, 2 * levels + level, n, 10);
    for (size_t i = 0; i < n; ++i) {
      const float score = outputs[level][i];
      if (!(score >= threshold)) continue;
      const float* box = &outputs[levels + level][4 * i];
      const float s = static_cast<float>(stride);
      const float x = s * static_cast<float>(i / anchors % columns),
                  y = s * static_cast<float>(i / anchors / columns);  // cell's corner
      Detection d{x - box[0] * s, y - box[1] * s, x + box[2] * s, y + box[3] * s, score, has_landmarks, {}};
      if (has_landmarks) {
        const float* k = &outputs[2 * levels + level][10 * i];
        for (size_t j = 0; j < 5; ++j) d.landmarks[j] = {x + k[2 * j] * s, y + k[2 * j + 1] * s};
      }
      add(found, d, canvas.scale);
    }
  }
  return found;
}

std::vector<Detection> yunet_candidates(DetectorOutputs outputs, const DetectionCanvas& canvas, float threshold) {
  if (outputs.size() != 12)
    fail(Code::TENSOR_SHAPE, "face detector: expected 12 outputs, found " + std::to_string(outputs.size()),
         "a YuNet graph gives cls, obj, bbox and kps for strides 8, 16 and 32");
  std::vector<Detection> found;
  for (size_t level = 0; level < 3; ++level) {
    const int stride = 8 << level;
    const size_t columns = static_cast<size_t>(canvas.width / stride),
                 n = columns * static_cast<size_t>(canvas.height / stride);
    const size_t widths[4] = {1, 1, 4, 10};
    for (size_t kind = 0; kind < 4; ++kind) expect_count(outputs, 3 * kind + level, n, widths[kind]);
    for (size_t i = 0; i < n; ++i) {
      const float score =
          std::sqrt(std::clamp(outputs[level][i], 0.0f, 1.0f) * std::clamp(outputs[3 + level][i], 0.0f, 1.0f));
      if (!(score >= threshold)) continue;
      const float* box = &outputs[6 + level][4 * i];
      const float* k = &outputs[9 + level][10 * i];
      const float s = static_cast<float>(stride), column = static_cast<float>(i % columns),
                  row = static_cast<float>(i / columns);
      const float x = (column + box[0]) * s, y = (row + box[1]) * s;  // centre
      const float half_w = std::exp(box[2]) * s / 2, half_h = std::exp(box[3]) * s / 2;
      Detection d{x - half_w, y - half_h, x + half_w, y + half_h, score, true, {}};
      for (size_t j = 0; j < 5; ++j) d.landmarks[j] = {(k[2 * j] + column) * s, (k[2 * j + 1] + row) * s};
      add(found, d, canvas.scale);
    }
  }
  return found;
}

std::vector<Detection> suppressed(std::vector<Detection> candidates, float iou_limit) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::vector<Detection> kept;
  for (const Detection& d : candidates)
    if (std::all_of(kept.begin(), kept.end(), [&](const Detection& better) { return overlap(better, d) <= iou_limit; }))
      kept.push_back(d);
  return kept;
}

std::vector<Detection> limited(std::vector<Detection> faces, size_t count, FaceMetric metric, int image_width,
                               int image_height) {
  if (faces.size() <= count) return faces;
  std::stable_sort(faces.begin(), faces.end(), [&](const Detection& a, const Detection& b) {
    return rank(a, metric, image_width, image_height) > rank(b, metric, image_width, image_height);
  });
  faces.resize(count);
  return faces;
}

}  // namespace ipa
