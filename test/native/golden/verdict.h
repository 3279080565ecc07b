#pragma once
// What the comparisons of one case came to: the one nearest to its limit, or beyond it.
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

namespace ipa::golden {

class Verdict {
 public:
  // |got - want| <= limit(want) for every element. NaN never passes, nor does another count.
  template <typename Got, typename Want, typename Limit>
    requires requires(Limit f) { f(0.0); }
  void close(const std::string& what, const Got& got, const Want& want, Limit limit) {
    if (std::size(got) != std::size(want)) {
      fault(what + " has " + std::to_string(std::size(got)) + " numbers, expected " + std::to_string(std::size(want)));
      return;
    }
    for (size_t i = 0; i < std::size(got); ++i) {
      const double expected = static_cast<double>(want[i]);
      record(what, std::abs(static_cast<double>(got[i]) - expected), limit(expected));
    }
    ++compared_;
  }
  template <typename Got, typename Want>
  void close(const std::string& what, const Got& got, const Want& want, double limit) {
    close(what, got, want, [limit](double) { return limit; });
  }
  void require(bool holds, const std::string& otherwise) {
    ++compared_;
    if (!holds) fault(otherwise);
  }
  // A case that compares nothing has not passed.
  void fault(const std::string& message) {
    if (message_.empty()) message_ = message;
    ++faults_;
  }

  bool passed() const { return faults_ == 0 && compared_ > 0 && ratio_ <= 1; }
  double worst() const { return worst_; }
  double limit() const { return limit_; }
  std::string message() const {
    if (faults_ > 1) return message_ + " (and " + std::to_string(faults_ - 1) + " more)";
    return faults_ > 0 ? message_ : compared_ == 0 ? "nothing was compared" : at_;
  }

 private:
  void record(const std::string& what, double error, double limit) {
    const double share = error == 0 ? 0 : error / limit;  // a limit of 0 wants equality
    // A NaN, or a reference with a NaN and therefore no limit.
    const double ratio = std::isnan(share) ? std::numeric_limits<double>::infinity() : share;
    if (ratio < ratio_ || (ratio == ratio_ && !at_.empty())) return;
    ratio_ = ratio, worst_ = error, limit_ = limit, at_ = what;
  }

  double ratio_ = 0, worst_ = 0, limit_ = 0;
  size_t compared_ = 0, faults_ = 0;
  std::string at_, message_;
};

}  // namespace ipa::golden
