#include "runtime/feed.h"

namespace ipa {

Feed::Feed(const Backend& backend, const UNetConfig& config, const Start& start, const UNetRun& run, bool guided)
    : backend_(backend), start_(start), run_(run), guided_(guided) {
  const int64_t numbers = start.x().shape.tokens() * config.in_channels;
  half_ = static_cast<size_t>(numbers) * sizeof(float);
  if (config.in_channels == config.out_channels) return;
  x_.resize(start.x().data.size());
  joined_.resize(static_cast<size_t>(numbers));
}

void Feed::operator()(const StepState& state, double scale) const {
  if (joined_.empty()) {
    state.scaled(scale, run_.x());
    if (guided_) state.scaled(scale, run_.x().at(half_));
    return;
  }
  state.read_x(x_);
  for (float& v : x_) v = static_cast<float>(static_cast<double>(v) * scale);
  start_.join(x_, joined_);
  backend_.write(backend_.self, run_.x(), joined_.data(), half_);
  if (guided_) backend_.write(backend_.self, run_.x().at(half_), joined_.data(), half_);
}

}  // namespace ipa
