// Instruction vectors: what a wrapper made of random inputs on a card, replayed on the emulator. A file of vectors/
// holds one case a line:
//   {"wrapper": "multiply_k16_f16", "source": "where from", "in": [32 texts], "out": [32 texts]}
// A text has the words of one lane in hexadecimal, between blanks; which words, the table below says. Bits must agree;
// approximate functions of the card may differ by the limit in the table.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "io/json.h"
#include "test.h"
#include "warp.h"

namespace ipa::cuda {
namespace {

constexpr size_t kSharedBytes = 32 * 16;

struct Wrapper {
  const char* name;
  size_t inputs, outputs;  // words of a lane
  double limit;            // relative, of outputs that are f32; 0 for the same bits
  void (*run)(const uint32_t* in, uint32_t* out);
};

template <typename T, int kDepth>
void multiply(const uint32_t* in, uint32_t* out) {  // in: A, B, D
  constexpr int kA = kDepth / 4, kB = kDepth / 8;
  float d[4];
  for (int i = 0; i < 4; ++i) d[i] = float_of(in[kA + kB + i]);
  if constexpr (kDepth == 16)
    multiply_k16(d, in, in + kA, T{});
  else
    multiply_k8(d, in, in + kA, T{});
  for (int i = 0; i < 4; ++i) out[i] = bits_of(d[i]);
}

template <int kCount, void (*load)(uint32_t (&)[kCount], const void*)>
void matrix(const uint32_t* in, uint32_t* out) {  // in: the lane's row
  uint32_t* const row = shared_memory<uint32_t>() + 4 * lane_index();
  for (int i = 0; i < 4; ++i) shared_store(row + i, in[i]);
  warp_sync();
  uint32_t words[kCount];
  load(words, row);
  std::copy(words, words + kCount, out);
}

template <int kBytes>
void copy(const uint32_t* in, uint32_t* out) {  // in: the words in global memory, how many bytes of them
  alignas(16) uint32_t from[4];
  std::copy(in, in + kBytes / 4, from);
  uint32_t* const to = shared_memory<uint32_t>() + 4 * lane_index();
  copy_async<kBytes>(to, from, in[kBytes / 4]);
  copy_commit();
  copy_wait<0>();
  for (int i = 0; i < kBytes / 4; ++i) out[i] = shared_load(to + i);
}

template <typename T>
void widen(const uint32_t* in, uint32_t* out) {
  out[0] = bits_of(to_float(T{static_cast<uint16_t>(in[0])}));
}
template <typename T>
void narrow(const uint32_t* in, uint32_t* out) {
  out[0] = from_float<T>(float_of(in[0])).bits;
}
template <typename T>
void packed(const uint32_t* in, uint32_t* out) {
  out[0] = pack<T>(float_of(in[0]), float_of(in[1]));
}

template <float (*function)(float)>
void f32_of_f32(const uint32_t* in, uint32_t* out) {
  out[0] = bits_of(function(float_of(in[0])));
}
// Both words of an f64, the low one first.
double f64_of(const uint32_t* words) { return std::bit_cast<double>(static_cast<uint64_t>(words[1]) << 32 | words[0]); }
void put_f64(double value, uint32_t* words) {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  words[0] = static_cast<uint32_t>(bits), words[1] = static_cast<uint32_t>(bits >> 32);
}
// Rounded to f32, since that is what the kernels keep of them.
template <double (*function)(double)>
void f32_of_f64(const uint32_t* in, uint32_t* out) {
  out[0] = bits_of(static_cast<float>(function(f64_of(in))));
}
template <double (*function)(double, double)>
void f64_of_two(const uint32_t* in, uint32_t* out) {
  put_f64(function(f64_of(in), f64_of(in + 2)), out);
}

// Barriers, fences and atomic_add are not here: what they do shows over time, not in the words of one warp.
const Wrapper kWrappers[] = {
    {"shuffle_xor", 2, 1, 0, [](const uint32_t* in, uint32_t* out) { out[0] = shuffle_xor(in[0], in[1]); }},
    {"shuffle_up", 2, 1, 0, [](const uint32_t* in, uint32_t* out) { out[0] = shuffle_up(in[0], in[1]); }},
    {"shuffle_down", 2, 1, 0, [](const uint32_t* in, uint32_t* out) { out[0] = shuffle_down(in[0], in[1]); }},
    {"shuffle", 2, 1, 0, [](const uint32_t* in, uint32_t* out) { out[0] = shuffle(in[0], in[1]); }},
    {"warp_ballot", 1, 1, 0, [](const uint32_t* in, uint32_t* out) { out[0] = warp_ballot(in[0] != 0); }},
    {"warp_any", 1, 1, 0, [](const uint32_t* in, uint32_t* out) { out[0] = warp_any(in[0] != 0); }},
    {"load_matrix_x1", 4, 1, 0, matrix<1, load_matrix_x1>},
    {"load_matrix_x2", 4, 2, 0, matrix<2, load_matrix_x2>},
    {"load_matrix_x4", 4, 4, 0, matrix<4, load_matrix_x4>},
    {"load_transposed_x1", 4, 1, 0, matrix<1, load_transposed_x1>},
    {"load_transposed_x2", 4, 2, 0, matrix<2, load_transposed_x2>},
    {"load_transposed_x4", 4, 4, 0, matrix<4, load_transposed_x4>},
    // The manual leaves order and rounding of the sums to the card: a card's vectors have numbers whose sums are exact.
    {"multiply_k8_f16", 7, 4, 0, multiply<Half, 8>},
    {"multiply_k8_bf16", 7, 4, 0, multiply<BFloat, 8>},
    {"multiply_k16_f16", 10, 4, 0, multiply<Half, 16>},
    {"multiply_k16_bf16", 10, 4, 0, multiply<BFloat, 16>},
    {"copy_async_4", 2, 1, 0, copy<4>},
    {"copy_async_8", 3, 2, 0, copy<8>},
    {"copy_async_16", 5, 4, 0, copy<16>},
    {"to_float_f16", 1, 1, 0, widen<Half>},
    {"to_float_bf16", 1, 1, 0, widen<BFloat>},
    {"from_float_f16", 1, 1, 0, narrow<Half>},
    {"from_float_bf16", 1, 1, 0, narrow<BFloat>},
    {"pack_f16", 2, 1, 0, packed<Half>},
    {"pack_bf16", 2, 1, 0, packed<BFloat>},
    {"exp2_fast", 1, 1, 0x1p-21,
     [](const uint32_t* in, uint32_t* out) { out[0] = bits_of(exp2_fast(float_of(in[0]))); }},
    {"rsqrt_fast", 1, 1, 0x1p-21,
     [](const uint32_t* in, uint32_t* out) { out[0] = bits_of(rsqrt_fast(float_of(in[0]))); }},
    {"divide_fast", 2, 1, 0x1p-21,
     [](const uint32_t* in, uint32_t* out) { out[0] = bits_of(divide_fast(float_of(in[0]), float_of(in[1]))); }},
    {"larger", 2, 1, 0,
     [](const uint32_t* in, uint32_t* out) { out[0] = bits_of(larger(float_of(in[0]), float_of(in[1]))); }},
    {"error_function", 1, 1, 0x1p-20,
     [](const uint32_t* in, uint32_t* out) { out[0] = bits_of(error_function(float_of(in[0]))); }},
    // Limits as the CUDA programming guide has them, with a digit to spare.
    {"exp_f32", 1, 1, 0x1p-21, f32_of_f32<exp_f32>},
    {"erfc_f32", 1, 1, 0x1p-20, f32_of_f32<erfc_f32>},
    {"tanh_f32", 1, 1, 0x1p-21, f32_of_f32<tanh_f32>},
    {"pow_f32", 2, 1, 0x1p-20,
     [](const uint32_t* in, uint32_t* out) { out[0] = bits_of(pow_f32(float_of(in[0]), float_of(in[1]))); }},
    {"sqrt_f32", 1, 1, 0, f32_of_f32<sqrt_f32>},
    {"floor_f32", 1, 1, 0, f32_of_f32<floor_f32>},
    {"ceil_f32", 1, 1, 0, f32_of_f32<ceil_f32>},
    {"exp_f64", 2, 1, 0x1p-23, f32_of_f64<exp_f64>},
    {"cos_pi_f64", 2, 1, 0x1p-23, f32_of_f64<cos_pi_f64>},
    {"sin_pi_f64", 2, 1, 0x1p-23, f32_of_f64<sin_pi_f64>},
    {"sqrt_f64", 2, 1, 0, f32_of_f64<sqrt_f64>},
    {"multiply_f64", 4, 2, 0, f64_of_two<multiply_f64>},
    {"add_f64", 4, 2, 0, f64_of_two<add_f64>},
};

struct Vector {
  std::string wrapper;
  std::vector<uint32_t> in, out;  // lane after lane
};

std::vector<uint32_t> words(const Json* lanes, size_t of_a_lane, const std::string& where) {
  std::vector<uint32_t> all;
  if (!lanes || lanes->items.size() != 32) throw std::runtime_error(where + ": expected 32 lanes");
  for (const Json& lane : lanes->items) {
    std::istringstream text(lane.text);
    size_t count = 0;
    for (std::string word; text >> word; ++count) {
      size_t end = 0;
      if (word.size() == 8) all.push_back(static_cast<uint32_t>(std::stoul(word, &end, 16)));
      if (end != 8) throw std::runtime_error(where + ": \"" + word + "\" is no word of 8 hexadecimal digits");
    }
    if (count != of_a_lane) throw std::runtime_error(where + ": a lane has " + std::to_string(count) + " words");
  }
  return all;
}

const Wrapper& wrapper_named(const std::string& name, const std::string& where) {
  for (const Wrapper& wrapper : kWrappers)
    if (name == wrapper.name) return wrapper;
  throw std::runtime_error(where + ": no wrapper is called \"" + name + "\"");
}

Vector vector_from(const std::string& line, const std::string& where) {
  const Json record = parse_json(line, where);
  const Json* const name = record.find("wrapper");
  Vector v;
  v.wrapper = name ? name->text : "";
  const Wrapper& wrapper = wrapper_named(v.wrapper, where);
  v.in = words(record.find("in"), wrapper.inputs, where + " in");
  v.out = words(record.find("out"), wrapper.outputs, where + " out");
  return v;
}

// Empty, or where the emulator differs.
std::string difference(const Vector& v) {
  const Wrapper& wrapper = wrapper_named(v.wrapper, v.wrapper);
  std::vector<uint32_t> out(v.out.size());
  run_warp([&](uint32_t lane) { wrapper.run(&v.in[lane * wrapper.inputs], &out[lane * wrapper.outputs]); },
           kSharedBytes);
  for (size_t i = 0; i < out.size(); ++i) {
    const double got = float_of(out[i]), expected = float_of(v.out[i]);
    if (out[i] == v.out[i] || (wrapper.limit > 0 && std::abs(got - expected) <= wrapper.limit * std::abs(expected)))
      continue;
    char text[96];
    std::snprintf(text, sizeof text, "lane %zu, word %zu is %08x, expected %08x", i / wrapper.outputs,
                  i % wrapper.outputs, out[i], v.out[i]);
    return v.wrapper + ": " + text;
  }
  return {};
}

TEST("cuda vectors: the emulator does what the recorded instruction did") {
  std::map<std::string, int> counts;
  for (const auto& entry : std::filesystem::directory_iterator(IPA_VECTORS_DIR)) {
    if (entry.path().extension() != ".jsonl") continue;
    std::ifstream file(entry.path());
    int number = 0;
    for (std::string line; std::getline(file, line);) {
      const Vector v = vector_from(line, entry.path().filename().string() + ":" + std::to_string(++number));
      if (const std::string text = difference(v); !text.empty()) test::failed(__FILE__, __LINE__, text);
      ++counts[v.wrapper];
    }
  }
  EXPECT(counts["multiply_k16_f16"] > 0);
  std::string pending;
  for (const Wrapper& wrapper : kWrappers)
    if (counts[wrapper.name] == 0) pending += std::string(" ") + wrapper.name;
  std::printf("# wrappers without vectors:%s\n", pending.c_str());
}

TEST("cuda vectors: a wrong bit, a wrong name and a broken record are noticed") {
  std::ifstream file(std::string(IPA_VECTORS_DIR) + "/multiply_k16_f16.jsonl");
  std::string line;
  std::getline(file, line);
  Vector v = vector_from(line, "example");
  EXPECT_EQ(difference(v), "");
  v.out[4 * 17 + 2] ^= 1;
  EXPECT(difference(v).find("multiply_k16_f16: lane 17, word 2") == 0);
  for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{
           {"multiply_k16_f16", "multiply_k17_f16"}, {"[\"", "[\"00000000 "}, {"[\"", "[\"x"}, {"\"in\"", "\"on\""}}) {
    std::string broken = line;
    broken.replace(broken.find(before), before.size(), after);
    try {
      vector_from(broken, "broken");
      test::failed(__FILE__, __LINE__, "accepted with " + after);
    } catch (const std::runtime_error& e) {
      EXPECT(std::string(e.what()).find("broken") == 0);
    }
  }
}

// Every wrapper runs from the table, so that recorded vectors need no more than a file.
TEST("cuda vectors: every wrapper of the table runs") {
  for (const Wrapper& wrapper : kWrappers) {
    Vector v{wrapper.name, std::vector<uint32_t>(32 * wrapper.inputs), std::vector<uint32_t>(32 * wrapper.outputs)};
    const std::string text = difference(v);
    // 2^0, 1 / 0, 0 / 0 and others that make something else of zeros
    bool of_zero = std::string(wrapper.name).find("_fast") != std::string::npos;
    for (const char* const name : {"exp_f32", "erfc_f32", "pow_f32", "exp_f64", "cos_pi_f64"})
      of_zero = of_zero || name == std::string(wrapper.name);
    EXPECT(text.empty() != of_zero);
  }
}

}  // namespace
}  // namespace ipa::cuda
