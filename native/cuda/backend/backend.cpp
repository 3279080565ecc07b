#include "cuda/backend/backend.h"

#include <algorithm>
#include <cstring>

#include "cuda/backend/program.h"
#include "cuda/backend/step_loop.h"
#include "cuda/backend/weight_stream.h"
#include "cuda/backend/weights.h"

namespace ipa::cuda {

namespace {

Card& own(void* self) { return *static_cast<Card*>(self); }

ipa::Buffer* allocate(void* self, size_t bytes) {
  return new Buffer(own(self).device.allocate(std::max<size_t>(bytes, 4), "a buffer"));
}
void free_buffer(void*, ipa::Buffer* buffer) { delete static_cast<Buffer*>(buffer); }
void populate(void*, Place, size_t) {}  // it is there from the start
void write(void* self, Place to, const void* from, size_t bytes) {
  written(to, bytes);
  own(self).device.upload(address(to), from, bytes);
}
void read(void* self, Place from, void* to, size_t bytes) {
  const auto& buffer = *static_cast<Buffer*>(from.buffer);
  if (buffer.is_streamed())
    std::memcpy(to, buffer.streamed.data() + from.offset, bytes);
  else
    own(self).device.download(to, address(from), bytes);
}

}  // namespace

Backend make_backend(Card& card) {
  Backend b;
  b.self = &card;
  b.name = card.name.c_str();
  b.fastest = Compute::f16;
  b.fastest_wide = card.device.properties().capability >= 80 ? Compute::bf16 : Compute::f32;
  b.apart = true;
  b.allocate = allocate;
  b.free = free_buffer;
  b.allocate_streamed = allocate_streamed;
  b.streaming_seconds = streaming_seconds;
  b.populate = populate;
  b.write = write;
  b.read = read;
  b.copy = copy;
  b.stored_type = stored_type;
  b.packed_bytes = packed_bytes;
  b.pack_unit = pack_unit;
  b.pack = pack;
  b.memory = memory;
  b.prepare = prepare;
  b.release = release;
  b.scratch_bytes = scratch_bytes;
  b.input = input;
  b.output = output;
  b.run = run;
  b.status_path = status_path;
  b.combine = combine;
  b.guide = guide;
  b.finite = finite;
  return b;
}

}  // namespace ipa::cuda
