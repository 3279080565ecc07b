// What the lanes of a warp do together: models of shuffle, vote, ldmatrix and mma.
#include <cstring>

#include "cuda/emulator/block.h"
#include "cuda/emulator/numbers.h"

namespace ipa::cuda::emulator {
namespace {

using Kind = Request::Kind;

// The lane whose value a lane gets.
uint32_t source_lane(Shuffle kind, uint32_t lane, uint32_t operand) {
  uint32_t source = lane;
  switch (kind) {
    case Shuffle::exclusive_or:
      source = lane ^ operand;
      break;
    case Shuffle::up:
      source = lane - operand;  // wraps to far above 31 where there is none
      break;
    case Shuffle::down:
      source = lane + operand;
      break;
    case Shuffle::index:
      return operand % kLanes;
  }
  return source < kLanes ? source : lane;
}

void shuffle(Thread* const* lanes) {
  uint32_t values[kLanes];
  for (uint32_t lane = 0; lane < kLanes; ++lane) values[lane] = lanes[lane]->request.value;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    Request& request = lanes[lane]->request;
    request.value = values[source_lane(static_cast<Shuffle>(request.variant), lane, request.operand)];
  }
}

void ballot(Thread* const* lanes) {
  uint32_t votes = 0;
  for (uint32_t lane = 0; lane < kLanes; ++lane) votes |= (lanes[lane]->request.value & 1u) << lane;
  for (uint32_t lane = 0; lane < kLanes; ++lane) lanes[lane]->request.value = votes;
}

// Lane 8 j + i brings row i of matrix j; lane 4 r + c gets numbers 2 c and 2 c + 1 of row r of each matrix, or,
// transposed, of column r.
std::string load_matrix(Block& block, Thread* const* lanes, uint32_t& failed) {
  const Request& first = lanes[0]->request;
  for (uint32_t j = 0; j < first.size; ++j) {
    uint16_t rows[8][8];
    for (uint32_t i = 0; i < 8; ++i) {
      const Thread& thread = *lanes[8 * j + i];
      if (block.launch->shadow) {
        const auto offset = static_cast<size_t>(static_cast<const std::byte*>(thread.request.row) - block.shared());
        std::string hazard = block.shadow.read(thread.index / kLanes, offset, sizeof rows[i]);
        if (!hazard.empty()) {
          failed = 8 * j + i;
          return hazard;
        }
      }
      std::memcpy(rows[i], thread.request.row, sizeof rows[i]);
    }
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      const uint32_t r = lane / 4, c = lane % 4 * 2;
      const uint32_t low = first.variant ? rows[c][r] : rows[r][c];
      const uint32_t high = first.variant ? rows[c + 1][r] : rows[r][c + 1];
      lanes[lane]->request.to[j] = low | high << 16;
    }
  }
  return {};
}

template <float (*widened)(uint16_t)>
void put(float* two, uint32_t pair) {
  two[0] = widened(static_cast<uint16_t>(pair)), two[1] = widened(static_cast<uint16_t>(pair >> 16));
}

// Fragments as the PTX manual lays them out: group g = lane / 4, t = lane % 4.
//   A: registers by halves of rows first (g, g + 8), then of depth (2 t, 2 t + 8); B: by halves of depth, column g;
//   C, D: row g then g + 8, columns 2 t and 2 t + 1.
// Products of two 16-bit numbers are exact in f32; they are summed in f32, one after the other.
template <float (*widened)(uint16_t)>
void multiply(Thread* const* lanes, uint32_t depth) {
  float a[16][16], b[16][8];
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const Request& request = lanes[lane]->request;
    const uint32_t g = lane / 4, t = lane % 4 * 2;
    for (uint32_t half = 0; half < depth / 8; ++half) {
      put<widened>(&a[g][8 * half + t], request.a[2 * half]);
      put<widened>(&a[g + 8][8 * half + t], request.a[2 * half + 1]);
      float two[2];
      put<widened>(two, request.b[half]);
      b[8 * half + t][g] = two[0], b[8 * half + t + 1][g] = two[1];
    }
  }
  float sums[16][8] = {};
  for (uint32_t i = 0; i < 16; ++i)
    for (uint32_t k = 0; k < depth; ++k)
      for (uint32_t j = 0; j < 8; ++j) sums[i][j] += a[i][k] * b[k][j];
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    float* const d = lanes[lane]->request.d;
    const uint32_t g = lane / 4, t = lane % 4 * 2;
    d[0] += sums[g][t], d[1] += sums[g][t + 1], d[2] += sums[g + 8][t], d[3] += sums[g + 8][t + 1];
  }
}

}  // namespace

std::string execute(Block& block, Thread* const* lanes, uint32_t& lane) {
  const Request& first = lanes[0]->request;
  switch (first.kind) {
    case Kind::shuffle:
      ++block.statistics.shuffles;
      shuffle(lanes);
      break;
    case Kind::ballot:
      ++block.statistics.shuffles;
      ballot(lanes);
      break;
    case Kind::load_matrix:
      ++block.statistics.matrix_loads;
      return load_matrix(block, lanes, lane);
    case Kind::multiply:
      ++block.statistics.products;
      if (first.variant == static_cast<uint8_t>(Number::half))
        multiply<half_to_float>(lanes, first.size);
      else
        multiply<bfloat_to_float>(lanes, first.size);
      break;
    default:
      break;
  }
  return {};
}

}  // namespace ipa::cuda::emulator
