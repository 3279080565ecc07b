#include "core/random.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "golden.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::vector<std::string> parts(const std::string& name, char separator) {
  std::vector<std::string> v;
  std::istringstream in(name);
  for (std::string part; std::getline(in, part, separator);) v.push_back(part);
  return v;
}

std::vector<float> normals(TorchCpuGenerator& generator, size_t count) {
  std::vector<float> v(count);
  generator.randn(std::span(v));
  return v;
}

// Distance in units of the last place between two half values of one sign.
int last_places(uint16_t a, uint16_t b) { return (a ^ b) & 0x8000 ? 0x7fff : std::abs(int{a} - int{b}); }

void expect_half(const std::vector<uint16_t>& got, const GoldenTensor& want, const std::string& name) {
  const std::vector<uint16_t> expected = want.u16();
  EXPECT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    if (last_places(got[i], expected[i]) > 1) failed(__FILE__, __LINE__, name + ": element " + std::to_string(i));
}

TEST("random: torch CPU numbers of every type, count and seed agree with the reference") {
  const Golden g("random/torch-cpu");
  const double limit = g.tolerance();  // absolute
  std::map<std::string, TorchCpuGenerator> running;
  size_t compared = 0;
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/")) continue;
    const std::vector<std::string> p = parts(key.substr(4), '.');
    const size_t count = static_cast<size_t>(product(tensor.dims));
    TorchCpuGenerator fresh(std::stoull(p.at(1)));
    ++compared;
    if (p[0] == "f32") {
      EXPECT_CLOSE(normals(fresh, count), tensor.f32(), limit, key);
    } else if (p[0] == "f64") {
      std::vector<double> v(count);
      fresh.randn(std::span(v));
      EXPECT_CLOSE(v, tensor.f32(), limit, key);
    } else if (p[0] == "uniform") {
      std::vector<float> v(count);
      fresh.uniform(v);
      EXPECT_CLOSE(v, tensor.f32(), 0, key);
    } else if (p[0] == "f16" || p[0] == "bf16") {
      std::vector<uint16_t> v(count);
      p[0] == "f16" ? fresh.randn_f16(v) : fresh.randn_bf16(v);
      expect_half(v, tensor, key);
    } else if (p[0] == "sequence") {  // name order is draw order: one digit
      TorchCpuGenerator& generator = running.try_emplace(p[1], fresh).first->second;
      EXPECT_CLOSE(normals(generator, count), tensor.f32(), limit, key);
    } else {  // head, tail, second and sum of one large draw
      std::vector<size_t> shape;
      for (const std::string& d : parts(p.at(2), 'x')) shape.push_back(std::stoul(d));
      const size_t image = shape.at(1) * shape.at(2) * shape.at(3);
      const std::vector<float> all = normals(fresh, shape[0] * image);
      if (p[0] == "sum") {
        EXPECT_CLOSE(std::vector<double>{std::accumulate(all.begin(), all.end(), 0.0)}, tensor.f32(),
                     limit * std::sqrt(double(all.size())), key);  // independent differences
        continue;
      }
      const size_t first = p[0] == "head" ? 0 : p[0] == "tail" ? all.size() - count : shape[0] > 1 ? image : 64;
      EXPECT_CLOSE(std::vector<float>(all.begin() + first, all.begin() + first + count), tensor.f32(), limit, key);
    }
  }
  EXPECT(compared > 100);
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

TEST("random: Philox words and normals agree with the vectors") {
  const Json table = golden_json("random/philox.json");
  const auto word = [](const Json& v) { return static_cast<uint32_t>(v.integer()); };
  for (const Json& row : table["philox"].array) {
    PhiloxCounter counter, want;
    for (size_t i = 0; i < 4; ++i) counter[i] = word(row["counter"][i]), want[i] = word(row["out"][i]);
    EXPECT_EQ(philox4x32(counter, {word(row["key"][0]), word(row["key"][1])}) == want, true);
  }
  for (const Json& row : table["randn"].array) {
    PhiloxGenerator generator(std::stoull(row["seed"].raw), static_cast<uint64_t>(row["offset"].integer()));
    std::vector<float> all(static_cast<size_t>(row["count"].integer())), got;
    if (row["threads"].is_null())
      generator.randn_nv(all);
    else
      generator.randn_cuda(all, word(row["threads"]));
    for (const Json& index : row["index"].array) got.push_back(all.at(static_cast<size_t>(index.integer())));
    EXPECT_CLOSE(got, row["value"].numbers(), table["tolerance"].number, "seed " + row["seed"].raw);
  }
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
