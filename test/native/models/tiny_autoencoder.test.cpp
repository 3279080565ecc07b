// The tiny autoencoders against the published list of layers, written here once more in loops.
#include "models/tiny_autoencoder.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "models/runner.h"
#include "runtime/recorders.h"
#include "test.h"
#include "weights/identify.h"
#include "weights/names/transformers.h"
#include "weights/rename.h"
#include "weights/synthetic.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// [H][W][C] numbers.
struct Picture {
  int64_t h, w, c;
  std::vector<double> at;
  Picture(int64_t height, int64_t width, int64_t channels)
      : h(height), w(width), c(channels), at(static_cast<size_t>(height * width * channels)) {}
  double& operator()(int64_t y, int64_t x, int64_t k) { return at[static_cast<size_t>((y * w + x) * c + k)]; }
  double value(int64_t y, int64_t x, int64_t k) const { return at[static_cast<size_t>((y * w + x) * c + k)]; }
};

class Reference {
 public:
  explicit Reference(const TensorSource& source) : source_(source) {}

  Picture conv(const std::string& name, const Picture& in, int stride = 1) const {
    const std::vector<float> weight = tensor_values(source_, name + ".weight");
    const int64_t out = source_.index.at(name + ".weight").dims[0];
    const bool biased = source_.index.contains(name + ".bias");
    const std::vector<float> bias = biased ? tensor_values(source_, name + ".bias") : std::vector<float>();
    Picture to((in.h - 1) / stride + 1, (in.w - 1) / stride + 1, out);
    for (int64_t y = 0; y < to.h; ++y)
      for (int64_t x = 0; x < to.w; ++x)
        for (int64_t k = 0; k < out; ++k) {
          double sum = biased ? static_cast<double>(bias[static_cast<size_t>(k)]) : 0;
          for (int64_t c = 0; c < in.c; ++c)
            for (int64_t dy = -1; dy <= 1; ++dy)
              for (int64_t dx = -1; dx <= 1; ++dx) {
                const int64_t iy = y * stride + dy, ix = x * stride + dx;
                if (iy < 0 || ix < 0 || iy >= in.h || ix >= in.w) continue;
                sum += in.value(iy, ix, c) *
                       static_cast<double>(weight[static_cast<size_t>(((k * in.c + c) * 3 + dy + 1) * 3 + dx + 1)]);
              }
          to(y, x, k) = sum;
        }
    return to;
  }
  static Picture relu(Picture p) {
    for (double& v : p.at) v = std::max(v, 0.0);
    return p;
  }
  Picture block(const std::string& name, const Picture& in) const {
    Picture h = conv(name + ".conv.4", relu(conv(name + ".conv.2", relu(conv(name + ".conv.0", in)))));
    for (size_t i = 0; i < h.at.size(); ++i) h.at[i] += in.at[i];
    return relu(std::move(h));
  }
  static Picture twice(const Picture& in) {
    Picture to(2 * in.h, 2 * in.w, in.c);
    for (int64_t y = 0; y < to.h; ++y)
      for (int64_t x = 0; x < to.w; ++x)
        for (int64_t k = 0; k < to.c; ++k) to(y, x, k) = in.value(y / 2, x / 2, k);
    return to;
  }

  // Layer by layer as the authors list them, in diffusers' numbers.
  Picture decoded(Picture x) const {
    const auto layer = [](int i) { return "decoder.layers." + std::to_string(i); };
    x = relu(conv(layer(0), x));
    for (const int first : {2, 7, 12}) {
      for (int i = 0; i < 3; ++i) x = block(layer(first + i), x);
      x = conv(layer(first + 4), twice(x));
    }
    return conv(layer(18), block(layer(17), x));
  }
  Picture encoded(Picture x) const {
    const auto layer = [](int i) { return "encoder.layers." + std::to_string(i); };
    x = block(layer(1), conv(layer(0), x));
    for (const int first : {2, 6, 10}) {
      x = conv(layer(first), x, 2);
      for (int i = 1; i <= 3; ++i) x = block(layer(first + i), x);
    }
    return conv(layer(14), x);
  }

 private:
  const TensorSource& source_;
};

TensorSource made() { return synthetic("taesd", index_of(wants_of(tiny_autoencoder_plans(TinyAutoencoderConfig{})))); }

Picture picture(int64_t h, int64_t w, int64_t c) {
  Picture p(h, w, c);
  const std::vector<float> numbers = synthetic_signal("picture", p.at.size(), 0.5);
  for (size_t i = 0; i < p.at.size(); ++i) p.at[i] = static_cast<double>(numbers[i]);
  return p;
}

std::vector<float> floats(const Picture& p) { return {p.at.begin(), p.at.end()}; }

}  // namespace

TEST("tiny autoencoder: both directions agree with the published layers, odd sizes included") {
  const TensorSource source = made();
  const Reference reference(source);
  for (const auto& [h, w] : {std::pair<int64_t, int64_t>{2, 3}, {5, 4}}) {
    const Picture z = picture(h, w, 4), image = picture(8 * h, 8 * w, 3);
    const std::vector<float> decoded = floats(reference.decoded(z)), encoded = floats(reference.encoded(image));
    on_every_level([&](Machine& m) {
      const TinyAutoencoderConfig c;
      const double tolerance = m.with == Compute::f32 ? 1e-5 : 3e-2;
      Builder decode, encode;
      record_tiny_decode(decode, c, 1, h, w);
      record_tiny_encode(encode, c, 1, 8 * h, 8 * w);
      EXPECT_CLOSE(test::run(m, decode.finish(), {{"z", floats(z)}}, source, m.with).at("image"), decoded,
                   tolerance * rms(decoded), std::string("decode on ") + m.backend.name);
      EXPECT_CLOSE(test::run(m, encode.finish(), {{"image", floats(image)}}, source, m.with).at("latents"), encoded,
                   tolerance * rms(encoded), std::string("encode on ") + m.backend.name);
    });
  }
}

TEST("tiny autoencoder: the authors' files are told from diffusers', and hold one direction each") {
  const TensorSource both = made();
  EXPECT(detect_tiny_autoencoder(both.index).has_value());
  EXPECT(is_tiny_autoencoder(both.index));
  EXPECT(identify(both.index).kind == FileKind::vae);
  EXPECT(!detect_tiny_autoencoder({{"decoder.conv_in.weight", {DType::f32, {512, 4, 3, 3}}}}));
  for (const bool encoder : {true, false}) {
    const std::string half = encoder ? "encoder.layers." : "decoder.layers.";
    std::vector<Rename> renames;
    for (const auto& [name, info] : both.index) {
      if (!name.starts_with(half)) continue;
      const size_t dot = name.find('.', half.size());
      const int layer = std::stoi(name.substr(half.size(), dot - half.size())) + (encoder ? 0 : 1);
      renames.push_back({std::to_string(layer) + name.substr(dot), name});
    }
    const TensorSource authors = renamed(both, renames);
    EXPECT(is_tiny_autoencoder(authors.index));
    EXPECT(identify(authors.index).kind == FileKind::vae);
    const TensorSource back = tiny_autoencoder(authors);
    const auto found = detect_tiny_autoencoder(back.index);
    EXPECT(found && found->encodes == encoder && found->decodes != encoder);
    for (const auto& [name, info] : back.index)
      EXPECT(both.index.contains(name) && tensor_values(back, name) == tensor_values(both, name));
  }
}
