// Rows of single kernels. Weights rotate over more memory than the caches hold, as they do inside a network. Errors are
// of a sample of results against sums in f64 of the same operands, which are numbers that bf16 holds.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

#include "core/arena.h"
#include "rows.h"

namespace ipa::bench {

namespace {

using namespace cpu;

// As many copies of one packed weight as fill `kRotate` bytes.
constexpr size_t kRotate = size_t{320} << 20;

struct Weights {
  std::vector<Arena> copies;
  Weights(const Level& level, const std::vector<float>& w, int64_t n, int64_t cin, int64_t taps, bool geglu) {
    const size_t bytes = level.packed_bytes(cin * taps, n);
    copies.push_back(allocate(bytes));
    level.pack(w.data(), n, cin, taps, geglu, copies[0].get());
    while (copies.size() < kRotate / bytes && copies.size() < 32) {
      copies.push_back(allocate(bytes));
      std::memcpy(copies.back().get(), copies[0].get(), bytes);
    }
  }
  const void* at(int i) const { return copies[static_cast<size_t>(i) % copies.size()].get(); }
};

float* floats(const Arena& a) { return reinterpret_cast<float*>(a.get()); }

double matmul(Bench& b, const Level& level, int64_t m, int64_t k, int64_t n, bool geglu) {
  const std::string name =
      "matmul " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) + (geglu ? " geglu" : "");
  if (name.find(b.filter) == std::string::npos) return {};
  const int64_t columns = geglu ? n / 2 : n;
  const auto w = numbers(n * k, 2, std::sqrt(3.0f / static_cast<float>(k))), bias = numbers(n, 3);
  const Arena a = allocate(static_cast<size_t>(m * k) * 4), y = allocate(static_cast<size_t>(m * columns) * 4);
  std::memcpy(a.get(), numbers(m * k, 1).data(), static_cast<size_t>(m * k) * 4);
  const Weights weights(level, w, n, k, 1, geglu);
  MatMulArgs args = {
      floats(a), m, {nullptr, k, n}, m, {floats(y), bias.data(), nullptr, 0, nullptr, Function::identity, geglu}};
  const Arena scratch = allocate(level.matmul_scratch(args, b.pool().threads()));
  const auto error = [&] {
    double worst = 0, square = 0;
    for (int i = 0; i < 200; ++i) {
      const int64_t row = i * 7919 % m, column = i * 104729 % columns;
      const auto sum = [&](int64_t c) {
        double s = static_cast<double>(bias[static_cast<size_t>(c)]);
        for (int64_t j = 0; j < k; ++j)
          s += static_cast<double>(floats(a)[row * k + j]) * static_cast<double>(w[static_cast<size_t>(c * k + j)]);
        return s;
      };
      double v = sum(column);
      if (geglu) {
        const double gate = sum(column + columns);
        v *= 0.5 * gate * std::erfc(-gate / std::sqrt(2.0));
      }
      worst = std::max(worst, std::abs(v - static_cast<double>(floats(y)[row * columns + column])));
      square += v * v;
    }
    return worst / std::sqrt(square / 200);
  };
  return b.row(
      name, 2.0 * static_cast<double>(m * k * n),
      [&](int i) {
        args.w.data = weights.at(i);
        level.matmul(args, {b.pool(), stop, scratch.get()});
      },
      error);
}

void conv(Bench& b, const Level& level, int64_t size, int64_t cin, int64_t out) {
  const std::string name = "conv3x3 " + std::to_string(size) + "x" + std::to_string(size) + "x" + std::to_string(cin) +
                           "x" + std::to_string(out);
  if (name.find(b.filter) == std::string::npos) return {};
  const int64_t k = 9 * cin, pixels = size * size;
  const auto w = numbers(out * k, 2, std::sqrt(3.0f / static_cast<float>(k))), bias = numbers(out, 3);
  const Arena x = allocate(static_cast<size_t>(pixels * cin) * 4), y = allocate(static_cast<size_t>(pixels * out) * 4);
  std::memcpy(x.get(), numbers(pixels * cin, 1).data(), static_cast<size_t>(pixels * cin) * 4);
  const Weights weights(level, w, out, cin, 9, false);
  ConvArgs args = {floats(x),
                   1,
                   size,
                   size,
                   cin,
                   size,
                   size,
                   3,
                   3,
                   1,
                   1,
                   1,
                   1,
                   1,
                   1,
                   size,
                   size,
                   {nullptr, k, out},
                   {floats(y), bias.data(), nullptr, 0, nullptr, Function::identity, false}};
  const Arena scratch = allocate(level.conv_scratch(args, b.pool().threads()));
  const auto error = [&] {
    double worst = 0, square = 0;
    for (int i = 0; i < 200; ++i) {
      const int64_t row = i * 7919 % pixels, column = i * 104729 % out;
      double v = static_cast<double>(bias[static_cast<size_t>(column)]);
      for (int64_t t = 0; t < 9; ++t) {
        const int64_t iy = row / size + t / 3 - 1, ix = row % size + t % 3 - 1;
        if (iy < 0 || ix < 0 || iy >= size || ix >= size) continue;
        for (int64_t c = 0; c < cin; ++c)
          v += static_cast<double>(floats(x)[(iy * size + ix) * cin + c]) *
               static_cast<double>(w[static_cast<size_t>((column * cin + c) * 9 + t)]);
      }
      worst = std::max(worst, std::abs(v - static_cast<double>(floats(y)[row * out + column])));
      square += v * v;
    }
    return worst / std::sqrt(square / 200);
  };
  return b.row(
      name, 2.0 * static_cast<double>(pixels * k * out),
      [&](int i) {
        args.weight.data = weights.at(i);
        level.conv(args, {b.pool(), stop, scratch.get()});
      },
      error);
}

void attend(Bench& b, const Level& level, int heads, int64_t queries, int64_t tokens, int64_t d) {
  const std::string name = "attention " + std::to_string(heads) + "x" + std::to_string(queries) + "x" +
                           std::to_string(tokens) + "x" + std::to_string(d);
  if (name.find(b.filter) == std::string::npos) return {};
  const int64_t c = heads * d;
  const auto q = numbers(queries * c, 1, 2), k = numbers(tokens * c, 2, 2), v = numbers(tokens * c, 3);
  std::vector<float> y(static_cast<size_t>(queries * c));
  const AttendTermArgs term = {k.data(), v.data(), 0, tokens, nullptr, nullptr, 0};
  const float factor = 1 / std::sqrt(static_cast<float>(d));
  const AttendArgs args = {q.data(), 1, queries, heads, d, factor, false, &term, 1, y.data()};
  const Arena scratch = allocate(level.attend_scratch(args, b.pool().threads()));
  const auto error = [&] {
    double worst = 0, square = 0;
    for (int i = 0; i < 20; ++i) {
      const int64_t query = i * 7919 % queries, head = i % heads;
      std::vector<double> p(static_cast<size_t>(tokens));
      double total = 0;
      for (int64_t t = 0; t < tokens; ++t) {
        double s = 0;
        for (int64_t e = 0; e < d; ++e)
          s += static_cast<double>(q[static_cast<size_t>(query * c + head * d + e)]) *
               static_cast<double>(k[static_cast<size_t>(t * c + head * d + e)]);
        total += p[static_cast<size_t>(t)] = std::exp(s * static_cast<double>(factor));
      }
      for (int64_t e = 0; e < d; ++e) {
        double o = 0;
        for (int64_t t = 0; t < tokens; ++t)
          o += p[static_cast<size_t>(t)] / total * static_cast<double>(v[static_cast<size_t>(t * c + head * d + e)]);
        worst = std::max(worst, std::abs(o - static_cast<double>(y[static_cast<size_t>(query * c + head * d + e)])));
        square += o * o / static_cast<double>(d);
      }
    }
    return worst / std::sqrt(square / 20);
  };
  return b.row(
      name, 4.0 * static_cast<double>(heads * queries * tokens * d),
      [&](int) {
        level.attend(args, {b.pool(), stop, scratch.get()});
      },
      error);
}

// What is bound by memory, as a share of nothing: seconds only matter.
void group_norm(Bench& b, const Level& level, int64_t pixels, int64_t channels) {
  const auto x = numbers(pixels * channels, 1), scale = numbers(channels, 2), shift = numbers(channels, 3);
  std::vector<float> y(x.size());
  const GroupNormArgs args = {x.data(), scale.data(), shift.data(),   1,       pixels, channels,
                              32,       1e-5f,        Function::silu, y.data()};
  const Arena scratch = allocate(level.group_norm_scratch(args, b.pool().threads()));
  b.row(
      "group_norm silu " + std::to_string(pixels) + "x" + std::to_string(channels),
      8.0 * static_cast<double>(pixels * channels),
      [&](int) {
        level.group_norm(args, {b.pool(), stop, scratch.get()});
      },
      [] { return 0.0; });
}

void layer_norm(Bench& b, const Level& level, int64_t rows, int64_t channels) {
  const auto x = numbers(rows * channels, 1), scale = numbers(channels, 2), shift = numbers(channels, 3);
  std::vector<float> y(x.size());
  const LayerNormArgs args = {x.data(), scale.data(), shift.data(), rows, channels, 1e-5f, y.data()};
  b.row(
      "layer_norm " + std::to_string(rows) + "x" + std::to_string(channels), 8.0 * static_cast<double>(rows * channels),
      [&](int) {
        level.layer_norm(args, {b.pool(), stop, nullptr});
      },
      [] { return 0.0; });
}

void all(Bench& b) {
  for (const auto& [size, cin, out] : {std::tuple<int64_t, int64_t, int64_t>{64, 320, 320},
                                       {32, 640, 640},
                                       {16, 1280, 1280},
                                       {8, 1280, 1280},
                                       {16, 2560, 1280},
                                       {64, 960, 320}})
    conv(b, size, cin, out);
  // Shapes of SD 1.5 at 512 x 512 and how often a forward pass has them.
  struct Shape {
    int64_t count, m, k, n;
    bool geglu;
  };
  double wall_logs = 0, cpu_logs = 0, weight = 0;
  for (const Shape& s :
       {Shape{40, 4096, 320, 320, false}, Shape{40, 1024, 640, 640, false}, Shape{40, 256, 1280, 1280, false},
        Shape{5, 4096, 320, 2560, true}, Shape{5, 1024, 640, 5120, true}, Shape{5, 256, 1280, 10240, true},
        Shape{5, 4096, 1280, 320, false}, Shape{5, 1024, 2560, 640, false}, Shape{5, 256, 5120, 1280, false}}) {
    const Shares share = matmul(b, s.m, s.k, s.n, s.geglu);
    if (share.wall == 0) continue;
    weight += static_cast<double>(s.count);
    wall_logs += static_cast<double>(s.count) * std::log(share.wall);
    cpu_logs += static_cast<double>(s.count) * std::log(share.cpu);
  }
  if (weight > 0)
    std::printf("{\"name\": \"%s matmul geometric mean\", \"fraction\": %.3f, \"cpu_fraction\": %.3f}\n", level.name,
                std::exp(wall_logs / weight), std::exp(cpu_logs / weight));
  attend(b, 8, 4096, 4096, 40);
  attend(b, 8, 1024, 1024, 80);
  attend(b, 8, 256, 256, 160);
  attend(b, 10, 4096, 4096, 64);
  attend(b, 8, 4096, 77, 40);
  attend(b, 1, 4096, 4096, 512);
  group_norm(b, 4096, 320);
  layer_norm(b, 4096, 320);
}

}  // namespace
}  // namespace ipa::cpu

int main(int argc, char** argv) {
  using namespace ipa::cpu;
  const Level& level = argc > 1 ? ipa::cpu::level(argv[1]) : default_level();
  ipa::ThreadPool pool(argc > 2 ? std::atoi(argv[2]) : ipa::available_cores());
  Bench bench = {level, pool, argc > 3 ? std::atoi(argv[3]) : 15, argc > 4 ? argv[4] : ""};
  all(bench);
}
