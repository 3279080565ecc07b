// Random numbers as torch draws them, and Philox vectors.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "core/random.h"
#include "golden/compare.h"
#include "golden/kinds.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenTensor;
using test::Json;

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

// Units of the last place from zero, so that neighbours differ by one across zero as well.
std::vector<int> places(const std::vector<uint16_t>& halves) {
  std::vector<int> v;
  for (const uint16_t h : halves) v.push_back(h & 0x8000 ? -static_cast<int>(h & 0x7fff) : static_cast<int>(h));
  return v;
}

// Head, tail, second image (or numbers 64 on) or sum of one draw of the shape in `p`: "head.SEED.AxBxCxD".
void check_large_draw(const std::vector<std::string>& p, const std::string& key, const GoldenTensor& tensor,
                      double limit, Verdict& verdict) {
  std::vector<size_t> shape;
  for (const std::string& d : parts(p.at(2), 'x')) shape.push_back(std::stoul(d));
  const size_t image = shape.at(1) * shape.at(2) * shape.at(3), count = static_cast<size_t>(product(tensor.dims));
  TorchCpuGenerator generator(std::stoull(p.at(1)));
  const std::vector<float> all = normals(generator, shape[0] * image);
  if (p[0] == "sum") {  // independent differences add up like a random walk
    verdict.close(key, std::vector<double>{std::accumulate(all.begin(), all.end(), 0.0)}, tensor.f32(),
                  limit * std::sqrt(static_cast<double>(all.size())));
    return;
  }
  const size_t first = p[0] == "head" ? 0 : p[0] == "tail" ? all.size() - count : shape[0] > 1 ? image : 64;
  verdict.close(key,
                std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(first),
                                   all.begin() + static_cast<std::ptrdiff_t>(first + count)),
                tensor.f32(), limit);
}

void check_torch(Level&, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const double limit = g.tolerance();  // absolute
  std::vector<std::string> sequence;
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/")) continue;
    const std::vector<std::string> p = parts(key.substr(4), '.');
    TorchCpuGenerator fresh(std::stoull(p.at(1)));
    const size_t count = static_cast<size_t>(product(tensor.dims));
    if (p[0] == "f32") {
      verdict.close(key, normals(fresh, count), tensor.f32(), limit);
    } else if (p[0] == "f64") {
      std::vector<double> v(count);
      fresh.randn(std::span(v));
      verdict.close(key, v, tensor.f32(), limit);
    } else if (p[0] == "uniform") {
      std::vector<float> v(count);
      fresh.uniform(v);
      verdict.close(key, v, tensor.f32(), 0);
    } else if (p[0] == "f16" || p[0] == "bf16") {
      std::vector<uint16_t> v(count);
      p[0] == "f16" ? fresh.randn_f16(v) : fresh.randn_bf16(v);
      verdict.close(key, places(v), places(tensor.u16()), 1);
    } else if (p[0] == "sequence") {
      sequence.push_back(key);
    } else {
      check_large_draw(p, key, tensor, limit, verdict);
    }
  }
  // One generator per seed, its draws in order: sequence.SEED.NUMBER
  const auto number = [](const std::string& key) { return std::stoul(parts(key, '.').at(2)); };
  std::stable_sort(sequence.begin(), sequence.end(),
                   [&](const std::string& a, const std::string& b) { return number(a) < number(b); });
  std::map<std::string, TorchCpuGenerator> running;
  for (const std::string& key : sequence) {
    const std::string seed = parts(key, '.').at(1);
    TorchCpuGenerator& generator = running.try_emplace(seed, std::stoull(seed)).first->second;
    verdict.close(key, normals(generator, static_cast<size_t>(product(g[key].dims))), g[key].f32(), limit);
  }
}

void check_philox(Level&, const std::string& name, Verdict& verdict) {
  const Json table = test::golden_json(name + ".json");
  const auto word = [](const Json& v) { return static_cast<uint32_t>(v.integer()); };
  for (const Json& row : table["philox"].array) {
    PhiloxCounter counter, want;
    for (size_t i = 0; i < 4; ++i) counter[i] = word(row["counter"][i]), want[i] = word(row["out"][i]);
    verdict.require(philox4x32(counter, {word(row["key"][0]), word(row["key"][1])}) == want, "a Philox word differs");
  }
  for (const Json& row : table["randn"].array) {
    PhiloxGenerator generator(std::stoull(row["seed"].raw), static_cast<uint64_t>(row["offset"].integer()));
    std::vector<float> all(static_cast<size_t>(row["count"].integer())), got;
    if (row["threads"].is_null())
      generator.randn_nv(all);
    else
      generator.randn_cuda(all, word(row["threads"]));
    for (const Json& index : row["index"].array) got.push_back(all.at(static_cast<size_t>(index.integer())));
    verdict.close("seed " + row["seed"].raw, got, row["value"].numbers(), table["tolerance"].number);
  }
}

}  // namespace

void add_random(Kinds& kinds) {
  kinds["random/torch-cpu"] = {check_torch, /*per_level=*/false};
  kinds["random/philox"] = {check_philox, false};
}

}  // namespace ipa::golden
