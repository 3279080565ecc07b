#include "runtime/feed.h"

namespace ipa {

Feed::Feed(const Backend& backend, const UNetConfig& config, const Start& start, const UNetRun& run, int64_t rows)
    : backend_(backend), start_(start), run_(run), rows_(rows) {
  const int64_t numbers = start.x().shape.tokens() * config.in_channels;
  bytes_ = static_cast<size_t>(numbers) * sizeof(float);
  if (config.in_channels == config.out_channels) return;
  x_.resize(start.x().data.size());
  joined_.resize(static_cast<size_t>(numbers));
}

void Feed::operator()(const StepState& state, double scale) const {
  if (joined_.empty()) {
    for (int64_t row = 0; row < rows_; ++row) state.scaled(scale, run_.x().at(bytes_ * static_cast<size_t>(row)));
    return;
  }
  state.read_x(x_);
  for (float& v : x_) v = static_cast<float>(static_cast<double>(v) * scale);
  start_.join(x_, joined_);
  for (int64_t row = 0; row < rows_; ++row)
    backend_.write(backend_.self, run_.x().at(bytes_ * static_cast<size_t>(row)), joined_.data(), bytes_);
}

}  // namespace ipa
