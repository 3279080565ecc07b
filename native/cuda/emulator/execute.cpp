// What the lanes of a warp do together: models of shuffle, vote, ldmatrix and mma.
#include <cstring>

#include "cuda/emulator/block.h"
#include "cuda/emulator/numbers.h"

namespace ipa::cuda::emulator {
namespace {

using Kind = Request::Kind;

// Every lane gets the value of the lane that `from` names for it, its own where there is no such lane.
template <typename From>
void exchange(Thread* const* lanes, From&& from) {
  uint32_t values[kLanes];
  for (uint32_t lane = 0; lane < kLanes; ++lane) values[lane] = lanes[lane]->request.value;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const uint32_t source = from(lane, lanes[lane]->request.operand);
    lanes[lane]->request.value = values[source < kLanes ? source : lane];
  }
}

void shuffle(Thread* const* lanes) {
  switch (static_cast<Shuffle>(lanes[0]->request.variant)) {
    case Shuffle::exclusive_or:
      return exchange(lanes, [](uint32_t lane, uint32_t operand) { return lane ^ operand; });
    case Shuffle::up:  // wraps to far above 31 where there is none
      return exchange(lanes, [](uint32_t lane, uint32_t operand) { return lane - operand; });
    case Shuffle::down:
      return exchange(lanes, [](uint32_t lane, uint32_t operand) { return lane + operand; });
    case Shuffle::index:
      return exchange(lanes, [](uint32_t, uint32_t operand) { return operand % kLanes; });
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

// Fragments as the PTX manual lays them out: group g = lane / 4, t = lane % 4.
//   A: registers by halves of rows first (g, g + 8), then of depth (2 t, 2 t + 8); B: by halves of depth, column g;
//   C, D: row g then g + 8, columns 2 t and 2 t + 1.
// Products of two 16-bit numbers are exact in f32; they are summed in f32, one after the other.
template <Four (*widened)(FourBits)>
void multiply(Thread* const* lanes, uint32_t depth) {
  // Rows of A, then columns of B, as the registers have them; as f32, the columns side by side.
  uint32_t halves[16 + 8][16];
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const Request& request = lanes[lane]->request;
    const uint32_t g = lane / 4, t = lane % 4 * 2;
    const auto put = [&](uint32_t row, uint32_t k, uint32_t pair) {
      halves[row][k] = pair & 0xffffu, halves[row][k + 1] = pair >> 16;
    };
    for (uint32_t half = 0; half < depth / 8; ++half) {
      put(g, 8 * half + t, request.a[2 * half]);
      put(g + 8, 8 * half + t, request.a[2 * half + 1]);
      put(16 + g, 8 * half + t, request.b[half]);
    }
  }
  float numbers[16 + 8][16];
  for (uint32_t row = 0; row < 16 + 8; ++row)
    for (uint32_t k = 0; k < depth; k += 4) {
      FourBits bits;
      std::memcpy(&bits, &halves[row][k], sizeof bits);
      const Four four = widened(bits);
      std::memcpy(&numbers[row][k], &four, sizeof four);
    }
  Four b[16][2];
  for (uint32_t k = 0; k < depth; ++k)
    for (uint32_t j = 0; j < 8; ++j) b[k][j / 4][j % 4] = numbers[16 + j][k];
  float sums[16][8];
  for (uint32_t i = 0; i < 16; ++i) {
    Four left{}, right{};
    for (uint32_t k = 0; k < depth; ++k) left += numbers[i][k] * b[k][0], right += numbers[i][k] * b[k][1];
    std::memcpy(sums[i], &left, sizeof left), std::memcpy(sums[i] + 4, &right, sizeof right);
  }
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
        multiply<halves_to_floats>(lanes, first.size);
      else
        multiply<bfloats_to_floats>(lanes, first.size);
      break;
    default:
      break;
  }
  return {};
}

}  // namespace ipa::cuda::emulator
