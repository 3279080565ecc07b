// Random numbers, beyond the cases of the golden runner.
#include "core/random.h"

#include <vector>

#include "core/dtype.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::vector<float> normals(TorchCpuGenerator& generator, size_t count) {
  std::vector<float> v(count);
  generator.randn(std::span(v));
  return v;
}

TEST("random: only 32 bits of a torch CPU seed count, and seeding forgets the waiting number") {
  TorchCpuGenerator a(7), b(7 + (uint64_t{1} << 32));
  EXPECT_EQ(normals(a, 3) == normals(b, 3), true);
  a.seed(7), b.seed(7);
  normals(a, 3);  // leaves one number waiting
  a.seed(7);
  EXPECT_EQ(normals(a, 3) == normals(b, 3), true);
}

TEST("random: a long draw neither uses nor clears the waiting number") {
  TorchCpuGenerator a(7);
  normals(a, 3);
  TorchCpuGenerator b = a;
  normals(a, 16);
  EXPECT_EQ(normals(a, 1)[0], normals(b, 1)[0]);
}

TEST("random: the legacy half rule gives its published numbers") {
  std::vector<uint16_t> v(32);
  TorchCpuGenerator(42).randn_f16_legacy(v);
  std::vector<float> got;
  for (size_t i = 0; i < 8; ++i) got.push_back(f16_to_f32(v[i]));
  const std::vector<double> want = {0.38696, 1.47070, 0.14685, -1.11816, 0.67090, -0.20386, 1.85254, -0.49927};
  EXPECT_CLOSE(got, want, 2e-3, "seed 42");  // one unit in the last place of a number below 2
}

TEST("random: a CUDA draw that fits the device equals the NV rule, and offsets advance by whole calls") {
  std::vector<float> cuda(3000), nv(3000), more(3000);
  PhiloxGenerator a(42), b(42), c(42);
  a.randn_cuda(cuda, 40960);
  b.randn_nv(nv);
  EXPECT_EQ(cuda == nv, true);
  EXPECT_EQ(a.offset(), 4u);
  c.randn_cuda(more, 512);  // 512 threads, four numbers a call: two calls
  EXPECT_EQ(c.offset(), 8u);
}

}  // namespace
