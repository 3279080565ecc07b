// Merging. Opening files: lora_open.cpp.
#include "weights/lora.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "weights/tensor_values.h"

namespace ipa {

namespace {

constexpr std::string_view kBias = ".bias";

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

// Once these are merged.
LoraState state_of(const Store& store, LoraPart part, const std::vector<ActiveLora>& wanted) {
  LoraState state;
  for (const ActiveLora& a : wanted) {
    state.merged.emplace_back(a.lora->identity, a.strength);
    for (const auto& [path, deltas] : *deltas_of(*a.lora, part))
      if (store.find(path)) state.touched.insert(path);  // a layer that no plan runs is not in the store
  }
  return state;
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

size_t Lora::modules(LoraPart part) const {
  const LoraDeltas* deltas = deltas_of(*this, part);
  size_t count = 0;
  for (const auto& [path, list] : deltas ? *deltas : LoraDeltas{}) {
    const bool bias = path.ends_with(kBias);
    if (!bias || !deltas->contains(path.substr(0, path.size() - kBias.size()) + ".weight")) ++count;
  }
  return count;
}

size_t Lora::modules() const {
  size_t count = 0;
  for (const auto& [part, deltas] : parts) count += modules(part);
  return count;
}

namespace {

std::vector<float> merged_values(const TensorSource& source, LoraPart part, const std::string& path,
                                 std::span<const ActiveLora> active) {
  std::vector<float> values = tensor_values(source, path);
  for (const ActiveLora& a : active) {
    const LoraDeltas* deltas = a.strength != 0 ? deltas_of(*a.lora, part) : nullptr;
    if (!deltas) continue;
    const auto at = deltas->find(path);
    if (at == deltas->end()) continue;
    for (const LoraDelta& delta : at->second) add_delta(values, a.lora->source, delta, a.strength);
  }
  return values;
}

}  // namespace

std::vector<float> merged_weight(const Store& store, LoraPart part, const std::string& path,
                                 std::span<const ActiveLora> active) {
  return merged_values(store.source(), part, path, active);
}

TensorSource merged_source(TensorSource source, LoraPart part, std::vector<ActiveLora> active) {
  active = effective(part, active);
  std::set<std::string, std::less<>> changed;
  for (const ActiveLora& a : active)
    for (const auto& [path, deltas] : *deltas_of(*a.lora, part))
      if (source.index.contains(path)) changed.insert(path);
  TensorSource result{source.label, source.index, source.metadata, "", source.warnings, nullptr};
  for (const std::string& path : changed) {
    TensorInfo& info = result.index.find(path)->second;
    info.dtype = DType::f32, info.scattered = true;
  }
  result.read = [source = std::move(source), part, active = std::move(active), changed = std::move(changed)](
                    const std::string& name, uint64_t first, std::span<std::byte> out) {
    if (!changed.contains(name)) return source.read(name, first, out);
    const std::vector<float> values = merged_values(source, part, name, active);
    std::ranges::copy(std::as_bytes(std::span(values)).subspan(first, out.size()), out.begin());
  };
  return result;
}

size_t apply_loras(Store& store, ThreadPool& pool, LoraPart part, LoraState& state,
                   std::span<const ActiveLora> active) {
  const std::vector<ActiveLora> wanted = effective(part, active);
  LoraState next = state_of(store, part, wanted);
  if (next.merged == state.merged && !state.broken) return 0;
  std::set<std::string> both = state.touched;
  both.insert(next.touched.begin(), next.touched.end());

  state.touched = both, state.broken = true;
  store.changed();  // before the first byte changes: a failure half way must not leave old K, V in use
  rewrite_all(store, pool, part, {both.begin(), both.end()}, wanted);
  state = std::move(next);
  return both.size();
}

size_t note_loras(Store& store, LoraPart part, LoraState& state, std::span<const ActiveLora> active) {
  LoraState next = state_of(store, part, effective(part, active));
  if (next.merged == state.merged && !state.broken) return 0;
  std::set<std::string> both = std::move(state.touched);
  both.insert(next.touched.begin(), next.touched.end());
  store.changed();
  state = std::move(next);
  return both.size();
}

void merge_again(Store& store, ThreadPool& pool, LoraPart part, LoraState& state, std::span<const ActiveLora> active) {
  const std::vector<ActiveLora> wanted = effective(part, active);
  LoraState now = state_of(store, part, wanted);
  rewrite_all(store, pool, part, {now.touched.begin(), now.touched.end()}, wanted);
  state = std::move(now);
}

bool same_deltas(const Lora& a, const Lora& b) {
  const auto same_tensor = [&](const auto& x, const auto& y) {
    return x.first == y.first && tensor_values(a.source, x.second) == tensor_values(b.source, y.second);
  };
  const auto same = [&](const LoraDelta& x, const LoraDelta& y) {
    return x.form == y.form && x.rank == y.rank && x.scale == y.scale &&
           std::equal(x.tensors.begin(), x.tensors.end(), y.tensors.begin(), y.tensors.end(), same_tensor);
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
