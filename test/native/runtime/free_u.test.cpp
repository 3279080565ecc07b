// FreeU against the transforms it is written with, and in a UNet.
#include "runtime/free_u.h"

#include <complex>
#include <memory>
#include <numbers>
#include <vector>

#include "cuda/card.h"
#include "models/free_u.h"
#include "sampling.h"

namespace {

using namespace ipa;
using namespace ipa::test;

using Complex = std::complex<double>;

// A discrete Fourier transform over both sides, `sign` -1 there and 1 back, without the division.
std::vector<Complex> transformed(const std::vector<Complex>& x, int64_t h, int64_t w, int sign) {
  std::vector<Complex> y(x.size());
  for (int64_t u = 0; u < h; ++u)
    for (int64_t v = 0; v < w; ++v)
      for (int64_t i = 0; i < h; ++i)
        for (int64_t j = 0; j < w; ++j) {
          const double turns =
              static_cast<double>(u * i) / static_cast<double>(h) + static_cast<double>(v * j) / static_cast<double>(w);
          y[static_cast<size_t>(u * w + v)] +=
              x[static_cast<size_t>(i * w + j)] * std::polar(1.0, sign * 2 * std::numbers::pi * turns);
        }
  return y;
}

// As the reference says it: transform, shift, the middle times s, shift back, transform back, real part.
std::vector<float> filtered(const Tensor& x, double s) {
  const auto [n, h, w, c] = x.shape;
  std::vector<float> y(x.data.size());
  for (int64_t sample = 0; sample < n; ++sample)
    for (int64_t channel = 0; channel < c; ++channel) {
      const auto at = [&](int64_t p) { return static_cast<size_t>((sample * h * w + p) * c + channel); };
      std::vector<Complex> plane(static_cast<size_t>(h * w));
      for (int64_t p = 0; p < h * w; ++p) plane[static_cast<size_t>(p)] = x.data[at(p)];
      std::vector<Complex> f = transformed(plane, h, w, -1);
      for (int64_t u = 0; u < h; ++u)
        for (int64_t v = 0; v < w; ++v) {
          const int64_t i = (u + h / 2) % h, j = (v + w / 2) % w;  // where the shift puts it
          if (i >= h / 2 - 1 && i < h / 2 + 1 && j >= w / 2 - 1 && j < w / 2 + 1)
            f[static_cast<size_t>(u * w + v)] *= s;
        }
      f = transformed(f, h, w, 1);
      for (int64_t p = 0; p < h * w; ++p)
        y[at(p)] = static_cast<float>(f[static_cast<size_t>(p)].real() / static_cast<double>(h * w));
    }
  return y;
}

PlanKind both() {
  return {[](Builder& b, const RecordRequest& r) {
            b.output("hidden", free_u_hidden(b, b.input("h", r.inputs.at("h")), 1));
            b.output("skip", free_u_skip(b, b.input("skip", r.inputs.at("skip")), 1));
          },
          {{{"h", {1, 1, 1, 4}}, {"skip", {1, 1, 1, 4}}}, {}, {}}};
}

void check(const std::shared_ptr<Device>& device, const std::string& what) {
  Network network(device, {{"both", both()}}, synthetic("none", {}), {});
  for (const Shape grid : {Shape{2, 8, 8, 6}, Shape{1, 5, 7, 3}, Shape{1, 2, 9, 4}, Shape{1, 1, 6, 4}}) {
    const Tensor h = signal("h", {grid.n, grid.h, grid.w, 2 * grid.c}), skip = signal("skip", grid);
    Prepared& made = network.prepare("both", {{{"h", h.shape}, {"skip", grid}}, {}, {}});
    made.set("h", h.data), made.set("skip", skip.data);
    set_free_u(made, {{9, 1.6}, {9, 0.2}});
    made.run(StopFlag{});
    std::vector<float> want = h.data;
    for (size_t i = 0; i < want.size(); ++i)
      if (static_cast<int64_t>(i) % h.shape.c < grid.c) want[i] *= 1.6f;
    EXPECT_CLOSE(made.get("hidden").data, want, 1e-6, what + ": hidden, " + text(grid));
    // sums of f32 over the grid
    EXPECT_CLOSE(made.get("skip").data, filtered(skip, 0.2), 2e-6, what + ": skip, " + text(grid));
  }
}

TEST("FreeU is the reference's transform of the skip, and a gain of half of the channels") {
  for (const cpu::Level* level : cpu::levels()) check(cpu_device(level->name, /*threads=*/2), level->name);
  EmulatedCard card;
  check(std::shared_ptr<Device>(new Device{"emulated", "sm_80", card.pool, card.backend}), "emulated");
}

TEST("FreeU with factors of 1 changes nothing, with others each of them acts") {
  for (const char* name : {"unet15", "unetxl"}) {
    SmallUNet c(name);
    SampleRequest r = sampling(2);
    const Condition text = c.condition("a cat");
    r.context = text.context, r.pooled = text.pooled, r.time_ids = text.time_ids;
    const auto drawn = [&](std::optional<FreeU> how) {
      r.free_u = how;
      return sample(c.network, c.config, r, {}, StopFlag{}).data;
    };
    const std::vector<float> plain = drawn(std::nullopt);
    EXPECT_CLOSE(drawn(FreeU{}), plain, 1e-6, name);  // the hidden state is no longer part of a fused op
    for (const FreeU& how :
         {FreeU{{1.5, 1}, {1, 1}}, FreeU{{1, 1.6}, {1, 1}}, FreeU{{1, 1}, {0.9, 1}}, FreeU{{1, 1}, {1, 0.2}}})
      EXPECT(drawn(how) != plain);
    r.reuse_every = 2;
    drawn(FreeU{{1.5, 1.6}, {0.9, 0.2}});
  }
}

}  // namespace
