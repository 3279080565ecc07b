#pragma once
// What a network takes at work on one picture, known from its file's header and its plans: nothing is read or run for
// it.
#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/load.h"

namespace ipa {

struct PictureWork {
  int64_t width, height;           // latents
  int64_t batch = 1;               // rows that the UNet computes at once
  int64_t chunks = 1;              // of the longest prompt
  int64_t calls = 1;               // of the UNet
  std::vector<int> prompt_tokens;  // one per image prompt
};

// Bytes.
struct Need {
  uint64_t weights = 0;
  uint64_t run = 0;  // values of all its programs that are kept side by side, and what their kernels take besides
};

// `room`: of both together; a decoder that would need more works in bands where those keep within it. 0: no bound.
Need need_of(const Loaded& loaded, const PictureWork& work, uint64_t room = 0);

}  // namespace ipa
