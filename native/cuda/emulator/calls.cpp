// The emulator from a thread's side: what the wrappers call.
#include "cuda/emulator/calls.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <string>

#include "core/dtype.h"
#include "cuda/emulator/block.h"
#include "cuda/emulator/numbers.h"

namespace ipa::cuda::emulator {
namespace {

using Kind = Request::Kind;

Block& here() { return *Block::current(); }

// What the running thread is about to wait for, without its operands.
Request& request(Block& block, Kind kind, uint8_t variant = 0, uint32_t size = 0) {
  Request& r = block.running->request;
  r.kind = kind, r.variant = variant, r.size = static_cast<uint8_t>(size);
  return r;
}

uint32_t warp(const Block& block) { return block.running->index / kLanes; }

size_t offset(Block& block, const void* address) {
  return static_cast<size_t>(static_cast<const std::byte*>(address) - block.shared());
}

// Shadowed writing of shared memory that has passed check_shared.
void note_write(Block& block, const void* to, size_t bytes) {
  if (!block.launch->shadow) return;
  if (std::string hazard = block.shadow.write(warp(block), offset(block, to), bytes); !hazard.empty())
    block.misuse(std::move(hazard));
}

bool readable(const Block& block, const void* from, size_t bytes) {
  if (block.launch->readable.empty()) return true;
  const auto at = reinterpret_cast<uintptr_t>(from);
  for (const std::span<const std::byte> range : block.launch->readable) {
    const auto start = reinterpret_cast<uintptr_t>(range.data());
    if (at >= start && at - start <= range.size() && bytes <= range.size() - (at - start)) return true;
  }
  return false;
}

}  // namespace

Position block_index() noexcept { return here().index; }

Position grid_size() noexcept {
  const Grid& grid = here().launch->grid;
  return {grid.x, grid.y, grid.z};
}

uint32_t thread_index() noexcept { return here().running->index; }
uint32_t block_threads() noexcept { return here().launch->threads; }

void block_barrier() {
  Block& block = here();
  request(block, Kind::barrier).operand = block_threads();
  block.meet();
}

void named_barrier(uint32_t id, uint32_t threads) {
  Block& block = here();
  if (id < 1 || id > 15) block.misuse("named_barrier: ids are 1 to 15");
  if (threads == 0 || threads % kLanes != 0 || threads > block_threads())
    block.misuse("named_barrier: the number of threads is no number of whole warps of this block");
  request(block, Kind::barrier, 0, id).operand = threads;
  block.meet();
}

void warp_sync() {
  Block& block = here();
  request(block, Kind::warp_sync);
  block.meet();
}

uint32_t shuffle(Shuffle kind, uint32_t value, uint32_t operand) {
  Block& block = here();
  Request& r = request(block, Kind::shuffle, static_cast<uint8_t>(kind));
  r.value = value, r.operand = operand;
  block.meet();
  return r.value;
}

uint32_t ballot(bool predicate) {
  Block& block = here();
  Request& r = request(block, Kind::ballot);
  r.value = predicate;
  block.meet();
  return r.value;
}

void load_matrix(uint32_t* to, int count, bool transposed, const void* row) {
  Block& block = here();
  block.check_shared(row, 16, 16, "load_matrix");
  Request& r = request(block, Kind::load_matrix, transposed, static_cast<uint32_t>(count));
  r.to = to, r.row = row;
  block.meet();
}

void multiply(float* d, const uint32_t* a, const uint32_t* b, int depth, Number number) {
  Block& block = here();
  Request& r = request(block, Kind::multiply, static_cast<uint8_t>(number), static_cast<uint32_t>(depth));
  r.d = d, r.a = a, r.b = b;
  block.meet();
}

void copy_async(void* shared, const void* global, uint32_t size, uint32_t bytes) {
  Block& block = here();
  if (bytes > size) block.misuse("copy_async: more bytes than the copy has");
  block.check_shared(shared, size, size, "copy_async");
  if (bytes > 0 && reinterpret_cast<uintptr_t>(global) % size != 0)
    block.misuse("copy_async: the global address is no multiple of " + std::to_string(size) + " bytes");
  if (bytes > 0 && !readable(block, global, bytes))
    block.misuse("copy_async: the global address is outside the kernel's inputs");
  note_write(block, shared, size);
  ++block.statistics.copies;
  block.running->copies.push_back({shared, global, size, bytes, block.running->group});
}

void copy_commit() { ++here().running->group; }

void copy_wait(uint32_t pending) {
  Thread& thread = *here().running;
  size_t landed = 0;
  for (const Thread::Copy& copy : thread.copies) {
    if (copy.group + pending >= thread.group) break;  // in groups' order
    std::memset(copy.to, 0, copy.size);
    if (copy.bytes > 0) std::memcpy(copy.to, copy.from, copy.bytes);
    note_write(thread.block, copy.to, copy.size);
    ++landed;
  }
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + static_cast<std::ptrdiff_t>(landed));
}

std::byte* shared_memory() noexcept { return here().shared(); }

void shared_read(const void* from, size_t bytes) {
  Block& block = here();
  block.check_shared(from, bytes, bytes, "shared_load");
  if (!block.launch->shadow) return;
  if (std::string hazard = block.shadow.read(warp(block), offset(block, from), bytes); !hazard.empty())
    block.misuse(std::move(hazard));
}

void shared_write(const void* to, size_t bytes) {
  Block& block = here();
  block.check_shared(to, bytes, bytes, "shared_store");
  note_write(block, to, bytes);
}

void check_aligned(const void* global, size_t bytes, const char* who) {
  if (reinterpret_cast<uintptr_t>(global) % bytes != 0)
    here().misuse(std::string(who) + ": the global address is no multiple of " + std::to_string(bytes) + " bytes");
}

uint32_t atomic_add(uint32_t* to, uint32_t value) { return std::atomic_ref(*to).fetch_add(value); }

void thread_fence() {
  // Not atomic_thread_fence, which the thread sanitizer does not know.
  static std::atomic<uint32_t> fence{0};
  fence.fetch_add(0);
}

float from_half(uint16_t bits) noexcept { return half_to_float(bits); }
float from_bfloat(uint16_t bits) noexcept { return bfloat_to_float(bits); }
uint16_t to_half(float value) noexcept { return std::isnan(value) ? 0x7fff : f32_to_f16(value); }
uint16_t to_bfloat(float value) noexcept { return std::isnan(value) ? 0x7fff : f32_to_bf16(value); }

}  // namespace ipa::cuda::emulator
