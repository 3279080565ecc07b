// Rows of single kernels. Weights rotate over more memory than the caches hold, as they do inside a network. Errors are
// of a sample of results against sums in f64 of the same operands, which are numbers that bf16 holds.
#include <cmath>
#include <cstring>

#include "core/arena.h"
#include "rows.h"

namespace ipa::bench {

namespace {

using namespace cpu;

using Numbers = std::vector<float>;

double at(const Numbers& v, int64_t i) { return static_cast<double>(v[static_cast<size_t>(i)]); }

std::string by(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (int64_t size : sizes) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

// As checkpoints are: f32 levels keep f16, the others have a form of their own.
constexpr DType kStored = DType::f16;

// As many copies of one packed weight as fill `kRotate` bytes.
constexpr size_t kRotate = size_t{320} << 20;

struct Weights {
  std::vector<Arena> copies;
  Weights(const Bench& b, const Level& level, const Numbers& w, int64_t n, int64_t cin, int64_t taps, bool geglu) {
    const size_t bytes = level.packed_bytes(cin * taps, n, kStored);
    copies.push_back(allocate(bytes));
    level.pack({w.data(), DType::f32, n, cin, taps, geglu, 0, geglu ? n / 2 : n, copies[0].get(), kStored});
    while (!b.on_request() && copies.size() < kRotate / bytes && copies.size() < 32) {  // the other program has one
      copies.push_back(allocate(bytes));
      std::memcpy(copies.back().get(), copies[0].get(), bytes);
    }
  }
  const void* at(int i) const { return copies[static_cast<size_t>(i) % copies.size()].get(); }
};

const StopFlag kGoOn;

// Returns the share of the peak; 0 when the row is not wanted.
double matmul(Bench& b, const Level& level, int64_t m, int64_t k, int64_t n, bool geglu) {
  const std::string name = "matmul " + by({m, k, n}) + (geglu ? " geglu" : "");
  if (!b.wants(name)) return 0;
  const int64_t columns = geglu ? n / 2 : n;
  const Numbers a = numbers(m * k, 1), w = numbers(n * k, 2, std::sqrt(3.0f / static_cast<float>(k))),
                bias = numbers(n, 3);
  Numbers y(static_cast<size_t>(m * columns));
  const Weights weights(b, level, w, n, k, 1, geglu);
  MatMulArgs args = {
      a.data(), m, {nullptr, k, n, kStored}, m, {y.data(), bias.data(), nullptr, 0, nullptr, Function::identity, geglu}};
  const Arena scratch = allocate(level.matmul_scratch(args, b.pool().threads()));
  const auto run = [&](int i) {
    args.w.data = weights.at(i);
    level.matmul(args, {b.pool(), kGoOn, scratch.get()});
  };
  run(0);
  std::vector<double> exact, got;
  for (int64_t i = 0; i < 400; ++i) {
    const int64_t row = i * 7919 % m, column = i * 104729 % columns;
    const auto sum = [&](int64_t c) {
      double s = at(bias, c);
      for (int64_t j = 0; j < k; ++j) s += at(a, row * k + j) * at(w, c * k + j);
      return s;
    };
    double v = sum(column);
    if (geglu) {
      const double gate = sum(column + columns);
      v *= 0.5 * gate * std::erfc(-gate / std::sqrt(2.0));
    }
    exact.push_back(v), got.push_back(at(y, row * columns + column));
  }
  Row row = b.measure(name, 2.0 * static_cast<double>(m * k * n), run);
  row.error = relative_error(exact, got);
  b.report(row);
  return row.fraction;
}

void conv(Bench& b, const Level& level, int64_t size, int64_t cin, int64_t out) {
  const std::string name = "conv3x3 " + by({size, size, cin, out});
  if (!b.wants(name)) return;
  const int64_t k = 9 * cin, pixels = size * size;
  const Numbers x = numbers(pixels * cin, 1), w = numbers(out * k, 2, std::sqrt(3.0f / static_cast<float>(k))),
                bias = numbers(out, 3);
  Numbers y(static_cast<size_t>(pixels * out));
  const Weights weights(b, level, w, out, cin, 9, false);
  ConvArgs args{};
  args.x = x.data(), args.n = 1, args.c = cin;
  args.h = args.w = args.virtual_h = args.virtual_w = args.out_h = args.out_w = size;
  args.kernel_h = args.kernel_w = 3;
  args.stride_h = args.stride_w = args.pad_top = args.pad_left = args.dilation_h = args.dilation_w = 1;
  args.weight = {nullptr, k, out, kStored};
  args.result = {y.data(), bias.data(), nullptr, 0, nullptr, Function::identity, false};
  const bool few = level.conv_few && level.conv_few_fits(args);  // as steps.cpp chooses
  const bool winograd = !few && level.winograd && level.winograd_fits(args);
  const auto kernel = few ? level.conv_few : winograd ? level.winograd : level.conv;
  const auto room = few ? level.conv_few_scratch : winograd ? level.winograd_scratch : level.conv_scratch;
  const Arena scratch = allocate(room(args, b.pool().threads()));
  const auto run = [&](int i) {
    args.weight.data = weights.at(i);
    kernel(args, {b.pool(), kGoOn, scratch.get()});
  };
  run(0);
  std::vector<double> exact, got;
  for (int64_t i = 0; i < 400; ++i) {
    const int64_t row = i * 7919 % pixels, column = i * 104729 % out;
    double v = at(bias, column);
    for (int64_t t = 0; t < 9; ++t) {
      const int64_t iy = row / size + t / 3 - 1, ix = row % size + t % 3 - 1;
      if (iy < 0 || ix < 0 || iy >= size || ix >= size) continue;
      for (int64_t c = 0; c < cin; ++c) v += at(x, (iy * size + ix) * cin + c) * at(w, (column * cin + c) * 9 + t);
    }
    exact.push_back(v), got.push_back(at(y, row * out + column));
  }
  Row row = b.measure(name, 2.0 * static_cast<double>(pixels * k * out), run);
  row.error = relative_error(exact, got);
  b.report(row);
}

void attend(Bench& b, const Level& level, int heads, int64_t queries, int64_t tokens, int64_t d) {
  const std::string name = "attention " + by({heads, queries, tokens, d});
  if (!b.wants(name)) return;
  const int64_t c = heads * d;
  const Numbers q = numbers(queries * c, 1, 2), k = numbers(tokens * c, 2, 2), v = numbers(tokens * c, 3);
  Numbers y(static_cast<size_t>(queries * c));
  const AttendTermArgs term = {k.data(), v.data(), 0, tokens, nullptr, nullptr, 0};
  const float factor = 1 / std::sqrt(static_cast<float>(d));
  const AttendArgs args = {q.data(), 1, queries, heads, d, factor, false, &term, 1, y.data()};
  const Arena scratch = allocate(level.attend_scratch(args, b.pool().threads()));
  const auto run = [&](int) { level.attend(args, {b.pool(), kGoOn, scratch.get()}); };
  run(0);
  std::vector<double> exact, got;
  for (int64_t i = 0; i < 20; ++i) {
    const int64_t query = i * 7919 % queries, head = i % heads;
    std::vector<double> p;
    double total = 0;
    for (int64_t t = 0; t < tokens; ++t) {
      double s = 0;
      for (int64_t e = 0; e < d; ++e) s += at(q, query * c + head * d + e) * at(k, t * c + head * d + e);
      p.push_back(std::exp(s * static_cast<double>(factor)));
      total += p.back();
    }
    for (int64_t e = 0; e < d; ++e) {
      double o = 0;
      for (int64_t t = 0; t < tokens; ++t) o += p[static_cast<size_t>(t)] / total * at(v, t * c + head * d + e);
      exact.push_back(o), got.push_back(at(y, query * c + head * d + e));
    }
  }
  Row row = b.measure(name, 4.0 * static_cast<double>(heads * queries * tokens * d), run);
  row.error = relative_error(exact, got);
  b.report(row);
}

}  // namespace

void kernel_rows(Bench& b, const Level& level) {
  conv(b, level, 64, 320, 320), conv(b, level, 32, 640, 640), conv(b, level, 16, 1280, 1280);
  conv(b, level, 8, 1280, 1280), conv(b, level, 16, 2560, 1280), conv(b, level, 64, 960, 320);
  conv(b, level, 512, 64, 64), conv(b, level, 512, 64, 3);  // of a tiny autoencoder
  // Linear layers of SD1.5 at 512 x 512; the mean is over all of them, each once.
  double logs = 0;
  int count = 0;
  for (const int64_t width : {320, 640, 1280}) {
    const int64_t m = 4096 * 320 * 320 / (width * width);
    for (const double share : {matmul(b, level, m, width, width, false), matmul(b, level, m, width, 8 * width, true),
                               matmul(b, level, m, 4 * width, width, false)})
      if (share > 0) logs += std::log(share), ++count;
  }
  if (count > 1) {
    Row mean;
    mean.name = "matmul geometric mean", mean.fraction = std::exp(logs / count);
    b.report(mean);
  }
  attend(b, level, 8, 4096, 4096, 40), attend(b, level, 8, 1024, 1024, 80), attend(b, level, 8, 256, 256, 160);
  attend(b, level, 10, 4096, 4096, 64), attend(b, level, 20, 1024, 1024, 64), attend(b, level, 8, 4096, 77, 40);
  attend(b, level, 1, 4096, 4096, 512);
}

}  // namespace ipa::bench
