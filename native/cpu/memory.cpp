#include "cpu/memory.h"

#include <cstring>

namespace ipa::cpu {

namespace {

ipa::Buffer* allocate_buffer(void*, size_t bytes) { return new Buffer(bytes); }
void free_buffer(void*, ipa::Buffer* buffer) { delete static_cast<Buffer*>(buffer); }
void populate_part(void*, Place place, size_t bytes) { populate(address(place), bytes); }
void write(void*, Place to, const void* from, size_t bytes) { std::memcpy(address(to), from, bytes); }
void read(void*, Place from, void* to, size_t bytes) { std::memcpy(to, address(from), bytes); }

void copy(void*, const Copy* copies, size_t count) {
  for (const Copy* c = copies; c < copies + count; ++c) std::memcpy(address(c->to), address(c->from), c->bytes);
}

}  // namespace

void offer_memory(Backend& b) {
  b.allocate = allocate_buffer;
  b.free = free_buffer;
  b.populate = populate_part;
  b.write = write;
  b.read = read;
  b.copy = copy;
}

}  // namespace ipa::cpu
