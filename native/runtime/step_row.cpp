#include "runtime/step_row.h"

#include <numeric>
#include <utility>

namespace ipa {

StepState::StepState(const Backend& backend, std::span<const float> x)
    : backend_(backend), count_(x.size()), drawn_(x.size()) {
  const size_t step = (x.size_bytes() + 63) / 64 * 64;
  const std::array<Place*, 10> places = {&x_,        &saved_,   &next_,    &noise_,   &guided_,
                                         &composed_, &kept_[0], &kept_[1], &kept_[2], &kept_[3]};
  memory_ = Memory(backend, step * places.size());
  for (size_t i = 0; i < places.size(); ++i) *places[i] = memory_.place(step * i);
  set(x_, x);
}

void StepState::set(Place to, std::span<const float> numbers) const {
  backend_.write(backend_.self, to, numbers.data(), numbers.size_bytes());
}

void StepState::combine(Place out, std::initializer_list<Term> terms) const {
  backend_.combine(backend_.self, out, terms.begin(), terms.size(), count_);
}

void StepState::read_x(std::span<float> to) const { backend_.read(backend_.self, x_, to.data(), to.size_bytes()); }

void StepState::read_denoised(double x, double factor, Place out, std::span<float> to) const {
  combine(next_, {{x, x_}, {factor, out}});  // where apply() will write anyway
  backend_.read(backend_.self, next_, to.data(), to.size_bytes());
}

bool StepState::finite() const { return backend_.finite(backend_.self, x_, count_); }

void StepState::scaled(double factor, Place to) const { combine(to, {{factor, x_}}); }

Place StepState::guided(Place unconditional, Place conditional, double scale, double rescale) const {
  backend_.guide(backend_.self, unconditional, conditional, scale, rescale, guided_, count_);
  return guided_;
}

Place StepState::composed(Place batch, size_t bytes, std::span<const double> weights) const {
  std::vector<double> all = {1 - std::accumulate(weights.begin(), weights.end(), 0.0)};
  all.insert(all.end(), weights.begin(), weights.end());
  return summed(batch, bytes, all);
}

Place StepState::summed(Place batch, size_t bytes, std::span<const double> weights) const {
  combine(composed_, {{weights[0], batch}, {weights[1], batch.at(bytes)}});
  for (size_t i = 2; i < weights.size(); ++i) combine(composed_, {{1, composed_}, {weights[i], batch.at(bytes * i)}});
  return composed_;
}

void StepState::keep(const StepRow& row, Place out) {
  if (row.push)
    for (size_t k = kept_.size() - 1; k > 0; --k) std::swap(kept_[k], kept_[k - 1]);
  combine(kept_[0], {{row.keep_x, x_}, {row.keep_out, out}});
}

void StepState::run(const StepUpdate& u) {
  const auto kept = [&](size_t k) { return Term{k < u.outputs.size() ? u.outputs[k] : 0, kept_[k]}; };
  combine(next_, {{u.x, x_}, {u.saved, saved_}, kept(0), kept(1), kept(2), kept(3), {u.noise, noise_}});
  if (u.save_x) std::swap(saved_, x_);
  std::swap(x_, next_);
}

}  // namespace ipa
