// Who draws the noise of a run: each rule against the numbers of the diffusion specification, section 7.5.
#include "core/noise.h"

#include <cmath>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "core/random.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::vector<float> drawn(const Normals& normals, size_t count) {
  std::vector<float> v(count);
  normals(v);
  return v;
}

// Printed with six places; log, sin and cos differ in the last bits.
void expect_begins(const std::vector<float>& got, const std::vector<float>& want) {
  for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(std::abs(got[i] - want[i]) < 3e-6f, true);
}

TEST("noise: each source begins as published, and goes on") {
  const size_t image = 4 * 64 * 64;
  expect_begins(drawn(normals_of(NoiseSource::torch_cpu, NoiseType::f32, 42), image),
                {1.9269153f, 1.4872841f, 0.9007172f, -2.1055210f});
  const Normals nv = normals_of(NoiseSource::nv, NoiseType::f32, 42);
  expect_begins(drawn(nv, image), {0.194019f, 2.161374f, -0.172051f, 0.849060f});
  expect_begins(drawn(nv, image), {0.139138f, -0.108216f, -0.717422f, 0.756649f});
  // a card that holds a thread for every number draws as the NV rule does, at every call
  const Normals cuda = normals_of(NoiseSource::torch_cuda, NoiseType::f32, 42);
  const Normals again = normals_of(NoiseSource::nv, NoiseType::f32, 42);
  for (int call = 0; call < 3; ++call) EXPECT_EQ(drawn(cuda, image) == drawn(again, image), true);
  // more numbers than threads: those beyond are the cosines of the first ones
  const size_t many = kResidentThreads + 64;
  const std::vector<float> large = drawn(normals_of(NoiseSource::torch_cuda, NoiseType::f32, 42), many);
  EXPECT_EQ(large[kResidentThreads] == drawn(normals_of(NoiseSource::nv, NoiseType::f32, 42), many)[kResidentThreads],
            false);
}

TEST("noise: half types") {
  std::vector<uint16_t> legacy(64);
  TorchCpuGenerator(7).randn_f16_legacy(legacy);
  const std::vector<float> widened = drawn(normals_of(NoiseSource::torch_cpu, NoiseType::f16_legacy, 7), 64);
  const std::vector<float> whole = drawn(normals_of(NoiseSource::torch_cuda, NoiseType::f32, 7), 64);
  const std::vector<float> f16 = drawn(normals_of(NoiseSource::torch_cuda, NoiseType::f16, 7), 64);
  const std::vector<float> bf16 = drawn(normals_of(NoiseSource::torch_cpu, NoiseType::bf16, 7), 64);
  const std::vector<float> cpu = drawn(normals_of(NoiseSource::torch_cpu, NoiseType::f32, 7), 64);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(f16[i], f16_to_f32(f32_to_f16(whole[i])));
    EXPECT_EQ(bf16[i], bf16_to_f32(f32_to_bf16(cpu[i])));
    EXPECT_EQ(widened[i], f16_to_f32(legacy[i]));
  }
  EXPECT_CODE(normals_of(NoiseSource::nv, NoiseType::f16_legacy, 7), Code::OPTION_CONFLICT);
}

TEST("noise: names") {
  EXPECT_EQ(noise_source("nv") == NoiseSource::nv, true);
  EXPECT_EQ(noise_source("NV").has_value(), false);
  EXPECT_EQ(noise_type("bf16-legacy") == NoiseType::bf16_legacy, true);
  EXPECT_EQ(noise_type("f64").has_value(), false);
}

}  // namespace
