// Pixels, beyond the cases of the golden runner.
#include "image/image.h"

#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "image/canny.h"
#include "image/detections.h"
#include "image/preprocess.h"
#include "image/resize.h"
#include "image/sample.h"
#include "image/warp.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

Image8 noise(int width, int height, uint32_t seed = 1) {
  Image8 out(width, height, 3);
  for (uint8_t& v : out.data) v = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return out;
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

TEST("image: canny finds thin edges, and weak ones only where they go on from strong ones") {
  Image8 in(40, 30, 3);  // a square of 200 on 0; beside it a step of 30, whose gradient of 120 is weak
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 40; ++x)
      for (int c = 0; c < 3; ++c)
        in.row(y)[3 * x + c] = static_cast<uint8_t>(x >= 5 && x < 15 && y >= 5 && y < 20 ? 200 : x >= 30 ? 30 : 0);
  const Image8 out = canny(in);
  const auto white = [&](int y) {
    int count = 0;
    for (int x = 0; x < 40; ++x) count += out.row(y)[3 * x] == 255;
    return count;
  };
  EXPECT_EQ(white(12), 2);  // left and right edge, one pixel each; the weak step alone is none
  EXPECT_EQ(white(25), 0);
  EXPECT(canny(in, 100, 119).row(25)[3 * 29] == 255 || canny(in, 100, 119).row(25)[3 * 30] == 255);
  for (size_t i = 0; i < out.data.size(); i += 3)
    EXPECT(out.data[i] == out.data[i + 1] && out.data[i] == out.data[i + 2]);
  EXPECT(canny(grey(in)) == out);
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

// Twin of clip_pixels with a mask: the mask is made as large as the picture, goes its way as a picture of its own, and
// multiplies number by number.
TEST("image: a clip mask is seen through the square of its picture and makes mid-grey of what it leaves out") {
  for (auto [width, height] : {std::pair{60, 90}, {90, 60}, {40, 40}})
    for (Fit fit : {Fit::crop, Fit::squash, Fit::pad})
      for (Anchor anchor : {Anchor::center, Anchor::top, Anchor::bottom, Anchor::left, Anchor::right}) {
        ClipPreprocess options;
        options.size = options.shortest_edge = 28;
        options.fit = fit, options.anchor = anchor;
        const Image8 picture = noise(width, height), mask = noise(width, height, 7);
        std::vector<float> expected = clip_pixels(picture, options);
        const Image8 seen = clip_square(grey(mask), options);
        for (int y = 0; y < 28; ++y)
          for (int x = 0; x < 28; ++x)
            for (int c = 0; c < 3; ++c)
              expected[static_cast<size_t>((y * 28 + x) * 3 + c)] *= static_cast<float>(seen.row(y)[x]) / 255.0f;
        EXPECT_CLOSE(clip_pixels(picture, options, grey(mask)), expected, 0, "masked");
      }
  Image8 half(2, 1, 1);  // of another size than the picture: the left is out, the right is in
  half.data = {0, 255};
  const Image8 picture = noise(80, 40);
  ClipPreprocess options;
  options.size = options.shortest_edge = 20;
  options.fit = Fit::squash;
  const std::vector<float> plain = clip_pixels(picture, options), masked = clip_pixels(picture, options, half);
  EXPECT_EQ(masked[0], 0.0f);
  EXPECT_EQ(masked[19 * 3], plain[19 * 3]);
  options.fit = Fit::crop;  // 40 x 20: the square is its middle, and so is the mask's
  const Image8 shares = clip_mask(half, picture, options);
  EXPECT_EQ(shares.row(0)[10] + shares.row(0)[9], 255);
  EXPECT_EQ(shares.row(0)[0] < shares.row(0)[9], true);
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
