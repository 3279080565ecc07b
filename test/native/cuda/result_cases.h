#pragma once
// The way of sums to the result (cuda/kernels/result.h) in f64, for the cases of products and convolutions.
#include "cuda/kernels/result.h"
#include "kernel_cases.h"

namespace ipa::cuda {

enum class Channel : uint8_t { none, shared, per_image };

struct ResultCase {
  bool bias = false;
  Channel channel = Channel::none;
  bool residual = false;
  ResultFunction function = ResultFunction::identity;
  bool geglu = false;
  int moment_rows = 0;  // 0: no moments are wanted; -1: those of a tile
};

inline constexpr ResultCase kPlain{}, kBias{.bias = true},
    kAll{.bias = true, .channel = Channel::per_image, .residual = true},
    kAllSilu{.bias = true, .channel = Channel::per_image, .residual = true, .function = ResultFunction::silu},
    kShared{.channel = Channel::shared, .function = ResultFunction::relu},
    kGelu{.bias = true, .function = ResultFunction::gelu},
    kQuickGelu{.bias = true, .residual = true, .function = ResultFunction::quick_gelu},
    kMoments{.bias = true, .residual = true, .moment_rows = 64},
    kTileMoments{.bias = true, .channel = Channel::per_image, .function = ResultFunction::silu, .moment_rows = -1},
    kGeglu{.bias = true, .geglu = true},
    kGegluAll{.bias = true, .channel = Channel::per_image, .residual = true, .geglu = true};

inline double wide_gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
inline double wide_function(ResultFunction function, double x) {
  switch (function) {
    case ResultFunction::identity:
      return x;
    case ResultFunction::relu:
      return std::max(x, 0.0);
    case ResultFunction::silu:
      return x / (1 + std::exp(-x));
    case ResultFunction::gelu:
      return wide_gelu(x);
    case ResultFunction::quick_gelu:
      return x / (1 + std::exp(-1.702 * x));
  }
  return x;
}

// Tensors of a result [rows][n] of images with rows_per_image rows each.
class ResultGiven {
 public:
  ResultGiven(const ResultCase& what, int rows, int n, int rows_per_image, std::mt19937_64& random)
      : what_(what),
        rows_(rows),
        n_(n),
        columns_(what.geglu ? n / 2 : n),
        rows_per_image_(rows_per_image),
        bias_(n),
        channel_(static_cast<size_t>(images()) * n),
        residual_(static_cast<size_t>(rows) * columns_),
        moments_(static_cast<size_t>((rows + 63) / 64) * (n / 2)) {
    fill(bias_, random, 1), fill(channel_, random, 1), fill(residual_, random, 1);
  }

  // From sums [rows][n] in the file's order of columns.
  std::vector<double> reference(const std::vector<double>& sums) const {
    std::vector<double> y(static_cast<size_t>(rows_) * columns_);
    for (int row = 0; row < rows_; ++row)
      for (int column = 0; column < columns_; ++column) {
        const size_t at = static_cast<size_t>(row) * columns_ + column;
        y[at] = wide_function(what_.function, biased(sums, row, column));
        if (what_.geglu) y[at] *= wide_gelu(biased(sums, row, columns_ + column));
        if (what_.residual) y[at] += residual_[at];
      }
    return y;
  }

  // Moments of pairs of columns of y, which the launch must have left for parts of `rows` rows.
  std::string wrong_moments(const std::vector<double>& y, int rows) {
    if (what_.moment_rows == 0) return "";
    std::vector<double> means, squares;
    for (int first = 0; first < rows_; first += rows)
      for (int column = 0; column < n_; column += 2) {
        const int count = std::min(rows, rows_ - first) * 2;
        const auto at = [&](int i) { return y[static_cast<size_t>(first + i / 2) * n_ + column + i % 2]; };
        double mean = 0, sum = 0;
        for (int i = 0; i < count; ++i) mean += at(i) / count;
        for (int i = 0; i < count; ++i) sum += (at(i) - mean) * (at(i) - mean);
        means.push_back(mean), squares.push_back(sum / count);
      }
    Tensor<float> got_means(means.size()), got_squares(means.size());
    for (size_t i = 0; i < means.size(); ++i) {
      const int first = static_cast<int>(i) / (n_ / 2) * rows;
      got_means[i] = moments_[i].mean;
      got_squares[i] = moments_[i].squares / static_cast<float>(std::min(rows, rows_ - first) * 2);
    }
    // The numbers themselves are sums of products of 16 bits in f32.
    if (!(relative_error(got_means, means) <= 1e-4) || !(relative_error(got_squares, squares) <= 1e-4))
      return ": moments";
    return moments_.intact() ? "" : ": wrote outside its moments";
  }

  ResultArguments arguments(void* y, int tile_rows) {
    const int rows = what_.moment_rows < 0 ? tile_rows : what_.moment_rows;
    std::fill_n(reinterpret_cast<std::byte*>(moments_.data()), moments_.bytes().size(), std::byte{0xff});
    return {what_.bias ? bias_.data() : nullptr,
            what_.channel != Channel::none ? channel_.data() : nullptr,
            what_.residual ? residual_.data() : nullptr,
            y,
            what_.channel == Channel::per_image ? n_ : 0,
            rows_per_image_,
            what_.function,
            what_.geglu,
            0,
            rows > 0 ? moments_.data() : nullptr,
            rows};
  }

  int moment_rows(int tile_rows) const { return what_.moment_rows < 0 ? tile_rows : what_.moment_rows; }
  bool intact() { return bias_.intact() && channel_.intact() && residual_.intact(); }

 private:
  int images() const {
    return what_.channel == Channel::per_image ? (rows_ + rows_per_image_ - 1) / rows_per_image_ : 1;
  }
  double biased(const std::vector<double>& sums, int row, int column) const {
    double sum = sums[static_cast<size_t>(row) * n_ + column];
    if (what_.bias) sum += bias_[column];
    const int image = what_.channel == Channel::per_image ? row / rows_per_image_ : 0;
    if (what_.channel != Channel::none) sum += channel_[static_cast<size_t>(image) * n_ + column];
    return sum;
  }

  ResultCase what_;
  int rows_, n_, columns_, rows_per_image_;
  Tensor<float> bias_, channel_, residual_;
  Tensor<GroupMoments> moments_;
};

// The memory of a launch in slices: sums that begin as NaN, arrivals that begin and must end as zeros.
class SplitGiven {
 public:
  SplitGiven(int slices, int m, int n, emulator::Grid grid)
      : slices_(slices),
        sums_(slices > 1 ? static_cast<size_t>(slices) * m * n : 0),
        arrivals_(slices > 1 ? grid.x * grid.y : 0) {
    std::fill_n(arrivals_.data(), arrivals_.size(), 0u);
  }
  SplitArguments arguments() { return slices_ > 1 ? SplitArguments{sums_.data(), arrivals_.data()} : SplitArguments{}; }
  bool intact() {
    const std::span<const std::byte> bytes = arrivals_.bytes();
    return sums_.intact() && arrivals_.intact() &&
           std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  }

 private:
  int slices_;
  Tensor<float> sums_;
  Tensor<uint32_t> arrivals_;
};

}  // namespace ipa::cuda
