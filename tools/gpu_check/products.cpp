#include "products.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>

#include "cuda/kernels/convolution.h"
#include "cuda/kernels/product.h"
#include "cuda/packing.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;

struct Tile {
  std::string kernel;
  int m, n;
};

// Instances of `family` for operands and results of this type, whatever tiles there are: "product_f16_f16_128x64".
std::vector<Tile> tiles_of(Card& card, const std::string& family, const std::string& type) {
  std::vector<Tile> all;
  const std::string start = family + "_" + type + "_" + type + "_";
  for (const driver::KernelRow& row : driver::kernel_rows()) {
    const std::string name = row.name;
    Tile tile{name, 0, 0};
    if (!name.starts_with(start) || std::sscanf(name.c_str() + start.size(), "%dx%d", &tile.m, &tile.n) != 2) continue;
    try {
      card.device.kernel(name);
    } catch (const Error& e) {
      if (e.code != Code::DEVICE_UNSUPPORTED) throw;
      continue;
    }
    all.push_back(tile);
  }
  return all;
}

constexpr int kSampled = 1024, kMostSlices = 8;
constexpr double kLimit16 = 1e-3;  // of the specification; bf16 has 8 times that

struct Matrix {  // either kind: m rows, n columns, k deep
  int m, n, k;
  bool geglu;
};

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

// Runs `add` with every tile and cut, then the fastest with its check.
double fastest(Card& card, const Options& options, const std::string& family, const Matrix& matrix, Work& work,
               const std::function<void(driver::Commands&, int, const Tile&, driver::Grid, SplitArguments)>& add,
               Report& report, std::vector<std::string>& sweep) {
  const std::vector<Tile> tiles = tiles_of(card, family, work.row.dtype);
  if (tiles.empty()) {
    report.notes.push_back("no " + family + " of " + work.row.dtype + " runs on this card");
    return 0;
  }
  const Copies sums(card.device, static_cast<size_t>(matrix.m) * matrix.n * kMostSlices * sizeof(float), 1, "sums");
  const size_t counters = static_cast<size_t>(matrix.m / 16 + 1) * (matrix.n / 16 + 1);
  const Copies arrivals(card.device, counters * sizeof(uint32_t), 1, "counters");
  card.device.fill(arrivals.at(0), 0, counters);
  double best = 0;
  decltype(work.add) chosen;
  for (const Tile& tile : tiles) {
    const driver::Grid plane{static_cast<uint32_t>((matrix.n + tile.n - 1) / tile.n),
                             static_cast<uint32_t>((matrix.m + tile.m - 1) / tile.m)};
    const auto full = static_cast<uint32_t>(2 * std::max(card.device.properties().multiprocessors, 1));
    for (int slices = 1; slices <= kMostSlices; slices *= 2) {
      if (slices > 1 && (plane.x * plane.y >= full || matrix.k / slices < 128)) break;
      const driver::Grid grid{plane.x, plane.y, static_cast<uint32_t>(slices)};
      work.add = [=, &sums, &arrivals](driver::Commands& commands, int copy) {
        add(commands, copy, tile, grid,
            slices > 1 ? SplitArguments{sums.as<float>(0), arrivals.as<uint32_t>(0)} : SplitArguments{});
      };
      const double ms = quick_ms(card, work, card.emulated ? 1 : 5);
      char line[200];
      std::snprintf(line, sizeof line, "%s %d %d %d %dx%d %d %.5f", (family + "_" + work.row.dtype).c_str(), matrix.m,
                    matrix.n, matrix.k, tile.m, tile.n, slices, ms);
      sweep.emplace_back(line);
      if (best > 0 && ms >= best) continue;
      best = ms, chosen = work.add;
      work.row.tile = std::to_string(tile.m) + "x" + std::to_string(tile.n), work.row.split_k = slices;
      if (card.emulated) break;
    }
    if (card.emulated) break;  // one is enough to see that this works
  }
  work.add = chosen;
  measure(card, options, work, report);
  return work.row.flop / report.rows.back().ms * 1e3;
}

// Samples of a result [m][columns]; sum(row, column of the file) is the exact one, bias included.
std::vector<std::pair<double, double>> sampled(const std::vector<std::byte>& out, const Matrix& matrix, bool brain,
                                               const std::function<double(int, int)>& sum) {
  const int columns = matrix.geglu ? matrix.n / 2 : matrix.n;
  std::mt19937_64 random(out.size());
  std::vector<std::pair<double, double>> pairs;
  for (int i = 0; i < kSampled; ++i) {
    const int row = static_cast<int>(random() % matrix.m), column = static_cast<int>(random() % columns);
    double expected = sum(row, column);
    if (matrix.geglu) expected *= gelu(sum(row, columns + column));
    uint16_t got;
    std::memcpy(&got, &out[(static_cast<size_t>(row) * columns + column) * 2], sizeof got);
    pairs.emplace_back(wide16(got, brain), expected);
  }
  return pairs;
}

}  // namespace

double measure_product(Card& card, const Options& options, ProductShape shape, bool brain, Report& report,
                       std::vector<std::string>& sweep) {
  if (card.emulated) shape.m = std::min(shape.m, 72), shape.n = std::min(shape.n, 48), shape.k = std::min(shape.k, 64);
  const auto [m, n, k, geglu, target, quick] = shape;
  const Matrix matrix{m, n, k, geglu};
  const size_t a_count = static_cast<size_t>(m) * k, w_count = static_cast<size_t>(n) * k;
  const size_t y_count = static_cast<size_t>(m) * (geglu ? n / 2 : n);
  Work work;
  work.copies = copies_for(card, (a_count + w_count + y_count) * 2);
  const std::vector<uint16_t> a = drawn16(a_count, 1, brain),
                              w = drawn16(w_count, 2, brain, 1 / std::sqrt(static_cast<float>(k)));
  const std::vector<float> bias = drawn32(n, 3);
  Copies on_a(card.device, a_count * 2, work.copies, "a product"),
      on_w(card.device, w_count * 2, work.copies, "a product"),
      on_y(card.device, y_count * 2, work.copies, "a product"), on_bias(card.device, bias.size() * 4, 1, "a bias");
  on_a.upload(a.data()), on_w.upload(w.data()), on_bias.upload(bias.data());
  work.out = &on_y;
  Measurement& row = work.row;
  row.step = "kernels", row.kernel = geglu ? "product_geglu" : "product", row.path = "mma",
  row.dtype = brain ? "bf16" : "f16";
  row.shape = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  row.flop = 2.0 * m * n * k, row.bytes = static_cast<double>(a_count + w_count + y_count) * 2;
  row.limit = brain ? 8 * kLimit16 : kLimit16, row.target = target;
  row.torch = R"({"op": "linear", "m": )" + std::to_string(m) + R"(, "n": )" + std::to_string(n) + R"(, "k": )" +
              std::to_string(k) + R"(, "geglu": )" + (geglu ? "true" : "false") + "}";
  // Packed GEGLU weights alternate values and gates; the numbers are drawn, so the packed ones are as good as any.
  work.samples = [&](const std::vector<std::byte>& out) {
    std::vector<int> packed(n);
    for (int i = 0; i < n; ++i) packed[geglu ? geglu_row(i, n) : i] = i;
    return sampled(out, matrix, brain, [&](int at, int column) {
      double sum = bias[column];
      for (int i = 0; i < k; ++i)
        sum += static_cast<double>(wide16(a[static_cast<size_t>(at) * k + i], brain)) *
               static_cast<double>(wide16(w[static_cast<size_t>(packed[column]) * k + i], brain));
      return sum;
    });
  };
  return fastest(
      card, options, "product", matrix, work,
      [&, m = m, n = n, k = k, geglu = geglu](driver::Commands& commands, int copy, const Tile& tile, driver::Grid grid,
                                              SplitArguments split) {
        ResultArguments result{};
        result.bias = on_bias.as<float>(0), result.y = on_y.as<void>(copy), result.rows_per_image = m;
        result.geglu = geglu ? 1 : 0;
        ProductArguments arguments{on_a.as<void>(copy), {}, split, m, n, k};
        arguments.parts[0] = {on_w.as<void>(copy), result};
        commands.launch(card.device.kernel(tile.kernel), grid, arguments);
      },
      report, sweep);
}

void measure_convolution(Card& card, const Options& options, ConvolutionShape shape, bool brain, Report& report,
                         std::vector<std::string>& sweep) {
  if (card.emulated) shape.side = 6, shape.cin = 16, shape.cout = 24;
  const auto [images, side, cin, cout, target, quick] = shape;
  const Matrix matrix{images * side * side, cout, 9 * cin, false};
  const size_t x_count = static_cast<size_t>(matrix.m) * cin, w_count = static_cast<size_t>(cout) * matrix.k;
  const size_t y_count = static_cast<size_t>(matrix.m) * cout;
  Work work;
  work.copies = copies_for(card, (x_count + w_count + y_count) * 2);
  // Weights as the kernel wants them, [cout][taps][cin].
  const std::vector<uint16_t> x = drawn16(x_count, 4, brain),
                              w = drawn16(w_count, 5, brain, 1 / std::sqrt(static_cast<float>(matrix.k)));
  const std::vector<float> bias = drawn32(cout, 6);
  Copies on_x(card.device, x_count * 2, work.copies, "a convolution"),
      on_w(card.device, w_count * 2, work.copies, "a convolution"),
      on_y(card.device, y_count * 2, work.copies, "a convolution"), on_bias(card.device, bias.size() * 4, 1, "a bias");
  on_x.upload(x.data()), on_w.upload(w.data()), on_bias.upload(bias.data());
  work.out = &on_y;
  Measurement& row = work.row;
  row.step = "kernels", row.kernel = "convolution", row.path = "mma", row.dtype = brain ? "bf16" : "f16";
  row.shape = std::to_string(images) + "x" + std::to_string(side) + "x" + std::to_string(side) + "x" +
              std::to_string(cin) + " to " + std::to_string(cout);
  row.flop = 2.0 * matrix.m * matrix.n * matrix.k, row.bytes = static_cast<double>(x_count + w_count + y_count) * 2;
  row.limit = brain ? 8 * kLimit16 : kLimit16, row.target = target;
  row.torch = R"({"op": "conv2d", "images": )" + std::to_string(images) + R"(, "side": )" + std::to_string(side) +
              R"(, "cin": )" + std::to_string(cin) + R"(, "cout": )" + std::to_string(cout) + "}";
  work.samples = [&, side = side, cin = cin](const std::vector<std::byte>& out) {
    return sampled(out, matrix, brain, [&](int at, int column) {
      double sum = bias[column];
      const int image = at / (side * side), top = at / side % side - 1, left = at % side - 1;
      for (int tap = 0; tap < 9; ++tap) {
        const int line = top + tap / 3, place = left + tap % 3;
        if (line < 0 || place < 0 || line >= side || place >= side) continue;
        const uint16_t* const from = &x[(static_cast<size_t>(image * side + line) * side + place) * cin];
        const uint16_t* const weights = &w[(static_cast<size_t>(column) * 9 + tap) * cin];
        for (int c = 0; c < cin; ++c)
          sum += static_cast<double>(wide16(from[c], brain)) * static_cast<double>(wide16(weights[c], brain));
      }
      return sum;
    });
  };
  fastest(
      card, options, "convolution", matrix, work,
      [&, images = images, side = side, cin = cin, cout = cout](driver::Commands& commands, int copy, const Tile& tile,
                                                                driver::Grid grid, SplitArguments split) {
        ConvolutionArguments to{};
        to.x = on_x.as<void>(copy), to.weights = on_w.as<void>(copy), to.split = split;
        to.result.bias = on_bias.as<float>(0), to.result.y = on_y.as<void>(copy);
        to.result.rows_per_image = side * side;
        to.images = images, to.height = to.width = to.out_h = to.out_w = to.virtual_h = to.virtual_w = side;
        to.cin = cin, to.cout = cout, to.kernel_h = to.kernel_w = 3, to.stride_h = to.stride_w = 1;
        to.pad_top = to.pad_left = to.dilation_h = to.dilation_w = 1;
        commands.launch(card.device.kernel(tile.kernel), grid, to);
      },
      report, sweep);
}

}  // namespace ipa::gpu_check
