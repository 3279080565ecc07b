#include "image/image.h"

#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "golden.h"
#include "image/detections.h"
#include "image/preprocess.h"
#include "image/resize.h"
#include "image/sample.h"
#include "image/warp.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

Image8 image(const GoldenTensor& t) {  // [H, W] or [H, W, C]
  Image8 out(static_cast<int>(t.dims.at(1)), static_cast<int>(t.dims[0]),
             t.dims.size() > 2 ? static_cast<int>(t.dims[2]) : 1);
  out.data = t.u8();
  return out;
}

Image8 noise(int width, int height, uint32_t seed = 1) {
  Image8 out(width, height, 3);
  for (uint8_t& v : out.data) v = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return out;
}

// Every `step`-th pixel of [H, W, 3] in the order [3, H/step, W/step] of the stored outputs.
std::vector<float> every(const std::vector<float>& pixels, int height, int width, int step) {
  std::vector<float> out;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < height; y += step)
      for (int x = 0; x < width; x += step) out.push_back(pixels[static_cast<size_t>((y * width + x) * 3 + c)]);
  return out;
}

// The cases of one reference are known by what they hold.
std::vector<Golden> image_cases(const std::string& output) {
  std::vector<Golden> found;
  for (const std::string& name : golden_names("images", ""))
    if (Golden g(name); g.has(output)) found.push_back(std::move(g));
  EXPECT(!found.empty());
  return found;
}

TEST("image: the resizes of Pillow are equal, those of OpenCV within one") {
  for (const Golden& g : image_cases("out/lanczos")) {
    const Image8 in = image(g["in/image"]);
    const auto agrees = [&](const char* key, double limit, Image8 (*f)(const Image8&, int, int)) {
      const Image8 want = image(g[key]);
      EXPECT_CLOSE(f(in, want.width, want.height).data, want.data, limit, g.name + " " + key);
    };
    agrees("out/nearest", 0, [](const Image8& i, int w, int h) { return resize(i, w, h, Filter::nearest); });
    agrees("out/box", 0, [](const Image8& i, int w, int h) { return resize(i, w, h, Filter::box); });
    agrees("out/bilinear", 0, [](const Image8& i, int w, int h) { return resize(i, w, h, Filter::bilinear); });
    agrees("out/bicubic", 0, [](const Image8& i, int w, int h) { return resize(i, w, h, Filter::bicubic); });
    agrees("out/lanczos", 0, [](const Image8& i, int w, int h) { return resize(i, w, h, Filter::lanczos); });
    agrees("out/lanczos.fill", 0, [](const Image8& i, int w, int h) { return resize_fill(i, w, h, Filter::lanczos); });
    agrees("out/lanczos.crop", 0, [](const Image8& i, int w, int h) { return resize_cover(i, w, h, Filter::lanczos); });
    agrees("out/tensor.nearest", 0, sample_nearest);
    agrees("out/opencv.linear", 1, sample_linear);
    agrees("out/opencv.area", 1, sample_area);
    EXPECT_CLOSE(grey(in).data, g["out/grey"].u8(), 0, g.name + " out/grey");
  }
}

TEST("image: a resize to the same size changes nothing, a flat picture stays flat") {
  const Image8 in = noise(31, 17);
  Image8 flat(50, 3, 3);
  std::fill(flat.data.begin(), flat.data.end(), uint8_t{201});
  for (Filter f : {Filter::nearest, Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos}) {
    EXPECT_EQ(resize(in, 31, 17, f) == in, true);
    for (const Image8& out : {resize(flat, 7, 40, f), resize_fill(flat, 21, 21, f), resize_cover(flat, 21, 20, f)})
      EXPECT_EQ(out.data == std::vector<uint8_t>(out.data.size(), 201), true);
  }
}

TEST("image: a window of a resize is that part of the whole") {
  const Image8 in = noise(40, 90);
  for (Filter f : {Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos})
    for (auto [w, h] : {std::pair{23, 31}, {40, 200}, {77, 90}, {40, 90}})
      EXPECT_EQ(resize_window(in, {w, h, 5, -3, 30, 20}, f) == crop(resize(in, w, h, f), 5, -3, 30, 20), true);
  const Image8 strip = noise(1, 30000);  // the whole cover would be 3.8 GB
  EXPECT_EQ(resize_cover(strip, 206, 206, Filter::lanczos).height, 206);
  EXPECT_EQ(clip_square(strip, {}).width, 224);
}

TEST("image: the CLIP square and its normalised pixels agree with the reference") {
  for (const Golden& g : image_cases("out/crop")) {
    const Image8 in = image(g["in/image"]), want = image(g["out/crop"]);
    ClipPreprocess options;
    options.size = options.shortest_edge = want.width;
    EXPECT_CLOSE(clip_square(in, options).data, want.data, g.tolerance("crop"), g.name + " out/crop");
    const int step = static_cast<int>(g.info["pixel_step"].integer());
    EXPECT_CLOSE(every(clip_pixels(in, options), want.height, want.width, step), g["out/pixels"].f32(),
                 g.tolerance() * g.rms("out/pixels"), g.name + " out/pixels");
  }
}

TEST("image: fit and anchor choose what of a long picture the encoder sees") {
  Image8 in(300, 100, 3);  // three squares: 40, 120, 200
  for (size_t i = 0; i < in.data.size(); ++i) in.data[i] = static_cast<uint8_t>(40 + 80 * (i / 3 % 300 / 100));
  ClipPreprocess options;
  options.size = options.shortest_edge = 56;
  const auto middle = [&](Fit fit, Anchor anchor) {
    options.fit = fit, options.anchor = anchor;
    return int{clip_square(in, options).row(28)[28 * 3]};
  };
  EXPECT_EQ(middle(Fit::crop, Anchor::left), 40);
  EXPECT_EQ(middle(Fit::crop, Anchor::center), 120);
  EXPECT_EQ(middle(Fit::crop, Anchor::right), 200);
  EXPECT_EQ(middle(Fit::crop, Anchor::top), 120);  // the width stays centred
  EXPECT_EQ(middle(Fit::squash, Anchor::center), 120);
  EXPECT_EQ(middle(Fit::pad, Anchor::center), 120);
  EXPECT_EQ(middle(Fit::pad, Anchor::top), 0);
}

TEST("image: the detector's input agrees with the reference") {
  for (const Golden& g : image_cases("out/blob")) {
    const int size = static_cast<int>(g.info["detection_size"].integer());
    const Letterbox box = letterbox(image(g["in/image"]), size, size);
    PixelRule pixels = kDetectorPixels;
    pixels.bgr = true;  // the reference took the stored picture for B, G, R and swapped it
    EXPECT_CLOSE(every(network_input(box.canvas, pixels), size, size, 4), g["out/blob"].f32(), 1.0 / 128 + 1e-6,
                 g.name + " out/blob");  // one grey level of the 8-bit resize
  }
}

TEST("image: the letterbox keeps the corner, cuts the free side and takes its scale from the height") {
  Image8 white(333, 100, 3);
  std::fill(white.data.begin(), white.data.end(), uint8_t{255});
  const Letterbox box = letterbox(white, 128, 128);  // 128 x 38.4
  EXPECT_EQ(box.scale, 0.38);
  EXPECT_EQ(box.canvas.row(37)[127 * 3], 255);
  EXPECT_EQ(box.canvas.row(38)[0], 0);
  EXPECT_CLOSE(network_input(crop(white, 0, 0, 1, 1), kDetectorPixels), std::vector<float>(3, 127.5f / 128), 0,
               "white");
}

std::vector<float> rows(const std::vector<Detection>& faces) {
  std::vector<float> out;
  for (const Detection& d : faces) out.insert(out.end(), {d.x1, d.y1, d.x2, d.y2, d.score});
  return out;
}

TEST("image: detector outputs become the reference's faces, in its order") {
  for (const Golden& g : image_cases("in/output.0")) {
    const Image8 in = image(g["in/image"]);
    const int size = static_cast<int>(g.info["detection_size"].integer());
    std::vector<std::vector<float>> values;
    for (size_t i = 0; g.has("in/output." + std::to_string(i)); ++i)
      values.push_back(g["in/output." + std::to_string(i)].f32());
    const std::vector<std::span<const float>> outputs(values.begin(), values.end());
    const DetectionCanvas canvas{size, size, letterbox(in, size, size).scale};
    const std::vector<Detection> faces =
        suppressed(scrfd_candidates(outputs, canvas, static_cast<float>(g.info["threshold"].number)),
                   static_cast<float>(g.info["nms"].number));
    EXPECT_EQ(faces.size(), static_cast<size_t>(g.info["found"].integer()));
    if (!g.has("out/boxes")) continue;
    const auto limit = [&](const char* key) { return g.tolerance() * g.rms(key); };
    EXPECT_CLOSE(rows(faces), g["out/boxes"].f32(), limit("out/boxes"), g.name + " out/boxes");
    EXPECT_CLOSE(rows(limited(faces, 2, FaceMetric::area_near_centre, in.width, in.height)),
                 g["out/boxes.max2.default"].f32(), limit("out/boxes.max2.default"),
                 g.name + " out/boxes.max2.default");
    EXPECT_CLOSE(rows(limited(faces, 2, FaceMetric::area, in.width, in.height)), g["out/boxes.max2.max"].f32(),
                 limit("out/boxes.max2.max"), g.name + " out/boxes.max2.max");
    EXPECT_EQ(!faces.empty() && faces[0].has_landmarks, g.has("out/keypoints"));
    if (!g.has("out/keypoints")) continue;
    std::vector<double> points;
    for (const Detection& d : faces)
      for (const Point& p : d.landmarks) points.insert(points.end(), {p.x, p.y});
    EXPECT_CLOSE(points, g["out/keypoints"].f32(), limit("out/keypoints"), g.name + " out/keypoints");
  }
}

TEST("image: a YuNet cell becomes one face in image pixels") {
  std::vector<std::vector<float>> values;
  for (size_t width : {1, 1, 4, 10})
    for (size_t cells : {64, 16, 4}) values.emplace_back(cells * width);  // canvas 64 x 64
  const size_t cell = 2 * 4 + 3;                                          // stride 16, row 2, column 3
  values[1][cell] = 0.81f, values[4][cell] = 4.0f;                        // obj is clamped to 1
  const float box[4] = {0.5f, 0.25f, std::log(2.0f), 0};
  for (size_t i = 0; i < 4; ++i) values[7][4 * cell + i] = box[i];
  for (size_t i = 0; i < 10; ++i) values[10][10 * cell + i] = 0.5f;
  const std::vector<std::span<const float>> outputs(values.begin(), values.end());
  const std::vector<Detection> faces = yunet_candidates(outputs, {64, 64, 0.5}, 0.6f);
  EXPECT_EQ(faces.size(), 1u);
  if (faces.size() != 1) return;
  EXPECT_CLOSE(rows(faces), (std::vector<float>{80, 56, 144, 88, 0.9f}), 1e-4, "box");
  EXPECT_CLOSE((std::vector<double>{faces[0].landmarks[4].x, faces[0].landmarks[4].y}), (std::vector<double>{112, 80}),
               1e-4, "point");
}

TEST("image: suppression is stable and counts the last pixel of a box") {
  const auto face = [](float x1, float x2, float score) { return Detection{x1, 0, x2, 9, score, false, {}}; };
  EXPECT_EQ(suppressed({face(0, 9, 0.5f), face(20, 29, 0.5f), face(40, 49, 0.9f)}, 0.4f)[1].x1, 0.0f);
  // 10 wide each, 6 shared: 60 / 140 = 0.43 with the "+1" rule, 0.385 without
  EXPECT_EQ(suppressed({face(0, 9, 0.9f), face(4, 13, 0.8f)}, 0.4f).size(), 1u);
}

TEST("image: detector outputs of another shape are refused, numbers that are not finite find nothing") {
  std::vector<float> one(1), empty;
  std::vector<std::span<const float>> outputs(6, one);
  EXPECT_CODE(scrfd_candidates(outputs, {32, 32, 1}, 0.5f), Code::TENSOR_SHAPE);
  EXPECT_CODE(scrfd_candidates(std::span(outputs).first(5), {32, 32, 1}, 0.5f), Code::TENSOR_SHAPE);
  EXPECT_CODE(yunet_candidates(outputs, {32, 32, 1}, 0.5f), Code::TENSOR_SHAPE);
  std::vector<std::vector<float>> bad;
  for (size_t width : {1, 4})
    for (size_t cells : {32, 8, 2}) bad.emplace_back(cells * width, std::numeric_limits<float>::infinity());
  EXPECT_EQ(scrfd_candidates(std::vector<std::span<const float>>(bad.begin(), bad.end()), {32, 32, 1}, 0.5f).size(),
            0u);
}

Landmarks landmarks(const std::vector<float>& values, size_t index) {  // of [faces, 5, 2]
  Landmarks points;
  for (size_t j = 0; j < 5; ++j) points[j] = {values[index * 10 + 2 * j], values[index * 10 + 2 * j + 1]};
  return points;
}

TEST("image: alignment matrices and crops agree with the reference") {
  for (const Golden& g : image_cases("in/landmarks")) {
    const Image8 in = image(g["in/image"]);
    const std::vector<float> all = g["in/landmarks"].f32();
    size_t compared = 0;
    for (const auto& [key, tensor] : g.tensors) {  // out/KIND.FACE.SIZE
      const size_t dot = key.find('.');
      if (dot == std::string::npos) continue;
      const std::string kind = key.substr(4, dot - 4);
      const Landmarks points = landmarks(all, std::stoul(key.substr(dot + 1)));
      const int size = std::stoi(key.substr(key.rfind('.') + 1));
      ++compared;
      if (kind == "matrix") {
        const Similarity m = face_similarity(points, size);
        EXPECT_CLOSE((std::vector<double>{m.a, -m.b, m.tx, m.b, m.a, m.ty}), tensor.f32(),
                     g.tolerance("matrix") * g.rms(key), key);
        continue;
      }
      const std::vector<uint8_t> got = face_crop(in, points, size).data, want = tensor.u8();
      if (kind == "exact") EXPECT_CLOSE(got, want, 1, key);
      double sum = 0;
      for (size_t i = 0; i < got.size(); ++i) sum += std::abs(int{got[i]} - int{want.at(i)});
      EXPECT(sum / static_cast<double>(got.size()) < 1);
    }
    EXPECT(compared > 0);
  }
}

TEST("image: landmarks that no face has are refused") {
  Landmarks good = face_template(112), mirrored = good, line = good, point{}, infinite = good;
  for (Point& p : mirrored) p.x = -p.x;
  for (Point& p : line) p.y = 2 * p.x;
  infinite[2].x = std::numeric_limits<double>::infinity();
  for (const Landmarks& bad : {mirrored, point, infinite})
    EXPECT_CODE(face_similarity(bad, 112), Code::FACE_LANDMARKS_INVALID);
  EXPECT_CODE(face_template(100), Code::OPTION_RANGE);
  const Similarity same = face_similarity(good, 112);
  EXPECT_CLOSE((std::vector<double>{same.a, same.b, same.tx, same.ty}), (std::vector<double>{1, 0, 0, 0}), 1e-12,
               "identity");
  const Image8 in = noise(112, 112);
  EXPECT_EQ(warp(in, same, 112, 112) == in, true);
}

TEST("image: buffers and sizes that do not fit are refused") {
  Image8 in = noise(4, 4);
  EXPECT_CODE(resize(in, 0, 4, Filter::box), Code::OPTION_RANGE);
  in.data.pop_back();
  EXPECT_CODE(resize(in, 2, 2, Filter::box), Code::OPTION_RANGE);
  EXPECT_CODE(network_input(Image8(2, 2, 1), kRawPixels), Code::OPTION_RANGE);
  EXPECT_EQ(crop(noise(4, 4), 100, -100, 2, 2) == Image8(2, 2, 3), true);
}

TEST("image: YuNet reads blue first, others red") {
  Image8 in(1, 1, 3);
  in.data = {10, 20, 30};
  EXPECT_CLOSE(network_input(in, kYunetPixels), (std::vector<float>{30, 20, 10}), 0, "pixel");
  EXPECT_CLOSE(network_input(in, kRawPixels), (std::vector<float>{10, 20, 30}), 0, "pixel");
}

}  // namespace
