// Every wrapper on the emulator against a plain loop. Where a fragment's element lies is written here as the PTX manual
// says it, element by element, and not as the emulator computes it.
#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <limits>

#include "tensors.h"
#include "test.h"
#include "warp.h"

namespace ipa::cuda {
namespace {

constexpr uint32_t kLanes = 32;

// Random numbers whose seed is printed when the test has failed.
struct Seeded {
  const uint64_t seed = fresh_seed();
  std::mt19937_64 random{seed};
  ~Seeded() {
    if (!test::failures().empty()) test::failed(__FILE__, __LINE__, "IPA_TEST_SEED=" + std::to_string(seed));
  }
};

TEST("cuda wrappers: shuffles, ballot, any") {
  Seeded seeded;
  std::array<uint32_t, kLanes> given;
  for (uint32_t& word : given) word = static_cast<uint32_t>(seeded.random());
  for (uint32_t operand = 0; operand < kLanes; ++operand)
    run_warp([&](uint32_t lane) {
      EXPECT_EQ(shuffle_xor(given[lane], operand), given[lane ^ operand]);
      EXPECT_EQ(shuffle_up(given[lane], operand), given[lane >= operand ? lane - operand : lane]);
      EXPECT_EQ(shuffle_down(given[lane], operand), given[lane + operand < 32 ? lane + operand : lane]);
      EXPECT_EQ(shuffle(given[lane], operand), given[operand]);
      EXPECT_EQ(shuffle(given[lane], 31 - lane), given[31 - lane]);
      EXPECT_EQ(warp_ballot((given[operand] >> lane & 1) != 0), given[operand]);
      EXPECT_EQ(warp_any(lane == operand), true);
      EXPECT_EQ(warp_any(lane == 32 + operand), false);
      EXPECT_EQ(shuffle_xor(static_cast<float>(lane), operand), static_cast<float>(lane ^ operand));
      warp_sync();
    });
}

// The manual: lane 8 j + i addresses row i of matrix j; lane l holds elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4,
// and with .trans of column l / 4.
template <int kCount>
void check_load(void (*load)(uint32_t (&)[kCount], const void*), bool transposed) {
  constexpr int kRows = 64;
  std::array<int, kLanes> row_of;  // scattered, some shared by lanes
  Seeded seeded;
  for (int& row : row_of) row = static_cast<int>(seeded.random() % kRows);
  run_warp(
      [&](uint32_t lane) {
        uint16_t* const memory = shared_memory<uint16_t>();
        for (uint32_t i = lane; i < kRows * 8; i += kLanes) shared_store(memory + i, static_cast<uint16_t>(1000 + i));
        warp_sync();
        uint32_t words[kCount];
        load(words, memory + row_of[lane] * 8);
        for (int j = 0; j < kCount; ++j)
          for (int e = 0; e < 2; ++e) {
            const int along = static_cast<int>(lane) % 4 * 2 + e, across = static_cast<int>(lane) / 4;
            const int row = transposed ? along : across, column = transposed ? across : along;
            EXPECT_EQ(words[j] >> 16 * e & 0xffff, 1000u + row_of[8 * j + row] * 8 + column);
          }
      },
      kRows * 16);
}

TEST("cuda wrappers: matrices from shared memory, plain and transposed") {
  check_load<1>(load_matrix_x1, false);
  check_load<2>(load_matrix_x2, false);
  check_load<4>(load_matrix_x4, false);
  check_load<1>(load_transposed_x1, true);
  check_load<2>(load_transposed_x2, true);
  check_load<4>(load_transposed_x4, true);
}

// Where element i of a lane's fragment lies. source: PTX ISA, Matrix Fragments for mma.m16n8k8 and .m16n8k16
struct Place {
  int row, column;
};
Place a_place(int depth, int group, int in_group, int i) {
  if (depth == 8) return {i < 2 ? group : group + 8, in_group * 2 + (i & 1)};
  const bool upper = (0 <= i && i < 2) || (4 <= i && i < 6);
  return {upper ? group : group + 8, in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
Place b_place(int group, int in_group, int i) { return {in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0), group}; }
Place c_place(int group, int in_group, int i) { return {i < 2 ? group : group + 8, in_group * 2 + (i & 1)}; }

template <typename T>
void check_multiply(int depth, void (*multiply)(float (&)[4], const uint32_t*, const uint32_t*, T)) {
  Seeded seeded;
  std::mt19937_64& random = seeded.random;
  Tensor<T> a(16 * 16), b(16 * 8);
  Tensor<float> d(16 * 8), out(16 * 8);
  fill(a, random, 1), fill(b, random, 1), fill(d, random, 1);
  run_warp([&](uint32_t lane) {
    const int group = static_cast<int>(lane) / 4, in_group = static_cast<int>(lane) % 4;
    uint32_t a_words[4] = {}, b_words[2] = {};
    float sums[4];
    for (int i = 0; i < depth / 2; ++i) {
      const Place p = a_place(depth, group, in_group, i);
      a_words[i / 2] |= static_cast<uint32_t>(a[p.row * 16 + p.column].bits) << 16 * (i % 2);
    }
    for (int i = 0; i < depth / 4; ++i) {
      const Place p = b_place(group, in_group, i);
      b_words[i / 2] |= static_cast<uint32_t>(b[p.row * 8 + p.column].bits) << 16 * (i % 2);
    }
    for (int i = 0; i < 4; ++i) sums[i] = d[c_place(group, in_group, i).row * 8 + c_place(group, in_group, i).column];
    multiply(sums, a_words, b_words, T{});
    for (int i = 0; i < 4; ++i) out[c_place(group, in_group, i).row * 8 + c_place(group, in_group, i).column] = sums[i];
  });
  std::vector<double> reference(16 * 8);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = d[i * 8 + j];
      for (int k = 0; k < depth; ++k) sum += value(a[i * 16 + k]) * value(b[k * 8 + j]);
      reference[i * 8 + j] = sum;
    }
  // Products are exact in f32; what is left is the rounding of at most 17 sums.
  const std::vector<float> got(out.data(), out.data() + out.size());
  EXPECT_CLOSE(got, reference, 1e-5, std::string(kName<T>) + " k" + std::to_string(depth));
}

TEST("cuda wrappers: products of matrices, k8 and k16, f16 and bf16") {
  check_multiply<Half>(8, multiply_k8);
  check_multiply<BFloat>(8, multiply_k8);
  check_multiply<Half>(16, multiply_k16);
  check_multiply<BFloat>(16, multiply_k16);
}

template <int kBytes>
void check_copy() {
  std::vector<uint8_t> from(kLanes * kBytes + 16);
  uint8_t* const aligned = from.data() + (16 - reinterpret_cast<uintptr_t>(from.data()) % 16) % 16;
  for (size_t i = 0; i < kLanes * kBytes; ++i) aligned[i] = static_cast<uint8_t>(i * 7 + 1);
  for (uint32_t bytes = 0; bytes <= kBytes; bytes += 2)
    run_warp(
        [&](uint32_t lane) {
          uint8_t* const to = shared_memory<uint8_t>() + lane * kBytes;
          copy_async<kBytes>(to, aligned + lane * kBytes, bytes);
          EXPECT_EQ(+to[0], 0xff);  // nothing lands before the wait, committed or not
          copy_commit();
          EXPECT_EQ(+to[0], 0xff);
          copy_wait<0>();
          for (uint32_t i = 0; i < kBytes; ++i) EXPECT_EQ(+to[i], i < bytes ? +aligned[lane * kBytes + i] : 0);
        },
        kLanes * kBytes);
}

TEST("cuda wrappers: asynchronous copies of every size, with zeros behind") {
  check_copy<4>();
  check_copy<8>();
  check_copy<16>();
}

TEST("cuda wrappers: a wait leaves the youngest groups on their way") {
  alignas(16) const uint32_t from[4] = {10, 11, 12, 13};
  run_warp(
      [&](uint32_t lane) {
        if (lane > 0) return;
        uint32_t* const to = shared_memory<uint32_t>();
        const auto landed = [&] {
          return static_cast<int>(std::count_if(to, to + 4, [](uint32_t word) { return word != 0xffffffffu; }));
        };
        for (int i = 0; i < 3; ++i) {
          copy_async<4>(to + i, from + i);
          copy_commit();
        }
        copy_async<4>(to + 3, from + 3);  // belongs to no group yet
        copy_wait<3>();
        EXPECT_EQ(landed(), 0);
        copy_wait<1>();
        EXPECT_EQ(landed(), 2);
        copy_commit();
        copy_commit();  // an empty group counts
        copy_wait<2>();
        EXPECT_EQ(landed(), 3);
        copy_wait<0>();
        EXPECT_EQ(landed(), 4);
        EXPECT(std::equal(to, to + 4, from));
      },
      16);
}

template <typename T>
void check_numbers(float (*widened)(uint16_t), uint16_t (*narrowed)(float)) {
  int wrong = 0;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const T number{static_cast<uint16_t>(bits)};
    const float wide = to_float(number), expected = widened(number.bits);
    if (std::isnan(expected)) {
      wrong += !std::isnan(wide) || from_float<T>(wide).bits != 0x7fff;
      continue;
    }
    wrong += std::bit_cast<uint32_t>(wide) != std::bit_cast<uint32_t>(expected);
    wrong += from_float<T>(wide).bits != bits;
    // Half way to the next number and its two neighbours.
    const float next = widened(static_cast<uint16_t>(bits + 1));
    if (!std::isfinite(wide) || !std::isfinite(next) || (bits & 0x7fff) == 0x7fff) continue;
    const float middle = static_cast<float>((static_cast<double>(wide) + next) / 2);
    for (const float x : {middle, std::nextafter(middle, wide), std::nextafter(middle, next)})
      wrong += from_float<T>(x).bits != narrowed(x);
    wrong += from_float<T>(middle).bits % 2 != 0;  // to even
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(from_float<T>(std::numeric_limits<float>::infinity()).bits,
            narrowed(std::numeric_limits<float>::infinity()));
  EXPECT_EQ(pack<T>(1.0f, -2.0f), narrowed(1.0f) | static_cast<uint32_t>(narrowed(-2.0f)) << 16);
}

TEST("cuda wrappers: numbers of 16 bits, all of them, and what rounds to them") {
  check_numbers<Half>(f16_to_f32, f32_to_f16);
  check_numbers<BFloat>(bf16_to_f32, f32_to_bf16);
  EXPECT_EQ(from_float<Half>(65520.0f).bits, 0x7c00);  // half way to what would be next: infinity
}

TEST("cuda wrappers: fast functions, pairs in global memory") {
  Seeded seeded;
  std::uniform_real_distribution<float> uniform(-20, 20);
  for (int i = 0; i < 1000; ++i) {
    const float x = uniform(seeded.random), y = uniform(seeded.random);
    EXPECT(std::abs(exp2_fast(x) / std::exp2(static_cast<double>(x)) - 1) < 1e-6);
    EXPECT(std::abs(rsqrt_fast(x * x) * std::abs(static_cast<double>(x)) - 1) < 1e-6);
    EXPECT(std::abs(divide_fast(x, y) / (static_cast<double>(x) / y) - 1) < 1e-6);
    EXPECT_EQ(larger(x, y), x > y ? x : y);
    EXPECT(std::abs(error_function(x / 5) - std::erf(static_cast<double>(x / 5))) < 1e-6);
  }
  EXPECT_EQ(larger(std::nanf(""), -1.0f), -1.0f);
  EXPECT_EQ(larger(-1.0f, std::nanf("")), -1.0f);
  Tensor<Half> halves(4);
  store_pair(halves.data() + 2, 1.0f, 2.0f);
  EXPECT(halves[2].bits == 0x3c00 && halves[3].bits == 0x4000 && halves[1].bits == 0xffff && halves.intact());
  Tensor<float> floats(2);
  store_pair(floats.data(), 3.0f, 4.0f);
  EXPECT(floats[0] == 3 && floats[1] == 4 && floats.intact());
  float first, second;
  load_pair(floats.data(), first, second);
  EXPECT(first == 3 && second == 4);
}

TEST("cuda wrappers: functions to nearly all digits, one rounding of f64") {
  Seeded seeded;
  std::uniform_real_distribution<float> uniform(-6, 6);
  const auto close = [](double got, double expected) { return std::abs(got - expected) <= 1e-6 * std::abs(expected); };
  for (int i = 0; i < 1000; ++i) {
    const float x = uniform(seeded.random), y = uniform(seeded.random), positive = std::abs(x);
    const double wide = x;
    EXPECT(close(exp_f32(x), std::exp(wide)) && close(erfc_f32(x), std::erfc(wide)));
    EXPECT(close(tanh_f32(x), std::tanh(wide)) && close(pow_f32(positive, y), std::pow(std::abs(wide), value(y))));
    EXPECT(sqrt_f32(positive) == std::sqrt(positive) && floor_f32(x) == std::floor(x) && ceil_f32(x) == std::ceil(x));
    EXPECT(exp_f64(wide) == std::exp(wide) && sqrt_f64(positive) == std::sqrt(static_cast<double>(positive)));
    EXPECT(std::abs(cos_pi_f64(wide) - std::cos(wide * 3.14159265358979324)) < 1e-14);
    EXPECT(std::abs(sin_pi_f64(wide) - std::sin(wide * 3.14159265358979324)) < 1e-14);
  }
  const double x = 1 + 0x1p-30;  // x * x - 1 - 2^-29 is 2^-60, which the rounded product does not have
  EXPECT_EQ(add_f64(multiply_f64(x, x), -1 - 0x1p-29), 0.0);
}

template <typename T>
void check_wide() {
  Tensor<T> from(8), to(8);
  for (size_t i = 0; i < 8; ++i) set(from[i], static_cast<float>(i) - 2.5f);
  run_warp([&](uint32_t lane) {
    if (lane > 0) return;
    float one[1], four[4];
    load_numbers(from.data() + 3, one);
    load_numbers(from.data() + 4, four);
    EXPECT(one[0] == 0.5f && four[0] == 1.5f && four[1] == 2.5f && four[2] == 3.5f && four[3] == 4.5f);
    store_numbers(to.data() + 1, one);
    store_numbers(to.data() + 4, four);
  });
  EXPECT(value(to[1]) == 0.5 && value(to[4]) == 1.5 && value(to[5]) == 2.5 && value(to[6]) == 3.5 &&
         value(to[7]) == 4.5);
  EXPECT(std::isnan(value(to[0])) && std::isnan(value(to[2])) && std::isnan(value(to[3])) && to.intact());
}

TEST("cuda wrappers: one and four numbers in global memory") {
  check_wide<float>();
  check_wide<Half>();
  check_wide<BFloat>();
}

TEST("cuda wrappers: the block that arrives last sees what all have written") {
  ThreadPool pool(4);
  emulator::Launch launch;
  launch.kernel = "arrivals", launch.grid.x = 64, launch.pool = &pool;
  for (int round = 0; round < 20; ++round) {
    uint32_t counter = 0;
    int last = 0;
    std::vector<int> parts(64), sums;
    emulator::launch(
        launch,
        [&](NoArguments) {
          if (lane_index() > 0) return;
          parts[block_index().x] = static_cast<int>(block_index().x) + 1;
          thread_fence();
          if (atomic_add(&counter, 1) + 1 < grid_size().x) return;
          thread_fence();
          for (const int part : parts) last += part;
        },
        NoArguments{});
    EXPECT_EQ(counter, 64u);
    EXPECT_EQ(last, 64 * 65 / 2);
  }
}

}  // namespace
}  // namespace ipa::cuda
