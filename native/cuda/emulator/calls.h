#pragma once
// What the wrappers of cuda/device/ call when there is no card: models of the instructions, for the thread that runs.
// Every function belongs inside a launch. Misuse ends the launch with an error that names block and thread.
#include <cstddef>
#include <cstdint>

namespace ipa::cuda::emulator {

struct Position {
  uint32_t x, y, z;
};
Position block_index() noexcept;
Position grid_size() noexcept;     // blocks
uint32_t thread_index() noexcept;  // in the block; blocks are one-dimensional
uint32_t block_threads() noexcept;

void block_barrier();
void named_barrier(uint32_t id, uint32_t threads);  // id 1 to 15; threads of whole warps
void warp_sync();

enum class Shuffle : uint8_t { exclusive_or, up, down, index };
// `operand` is the mask, the distance or the lane. Where the source is outside the warp, a lane gets its own value.
uint32_t shuffle(Shuffle kind, uint32_t value, uint32_t operand);
uint32_t ballot(bool predicate);

// `count` matrices of 8 x 8 numbers of 16 bits; lane 8 j + i brings the address of row i of matrix j, and every lane's
// address must be good (sm_75 wants that also where `count` needs fewer).
void load_matrix(uint32_t* to, int count, bool transposed, const void* row);
enum class Number : uint8_t { half, bfloat };
// d += A B, A 16 x depth row by row, B depth x 8 column by column, depth 8 or 16
void multiply(float* d, const uint32_t* a, const uint32_t* b, int depth, Number number);

// Lands only at the wait. Of `size` bytes (4, 8, 16) the first `bytes` come from global memory, the rest is zero.
void copy_async(void* shared, const void* global, uint32_t size, uint32_t bytes);
void copy_commit();
void copy_wait(uint32_t pending);  // until at most so many committed groups are on the way

std::byte* shared_memory() noexcept;               // of the block, aligned to 128 bytes
void shared_read(const void* from, size_t bytes);  // to be called before a plain access to shared memory:
void shared_write(const void* to, size_t bytes);   // checks alignment, bounds and (with a shadow) order

void check_aligned(const void* global, size_t bytes, const char* who);  // to a multiple of `bytes`

uint32_t atomic_add(uint32_t* to, uint32_t value);
void thread_fence();

// As the card converts: to nearest even, any NaN to 0x7fff.
float from_half(uint16_t bits) noexcept;
uint16_t to_half(float value) noexcept;
float from_bfloat(uint16_t bits) noexcept;
uint16_t to_bfloat(float value) noexcept;

}  // namespace ipa::cuda::emulator
