// Instruction vectors: what a wrapper made of random inputs on a card, replayed on the emulator. The files of vectors/
// hold one case a line (vector_records.h); `npm run gpu-check` records them.
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "test.h"
#include "vector_records.h"

namespace ipa::cuda::vectors {
namespace {

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

TEST("cuda vectors: what is written is what is read") {
  Vector v{"copy_async_16", std::vector<uint32_t>(32 * 5, 0xdeadbeef), {}};
  for (size_t lane = 0; lane < 32; ++lane) v.in[lane * 5 + 4] = lane % 3 * 8;
  v.out = emulated(v);
  const Vector read = vector_from(line_of(v, "this test"), "written");
  EXPECT_EQ(read.wrapper, v.wrapper);
  EXPECT(read.in == v.in && read.out == v.out);
  EXPECT_EQ(read.out[4 + 2], 0u);  // the second lane's third word: 8 bytes were copied
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
}  // namespace ipa::cuda::vectors
