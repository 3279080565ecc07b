#include "golden/case_tensors.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "weights/synthetic.h"

namespace ipa::golden {

using test::Golden;
using test::Json;

namespace {

// The arithmetic that a case wants on a signal.
void apply(const std::string& then, const std::string& key, std::vector<float>& values) {
  if (then != "clamp(0.2 x + 0.5, 0, 1)")  // pixels of a picture
    throw std::runtime_error(key + " wants arithmetic that is not here: " + then);
  for (float& x : values) x = std::clamp(0.2f * x + 0.5f, 0.0f, 1.0f);
}

}  // namespace

std::map<std::string, Input> inputs(const Golden& g) {
  std::map<std::string, Input> in;
  for (const auto& [key, tensor] : g.tensors)
    if (key.starts_with("in/")) in[key.substr(3)] = {tensor.dims, tensor.f32()};
  if (!g.info.has("signals")) return in;
  for (const auto& [key, signal] : g.info["signals"].object) {
    if (in.contains(key.substr(3))) continue;
    Dims dims;
    for (const double d : signal["shape"].numbers()) dims.push_back(static_cast<int64_t>(d));
    const double scale = signal.has("scale") ? signal["scale"].number : 1;
    std::vector<float> values = synthetic_signal(signal["name"].string, static_cast<size_t>(product(dims)), scale);
    if (signal.has("then")) apply(signal["then"].string, key, values);
    in[key.substr(3)] = {dims, std::move(values)};
  }
  return in;
}

Tensor input(const Golden& g, const std::string& name) {
  std::map<std::string, Input> all = inputs(g);
  const auto found = all.find(name);
  if (found == all.end()) throw std::runtime_error("the case has no input " + name);
  return {test::nhwc_shape(found->second.dims), test::nhwc(found->second.dims, found->second.values)};
}

namespace {

// Rows of [count] that a case says it stores, `stored` of them.
std::vector<int64_t> rows_of(const Json& said, int64_t count, int64_t stored) {
  std::vector<int64_t> rows;
  if (said.kind == Json::Kind::array) {
    for (const double row : said.numbers()) rows.push_back(static_cast<int64_t>(row));
  } else if (said.string.starts_with("first ")) {
    for (int64_t row = 0; row < stored; ++row) rows.push_back(row);
  } else {
    for (int64_t row = 0; row < count; row += 5) rows.push_back(row);
  }
  return rows;
}

}  // namespace

std::vector<float> stored_rows(const Golden& g, const std::string& key, const std::vector<float>& tokens,
                               int64_t batch) {
  const Dims& stored = g[key].dims;  // [batch, rows, D]
  if (!g.info.has("rows") || stored.size() != 3) return tokens;
  const int64_t width = stored.at(2), count = static_cast<int64_t>(tokens.size()) / width / batch;
  const std::vector<int64_t> rows = rows_of(g.info["rows"], count, stored.at(1));
  std::vector<float> kept;
  for (int64_t n = 0; n < batch; ++n)
    for (const int64_t row : rows) {
      if (row >= count)
        throw std::runtime_error("the case stores row " + std::to_string(row) + " of " + std::to_string(count));
      const auto from = tokens.begin() + (n * count + row) * width;
      kept.insert(kept.end(), from, from + width);
    }
  return kept;
}

}  // namespace ipa::golden
