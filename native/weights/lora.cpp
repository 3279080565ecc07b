// Merging. Opening files: lora_open.cpp.
#include "weights/lora.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "weights/tensor_values.h"

namespace ipa {

namespace {

// values [rows, columns] += factor · up [rows, rank] · down [rank, columns]. A block of columns stays in registers over
// the rank; the fixed length lets the compiler vectorise it.
void add_product(float* values, const float* up, const float* down, size_t rows, size_t rank, size_t columns,
                 float factor) {
  constexpr size_t kBlock = 32;
  for (size_t o = 0; o < rows; ++o) {
    float* row = values + o * columns;
    size_t c = 0;
    for (; c + kBlock <= columns; c += kBlock) {
      float sum[kBlock] = {};
      for (size_t r = 0; r < rank; ++r) {
        const float u = up[o * rank + r];
        const float* d = down + r * columns + c;
        for (size_t i = 0; i < kBlock; ++i) sum[i] += u * d[i];
      }
      for (size_t i = 0; i < kBlock; ++i) row[c + i] += factor * sum[i];
    }
    for (; c < columns; ++c) {
      float sum = 0;
      for (size_t r = 0; r < rank; ++r) sum += up[o * rank + r] * down[r * columns + c];
      row[c] += factor * sum;
    }
  }
}

// Tucker form: down'[n, j, k, l] = Σ_m mid[n, m, k, l] · down[m, j], after which it is an ordinary convolution's down.
std::vector<float> with_mid(const std::vector<float>& mid, const std::vector<float>& down, size_t rank) {
  const size_t inputs = down.size() / rank, window = mid.size() / (rank * rank);  // window: kh · kw
  std::vector<float> out(rank * inputs * window);
  for (size_t n = 0; n < rank; ++n)
    for (size_t m = 0; m < rank; ++m)
      for (size_t j = 0; j < inputs; ++j)
        for (size_t k = 0; k < window; ++k)
          out[(n * inputs + j) * window + k] += mid[(n * rank + m) * window + k] * down[m * inputs + j];
  return out;
}

void add_delta(std::vector<float>& values, const TensorSource& source, const LoraDelta& delta, float strength) {
  const std::vector<float> up = tensor_values(source, delta.up);
  std::vector<float> down = tensor_values(source, delta.down);
  const size_t rank = static_cast<size_t>(delta.rank), rows = up.size() / rank;
  if (!delta.mid.empty()) down = with_mid(tensor_values(source, delta.mid), down, rank);
  add_product(values.data(), up.data(), down.data(), rows, rank, values.size() / rows, strength * delta.scale);
}

const LoraDeltas* deltas_of(const Lora& lora, LoraPart part) {
  const auto at = lora.parts.find(part);
  return at == lora.parts.end() || at->second.empty() ? nullptr : &at->second;
}

// Those that change this part at all.
std::vector<ActiveLora> effective(LoraPart part, std::span<const ActiveLora> active) {
  std::vector<ActiveLora> out;
  for (const ActiveLora& a : active)
    if (a.strength != 0 && deltas_of(*a.lora, part)) out.push_back(a);
  return out;
}

void rewrite_all(Store& store, ThreadPool& pool, LoraPart part, const std::vector<std::string>& paths,
                 const std::vector<ActiveLora>& active) {
  std::mutex mutex;
  std::exception_ptr error;
  std::atomic<bool> failed{false};
  pool.run(static_cast<int>(paths.size()), [&](int i) {
    if (failed.load(std::memory_order_relaxed)) return;
    try {
      store.rewrite(paths[i], merged_weight(store, part, paths[i], active));
    } catch (...) {
      failed = true;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace

size_t Lora::modules() const {
  size_t count = 0;
  for (const auto& [part, deltas] : parts) count += deltas.size();
  return count;
}

std::vector<float> merged_weight(const Store& store, LoraPart part, const std::string& path,
                                 std::span<const ActiveLora> active) {
  std::vector<float> values = store.pristine(path);
  for (const ActiveLora& a : active) {
    const LoraDeltas* deltas = a.strength != 0 ? deltas_of(*a.lora, part) : nullptr;
    if (!deltas) continue;
    const auto at = deltas->find(path);
    if (at == deltas->end()) continue;
    for (const LoraDelta& delta : at->second) add_delta(values, a.lora->source, delta, a.strength);
  }
  return values;
}

size_t apply_loras(Store& store, ThreadPool& pool, LoraPart part, LoraState& state,
                   std::span<const ActiveLora> active) {
  const std::vector<ActiveLora> wanted = effective(part, active);
  std::vector<std::pair<std::shared_ptr<const char>, float>> merged;
  for (const ActiveLora& a : wanted) merged.emplace_back(a.lora->identity, a.strength);
  if (merged == state.merged && !state.broken) return 0;

  std::set<std::string> now;
  for (const ActiveLora& a : wanted)
    for (const auto& [path, deltas] : *deltas_of(*a.lora, part))
      if (store.find(path)) now.insert(path);  // a layer that no plan runs is not in the store
  std::set<std::string> both = state.touched;
  both.insert(now.begin(), now.end());

  state.touched = both, state.broken = true;
  store.changed();  // before the first byte changes: a failure half way must not leave old K, V in use
  rewrite_all(store, pool, part, {both.begin(), both.end()}, wanted);
  state = {std::move(merged), std::move(now), false};
  return both.size();
}

bool same_deltas(const Lora& a, const Lora& b) {
  const auto same_tensor = [&](const std::string& x, const std::string& y) {
    if (x.empty() || y.empty()) return x.empty() == y.empty();
    return tensor_values(a.source, x) == tensor_values(b.source, y);
  };
  const auto same = [&](const LoraDelta& x, const LoraDelta& y) {
    return x.rank == y.rank && x.scale == y.scale && same_tensor(x.down, y.down) && same_tensor(x.up, y.up) &&
           same_tensor(x.mid, y.mid);
  };
  return a.parts.size() == b.parts.size() &&
         std::equal(a.parts.begin(), a.parts.end(), b.parts.begin(), [&](const auto& p, const auto& q) {
           return p.first == q.first && p.second.size() == q.second.size() &&
                  std::equal(p.second.begin(), p.second.end(), q.second.begin(), [&](const auto& m, const auto& n) {
                    return m.first == n.first && m.second.size() == n.second.size() &&
                           std::equal(m.second.begin(), m.second.end(), n.second.begin(), same);
                  });
         });
}

}  // namespace ipa
