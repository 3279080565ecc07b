// The shadow of shared memory.
#include "cuda/emulator/shadow.h"

namespace ipa::cuda::emulator {
namespace {

constexpr size_t kWord = 4;  // bytes

std::string hazard(const char* what, uint32_t warp, const char* how, uint32_t other, size_t word) {
  return "warp " + std::to_string(warp) + " " + what + " shared memory at byte " + std::to_string(word * kWord) +
         " that warp " + std::to_string(other) + " " + how + " without a barrier in between";
}

}  // namespace

void Shadow::begin(size_t bytes) {
  const size_t words = (bytes + kWord - 1) / kWord;
  if (words_.size() < words) words_.resize(words);
  ++epoch_;
}

std::string Shadow::read(uint32_t warp, size_t offset, size_t bytes) {
  for (size_t i = offset / kWord; i < (offset + bytes + kWord - 1) / kWord; ++i) {
    Word& word = words_[i];
    if (word.written == epoch_ && word.writer != warp) return hazard("reads", warp, "wrote", word.writer, i);
    if (word.read != epoch_) word.read = epoch_, word.readers = 0;
    word.readers |= 1u << warp;
  }
  return {};
}

std::string Shadow::write(uint32_t warp, size_t offset, size_t bytes) {
  for (size_t i = offset / kWord; i < (offset + bytes + kWord - 1) / kWord; ++i) {
    Word& word = words_[i];
    if (word.written == epoch_ && word.writer != warp) return hazard("writes", warp, "wrote", word.writer, i);
    if (word.read == epoch_ && (word.readers & ~(1u << warp)) != 0) {
      uint32_t other = 0;
      while (other == warp || (word.readers >> other & 1u) == 0) ++other;
      return hazard("writes", warp, "read", other, i);
    }
    word.written = epoch_, word.writer = warp;
  }
  return {};
}

}  // namespace ipa::cuda::emulator
