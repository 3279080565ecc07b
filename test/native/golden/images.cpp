// Pixels: resizing, the CLIP square, detector outputs, alignment. The level makes no difference to them.
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "golden/compare.h"
#include "golden/kinds.h"
#include "image/detections.h"
#include "image/image.h"
#include "image/mask_grid.h"
#include "image/preprocess.h"
#include "image/resize.h"
#include "image/sample.h"
#include "image/warp.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenTensor;

Image8 image(const GoldenTensor& t) {  // [H, W] or [H, W, C]
  Image8 out(static_cast<int>(t.dims.at(1)), static_cast<int>(t.dims[0]),
             t.dims.size() > 2 ? static_cast<int>(t.dims[2]) : 1);
  out.data = t.u8();
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

using Resizer = Image8 (*)(const Image8&, int width, int height);

struct Resizing {
  Resizer resize;
  double limit = 0;  // grey levels
};

template <Filter F>
Image8 plain(const Image8& i, int w, int h) {
  return resize(i, w, h, F);
}

const std::map<std::string, Resizing>& resizings() {
  static const std::map<std::string, Resizing> table = {
      {"nearest", {plain<Filter::nearest>}},
      {"box", {plain<Filter::box>}},
      {"bilinear", {plain<Filter::bilinear>}},
      {"bicubic", {plain<Filter::bicubic>}},
      {"lanczos", {plain<Filter::lanczos>}},
      {"lanczos.fill", {[](const Image8& i, int w, int h) { return resize_fill(i, w, h, Filter::lanczos); }}},
      {"lanczos.crop", {[](const Image8& i, int w, int h) { return resize_cover(i, w, h, Filter::lanczos); }}},
      {"tensor.nearest", {sample_nearest}},
      {"opencv.linear", {sample_linear, 1}},
      {"opencv.area", {sample_area, 1}},
      {"grey", {[](const Image8& i, int, int) { return grey(i); }}},
  };
  return table;
}

void check_resize(Level&, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const Image8 in = image(g["in/image"]);
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/")) continue;
    const auto how = resizings().find(key.substr(4));
    if (how == resizings().end()) {
      verdict.fault("no resizing is called " + key.substr(4));
      continue;
    }
    const Image8 want = image(tensor);
    verdict.close(key, how->second.resize(in, want.width, want.height).data, want.data, how->second.limit);
  }
}

void check_clip_square(Level&, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const Image8 in = image(g["in/image"]), want = image(g["out/crop"]);
  ClipPreprocess options;
  options.size = options.shortest_edge = want.width;
  verdict.close("out/crop", clip_square(in, options).data, want.data, g.tolerance("crop"));
  const int step = static_cast<int>(g.info["pixel_step"].integer());
  const std::vector<float> pixels = g["out/pixels"].f32();
  verdict.close("out/pixels", every(clip_pixels(in, options), want.height, want.width, step), pixels,
                g.tolerance() * test::rms(pixels));
}

std::vector<float> rows(const std::vector<Detection>& faces) {
  std::vector<float> out;
  for (const Detection& d : faces) out.insert(out.end(), {d.x1, d.y1, d.x2, d.y2, d.score});
  return out;
}

std::vector<double> points(const std::vector<Detection>& faces) {
  std::vector<double> out;
  for (const Detection& d : faces)
    for (const Point& p : d.landmarks) out.insert(out.end(), {p.x, p.y});
  return out;
}

void check_detector(Level&, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const Image8 in = image(g["in/image"]);
  const int size = static_cast<int>(g.info["detection_size"].integer());
  const Letterbox box = letterbox(in, size, size);
  PixelRule pixels = kDetectorPixels;
  pixels.bgr = true;  // the reference took the stored picture for B, G, R and swapped it
  verdict.close("out/blob", every(network_input(box.canvas, pixels), size, size, 4), g["out/blob"].f32(),
                1.0 / 128 + 1e-6);  // one grey level of the 8-bit resize
  std::vector<std::vector<float>> values;
  for (size_t i = 0; g.has("in/output." + std::to_string(i)); ++i)
    values.push_back(g["in/output." + std::to_string(i)].f32());
  const std::vector<std::span<const float>> outputs(values.begin(), values.end());
  const std::vector<Detection> faces =
      suppressed(scrfd_candidates(outputs, {size, size, box.scale}, static_cast<float>(g.info["threshold"].number)),
                 static_cast<float>(g.info["nms"].number));
  verdict.require(faces.size() == static_cast<size_t>(g.info["found"].integer()),
                  std::to_string(faces.size()) + " faces, expected " + g.info["found"].raw);
  verdict.require((!faces.empty() && faces[0].has_landmarks) == g.has("out/keypoints"),
                  "landmarks of a detector without");
  const auto agree = [&](const std::string& key, const auto& got) {
    if (!g.has(key)) return;
    const std::vector<float> want = g[key].f32();
    verdict.close(key, got, want, g.tolerance() * test::rms(want));
  };
  agree("out/boxes", rows(faces));
  agree("out/boxes.max2.default", rows(limited(faces, 2, FaceMetric::area_near_centre, in.width, in.height)));
  agree("out/boxes.max2.max", rows(limited(faces, 2, FaceMetric::area, in.width, in.height)));
  agree("out/keypoints", points(faces));
}

void check_alignment(Level&, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const Image8 in = image(g["in/image"]);
  const std::vector<float> all = g["in/landmarks"].f32();  // [faces, 5, 2]
  for (const auto& [key, tensor] : g.tensors) {            // out/KIND.FACE.SIZE
    if (!key.starts_with("out/")) continue;
    const size_t dot = key.find('.');
    const std::string kind = key.substr(4, dot - 4);
    const size_t face = std::stoul(key.substr(dot + 1));
    const int size = std::stoi(key.substr(key.rfind('.') + 1));
    Landmarks five;
    for (size_t j = 0; j < five.size(); ++j) five[j] = {all.at(face * 10 + 2 * j), all.at(face * 10 + 2 * j + 1)};
    if (kind == "matrix") {
      const Similarity m = face_similarity(five, size);
      const std::vector<float> want = tensor.f32();
      verdict.close(key, std::vector<double>{m.a, -m.b, m.tx, m.b, m.a, m.ty}, want,
                    g.tolerance("matrix") * test::rms(want));
      continue;
    }
    const std::vector<uint8_t> got = face_crop(in, five, size).data, want = tensor.u8();
    if (kind == "exact") verdict.close(key, got, want, 1);
    double sum = 0;
    for (size_t i = 0; i < got.size() && i < want.size(); ++i) sum += std::abs(int{got[i]} - int{want[i]});
    verdict.require(
        got.size() == want.size() && sum / static_cast<double>(got.size()) < 1,
        key + " is off by " + std::to_string(sum / static_cast<double>(got.size())) + " grey levels on average");
  }
}

// in/NAME -> out/NAME.MODE.HxW, and out/NAME.preprocessed, which diffusers resamples.
void check_mask_grids(Level&, const std::string& name, Verdict& verdict) {
  static const std::map<std::string, MaskMode> modes = {
      {"diffusers", MaskMode::diffusers}, {"comfy", MaskMode::comfy}, {"exact-bilinear", MaskMode::linear}};
  const Golden g(name);
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/")) continue;
    const size_t dot = key.find('.'), after = key.find('.', dot + 1);
    const GoldenTensor& in = g["in/" + key.substr(4, dot - 4)];
    RegionMask mask{static_cast<int>(in.dims.at(1)), static_cast<int>(in.dims[0]), in.f32()};
    const std::vector<float> want = tensor.f32();
    if (key.substr(dot + 1) == "preprocessed") {
      verdict.close(key, black_and_white(mask).data, want, 0);
      continue;
    }
    const auto mode = modes.find(key.substr(dot + 1, after - dot - 1));
    if (mode == modes.end()) {
      verdict.fault("no mode is known for " + key);
      continue;
    }
    mask.mode = mode->second;
    const GridSize grid{std::stoll(key.substr(after + 1)), std::stoll(key.substr(key.rfind('x') + 1))};
    verdict.close(key, mask_grid(mask, {mask.height / 8, mask.width / 8}, grid), want, g.tolerance() * test::rms(want));
  }
}

}  // namespace

void add_images(Kinds& kinds) {
  kinds["image/resize"] = {check_resize, /*per_level=*/false};
  kinds["image/clip"] = {check_clip_square, false};
  kinds["image/detector"] = {check_detector, false};
  kinds["image/mask-grids"] = {check_mask_grids, false};
  kinds["image/alignment"] = {check_alignment, false};
}

}  // namespace ipa::golden
