#include "norms.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "cuda/kernels/elements.h"
#include "cuda/kernels/group_norm.h"
#include "cuda/kernels/layer_norm.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;

constexpr int kGroups = 32, kSampled = 4096;
constexpr double kLimit16 = 1e-3;
constexpr float kEpsilon = 1e-5f;
constexpr const char* kNames[] = {"group_norm_silu", "layer_norm", "add"};

struct Moments {
  double mean, factor;
};
// Of `width` numbers in each of `count` rows that are `step` apart.
Moments moments_of(const float* x, int64_t count, int64_t step, int width) {
  double sum = 0, squares = 0;
  const double total = static_cast<double>(count) * width;
  for (int64_t i = 0; i < count; ++i)
    for (int c = 0; c < width; ++c) sum += static_cast<double>(x[i * step + c]);
  const double mean = sum / total;
  for (int64_t i = 0; i < count; ++i)
    for (int c = 0; c < width; ++c) {
      const double d = static_cast<double>(x[i * step + c]) - mean;
      squares += d * d;
    }
  return {mean, 1 / std::sqrt(squares / total + static_cast<double>(kEpsilon))};
}

}  // namespace

void measure_norm(Card& card, const Options& options, NormShape shape, Report& report) {
  if (card.emulated) shape.rows = std::min(shape.rows, 70);
  const int rows = shape.rows, channels = shape.channels, images = shape.images;
  const size_t count = static_cast<size_t>(images) * rows * channels;
  Work work;
  work.copies = copies_for(card, count * 6);
  const std::vector<float> x = drawn32(count, 30), gamma = drawn32(channels, 31), beta = drawn32(channels, 32);
  Copies on_x(card.device, count * 4, work.copies, "a norm"), out(card.device, count * 2, work.copies, "a norm"),
      on_gamma(card.device, gamma.size() * 4, 1, "a norm"), on_beta(card.device, beta.size() * 4, 1, "a norm");
  on_x.upload(x.data()), on_gamma.upload(gamma.data()), on_beta.upload(beta.data());
  work.out = &out;
  Measurement& row = work.row;
  row.step = "kernels", row.kernel = kNames[shape.kind], row.path = "cores", row.dtype = "f16";
  row.shape = std::to_string(images) + "x" + std::to_string(rows) + "x" + std::to_string(channels);
  row.limit = kLimit16, row.target = shape.target;
  row.bytes = static_cast<double>(count) * 6;  // f32 in, f16 out
  row.torch = R"({"op": ")" + row.kernel + R"(", "images": )" + std::to_string(images) + R"(, "rows": )" +
              std::to_string(rows) + R"(, "channels": )" + std::to_string(channels) + "}";
  const auto each = [&](auto&& expected) {
    return [&, expected](const std::vector<std::byte>& result) {
      std::mt19937_64 random(count);
      std::vector<std::pair<double, double>> pairs;
      for (int i = 0; i < kSampled; ++i) {
        const size_t at = random() % count;
        uint16_t got;
        std::memcpy(&got, &result[at * 2], sizeof got);
        pairs.emplace_back(wide16(got, false), expected(at));
      }
      return pairs;
    };
  };
  // Declared here, since work.add holds them.
  const int slab = std::min(rows, 64), slabs = (rows + slab - 1) / slab;
  const Copies parts(card.device, static_cast<size_t>(images) * slabs * kGroups * sizeof(GroupMoments), 1, "moments");
  std::vector<Moments> moments;

  if (shape.kind == NormShape::group_silu) {
    row.bytes += static_cast<double>(count) * 4;  // it is read a second time
    // As the backend spreads it: blocks of a few groups, a cache line of channels at least, and some 10,000 numbers.
    const int width = channels / kGroups;
    int groups = 1;
    while (groups < kGroups && (groups * width < 32 || groups * width % 4 != 0)) ++groups;
    const int block = std::clamp(32 * 320 / (groups * width), 1, rows);
    for (int image = 0; image < images; ++image)
      for (int g = 0; g < kGroups; ++g)
        moments.push_back(
            moments_of(&x[static_cast<size_t>(image) * rows * channels + g * width], rows, channels, width));
    work.samples = each([&, width](size_t at) {
      const size_t channel = at % channels, image = at / channels / rows;
      const Moments& m = moments[image * kGroups + channel / width];
      const double y = (static_cast<double>(x[at]) - m.mean) * m.factor * static_cast<double>(gamma[channel]) +
                       static_cast<double>(beta[channel]);
      return y / (1 + std::exp(-y));
    });
    const driver::Kernel first = card.device.kernel("group_statistics_f32"),
                         second = card.device.kernel("group_norm_f16_x4");
    work.add = [&, first, second, width, groups, block](driver::Commands& commands, int copy) {
      commands.launch(first, {static_cast<uint32_t>(slabs), static_cast<uint32_t>(images)},
                      GroupStatisticsArguments{on_x.as<float>(copy), parts.as<GroupMoments>(0), rows, channels, width,
                                               slab, slabs});
      GroupNormArguments arguments{};
      arguments.first = {on_x.as<float>(copy), parts.as<GroupMoments>(0), channels, width, slab, slabs};
      arguments.gamma = on_gamma.as<float>(0), arguments.beta = on_beta.as<float>(0);
      arguments.y = out.as<void>(copy);
      arguments.pixels = arguments.counted = rows, arguments.channels = channels, arguments.groups = kGroups;
      arguments.block_pixels = block, arguments.block_groups = groups;
      arguments.epsilon = kEpsilon, arguments.silu = true;
      commands.launch(second,
                      {static_cast<uint32_t>((rows + block - 1) / block), static_cast<uint32_t>(images),
                       static_cast<uint32_t>((kGroups + groups - 1) / groups)},
                      arguments);
    };
    return measure(card, options, work, report);
  }
  if (shape.kind == NormShape::layer) {
    work.samples = each([&](size_t at) {
      const size_t channel = at % channels;
      const Moments m = moments_of(&x[at - channel], 1, channels, channels);
      return (static_cast<double>(x[at]) - m.mean) * m.factor * static_cast<double>(gamma[channel]) +
             static_cast<double>(beta[channel]);
    });
    std::string columns = "long";
    for (const int c : {2048, 1280, 1024, 640, 320})
      if (channels <= c) columns = std::to_string(c);
    const driver::Kernel kernel = card.device.kernel("layer_norm_f16_" + columns);
    const auto blocks = static_cast<uint32_t>((images * rows + kLayerNormWarps - 1) / kLayerNormWarps);
    work.add = [&, kernel, blocks](driver::Commands& commands, int copy) {
      commands.launch(kernel, {blocks},
                      LayerNormArguments{on_x.as<float>(copy), on_gamma.as<float>(0), on_beta.as<float>(0),
                                         out.as<void>(copy), images * rows, channels, kEpsilon});
    };
    return measure(card, options, work, report);
  }
  // x + x of the same place: 4 bytes in, 2 out
  work.samples = each([&](size_t at) { return 2 * static_cast<double>(x[at]); });
  const driver::Kernel kernel = card.device.kernel("add_f16_x4");
  const int groups = static_cast<int>(count / 4);
  const auto blocks = static_cast<uint32_t>(
      std::min(std::max(card.device.properties().multiprocessors, 1) * 8, groups / kElementThreads + 1));
  work.add = [&, kernel, groups, blocks](driver::Commands& commands, int copy) {
    commands.launch(kernel, {blocks},
                    AddArguments{on_x.as<float>(copy), on_x.as<float>(copy), out.as<void>(copy), groups, groups});
  };
  measure(card, options, work, report);
}

}  // namespace ipa::gpu_check
