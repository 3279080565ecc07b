#include "golden/compare.h"

#include <cmath>
#include <filesystem>

#include "golden/kinds.h"
#include "weights/synthetic.h"

namespace ipa::golden {

using test::Golden;
using test::GoldenModel;
using test::GoldenTensor;

TensorSource weights(const GoldenModel& model) { return synthetic(model.prefix, model.index, model.factors); }

std::string data_file(const std::string& name, const std::string& file) {
  const std::filesystem::path from_folder = test::golden_file(file);
  if (std::filesystem::exists(from_folder)) return from_folder.string();
  return ((test::golden_folder() / name).parent_path() / std::filesystem::path(file).filename()).string();
}

Tensor value(const GoldenTensor& tensor) { return {test::nhwc_shape(tensor.dims), test::nhwc(tensor)}; }

namespace {

double relative_l2(const std::vector<float>& got, const std::vector<float>& want) {
  double error = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double w = static_cast<double>(want[i]), difference = static_cast<double>(got[i]) - w;
    error += difference * difference, size += w * w;
  }
  return error == 0 ? 0 : std::sqrt(error / size);
}

}  // namespace

Compute compute_of(const Level& level, const Golden& g) {
  return g.info["tolerance"].has(level.machine.compute()) ? level.machine.with : Compute::f32;
}

void compare(Verdict& verdict, const Golden& g, const std::string& key, const std::vector<float>& got, Compute with) {
  const std::vector<float> want = test::nhwc(g[key]);
  const double tolerance = g.tolerance(compute_text(with));
  const test::Json& rules = g.info["tolerance"];
  if (rules.has("rule") && rules["rule"].string.find("relative") != std::string::npos) {  // "absolute, plus … relative"
    verdict.close(key, got, want, [tolerance](double expected) { return tolerance * (1 + std::abs(expected)); });
    return;
  }
  verdict.close(key, got, want, tolerance * test::rms(want));
  if (with != Compute::f32 && got.size() == want.size())
    verdict.close(key + ", relative L2", std::vector{relative_l2(got, want)}, std::vector{0.0}, tolerance / 4);
}

void compare(Verdict& verdict, const Golden& g, const test::Tensors& got, Compute with) {
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/") && !key.starts_with("tap/")) continue;
    const auto at = got.find(key.substr(4));
    if (at != got.end())
      compare(verdict, g, key, at->second, with);
    else if (key.starts_with("out/"))  // a tap names a module of the reference; ours may have no such value
      verdict.fault(key + " was not computed");
  }
}

test::Tensors bare(const Tensors& tensors) {
  test::Tensors out;
  for (const auto& [name, tensor] : tensors) out[name] = tensor.data;
  return out;
}

}  // namespace ipa::golden
