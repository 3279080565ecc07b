#include "cuda/backend/step_loop.h"

#include <algorithm>

#include "cuda/kernels/latents.h"

namespace ipa::cuda {

namespace {

template <typename T>
T* pointer(Place p) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(address(p)));
}

driver::Grid blocks(size_t indices) {
  return {static_cast<uint32_t>(std::clamp<size_t>((indices + kElementThreads - 1) / kElementThreads, 1, 256))};
}

driver::Device& device(void* self) { return static_cast<Card*>(self)->device; }

}  // namespace

void written(Place at, size_t bytes) {
  for (Buffer::Watched& part : static_cast<Buffer*>(at.buffer)->watched)
    part.changed |= at.offset < part.offset + part.bytes && part.offset < at.offset + bytes;
}

void copy(void* self, const Copy* copies, size_t count) {
  for (size_t first = 0; first < count; first += static_cast<size_t>(kMostCopies)) {
    const size_t some = std::min(count - first, static_cast<size_t>(kMostCopies));
    CopyManyArguments arguments{};
    size_t most = 0;
    for (size_t i = 0; i < some; ++i) {
      const Copy& c = copies[first + i];
      arguments.parts[i] = {pointer<void>(c.from), pointer<void>(c.to), static_cast<int64_t>(c.bytes)};
      most = std::max(most, c.bytes);
      written(c.to, c.bytes);
    }
    device(self).launch(device(self).kernel("copy_many_words"), {blocks(most / 4).x, static_cast<uint32_t>(some)},
                        arguments);
  }
}

void combine(void* self, Place out, const Term* terms, size_t terms_count, size_t count) {
  CombineArguments arguments{};
  for (size_t i = 0; i < terms_count; ++i)
    arguments.factors[i] = terms[i].factor, arguments.x[i] = pointer<const float>(terms[i].x);
  arguments.out = pointer<float>(out);
  arguments.terms = static_cast<int32_t>(terms_count), arguments.count = static_cast<int32_t>(count);
  written(out, count * sizeof(float));
  device(self).launch(device(self).kernel("combine_f32"), blocks(count), arguments);
}

void guide(void* self, Place unconditional, Place conditional, double scale, double rescale, Place out, size_t count) {
  const GuideArguments arguments{
      pointer<const float>(unconditional), pointer<const float>(conditional), pointer<float>(out), scale, rescale,
      static_cast<int32_t>(count)};
  written(out, count * sizeof(float));
  if (rescale > 0)
    device(self).launch(device(self).kernel("guide_rescaled_f32"), {1}, arguments);
  else
    device(self).launch(device(self).kernel("guide_f32"), blocks(count), arguments);
}

bool finite(void* self, Place x, size_t count) {
  driver::Device& on = device(self);
  const driver::Memory& flag = static_cast<Card*>(self)->flag;
  on.fill(flag.at(), 0, 1);
  on.launch(on.kernel("finite_f32"), blocks(count),
            FiniteArguments{pointer<const float>(x), flag.as<uint32_t>(), static_cast<int32_t>(count)});
  uint32_t bad = 0;
  on.download(&bad, flag.at(), sizeof bad);
  return bad == 0;
}

}  // namespace ipa::cuda
