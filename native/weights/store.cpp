#include "weights/store.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "core/error.h"
#include "weights/blocks.h"
#include "weights/tensor_values.h"

namespace ipa {

namespace {

// 1x1 convolutions and linear layers hold the same numbers: [C, C, 1, 1] equals [C, C].
Dims without_trailing_ones(Dims dims) {
  while (dims.size() > 1 && dims.back() == 1) dims.pop_back();
  return dims;
}

void check_wants(const std::vector<const WeightWant*>& wants, const TensorSource& source) {
  constexpr size_t kListed = 5;
  std::vector<std::string> missing, misshapen;
  for (const WeightWant* want : wants) {
    const auto found = source.index.find(want->path);
    if (found == source.index.end()) {
      missing.push_back(want->path);
    } else if (without_trailing_ones(found->second.dims) != without_trailing_ones(want->dims)) {
      misshapen.push_back(want->path + ": expected " + text(want->dims) + ", file has " + text(found->second.dims));
    }
  }
  const auto list = [&](const std::vector<std::string>& names) {
    std::string s;
    for (size_t i = 0; i < std::min(names.size(), kListed); ++i) s += (i ? "; " : "") + names[i];
    return names.size() > kListed ? s + "; and " + std::to_string(names.size() - kListed) + " more" : s;
  };
  if (!missing.empty())
    fail(Code::TENSOR_MISSING, source.label + " lacks " + list(missing), "use a complete file of this kind of model",
         {{"tensor", missing[0]}, {"path", source.label}});
  if (!misshapen.empty())
    fail(Code::TENSOR_SHAPE, source.label + ": " + list(misshapen), "use a file made for this model's configuration",
         {{"tensor", misshapen[0].substr(0, misshapen[0].find(':'))}, {"path", source.label}});
}

}  // namespace

void require_wants(const std::vector<WeightWant>& wants, const TensorSource& source) {
  std::map<std::string_view, const WeightWant*> by_path;
  for (const WeightWant& want : wants) by_path.try_emplace(want.path, &want);
  std::vector<const WeightWant*> unique;
  for (const auto& [path, want] : by_path) unique.push_back(want);
  check_wants(unique, source);
}

Store::Store(const Backend& backend, const std::vector<WeightWant>& wants, TensorSource source)
    : backend_(backend), source_(std::move(source)) {
  std::vector<const WeightWant*> unique;
  for (const WeightWant& want : wants) {
    const auto [it, added] = slots_.try_emplace(want.path, Slot{want, DType::f32, 0, 0});
    if (added) {
      unique.push_back(&it->second.want);
    } else if (it->second.want.dims != want.dims || it->second.want.role != want.role ||
               it->second.want.compute != want.compute || it->second.want.upsampled != want.upsampled) {
      fail(Code::INTERNAL, want.path + " is wanted in two forms", "report this with the model that was loaded");
    }
  }
  check_wants(unique, source_);

  for (auto& [path, slot] : slots_) {
    slot.stored = backend_.stored_type(backend_.self, slot.want, source_.index.find(path)->second.dtype);
    slot.bytes = backend_.packed_bytes(backend_.self, slot.want, slot.stored);
  }
  lay_out();
}

void Store::lay_out() {
  bytes_ = streamed_bytes_ = 0;
  for (auto& [path, slot] : slots_) {
    uint64_t& end = slot.streamed ? streamed_bytes_ : bytes_;
    slot.offset = end;
    end += (slot.bytes + 63) / 64 * 64;
  }
}

void Store::stream(uint64_t resident, const std::map<std::string, int64_t, std::less<>>& rows) {
  std::vector<std::pair<int64_t, Slot*>> order;  // of what may go: matrices, which are nearly all
  for (auto& [path, slot] : slots_) {
    if (slot.want.role == WeightRole::vector) continue;
    const auto known = rows.find(path);
    order.emplace_back(known == rows.end() ? 0 : known->second, &slot);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  uint64_t left = bytes_;
  for (const auto& [count, slot] : order) {
    if (left <= resident) break;
    slot->streamed = true;
    left -= std::min<uint64_t>(left, slot->bytes);
  }
  lay_out();
}

void Store::load(ThreadPool& pool, const LoadOptions& options) {
  memory_ = Memory(backend_, bytes_);
  if (streamed_bytes_ > 0) streamed_ = Memory::streamed(backend_, streamed_bytes_);
  constexpr uint64_t kReports = 256;           // of progress, at most
  constexpr size_t kPages = size_t{32} << 20;  // bytes that get pages at once
  std::vector<Block> blocks;
  for (auto& [path, slot] : slots_)
    add_blocks(backend_, slot.want, source_.index.find(path)->second, slot.stored, at(slot), blocks);
  // Largest first, so that no thread ends alone with a big one.
  std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.bytes > b.bytes; });
  uint64_t total = 0;
  for (const Block& block : blocks) total += block.bytes;

  // Pages come before blocks: where they are cleared as they are touched, clearing and packing drive each other's lines
  // out of the cache.
  const size_t pages = bytes_ / kPages;
  std::mutex mutex;
  std::exception_ptr error;
  std::atomic<bool> failed{false};
  std::atomic<size_t> next{0};
  std::atomic<uint64_t> done{0};
  pool.run(pool.threads(), [&](int) {
    try {
      BlockLoader loader(backend_, source_, blocks);
      for (size_t i; !failed.load(std::memory_order_relaxed) && (i = next++) < pages + blocks.size();) {
        if (options.stop && options.stop->raised()) fail(Code::ABORTED, "loading was cancelled", "load again");
        if (i < pages) {
          backend_.populate(backend_.self, memory_.place(i * kPages), kPages);
          continue;
        }
        const Block& block = blocks[i - pages];
        loader.load(block, options.allow_nonfinite);
        const uint64_t bytes = block.bytes, so_far = done += bytes;
        if (options.progress && so_far * kReports / total != (so_far - bytes) * kReports / total)
          options.progress(so_far, total);
      }
    } catch (...) {
      failed = true;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  });
  if (error) {
    memory_ = Memory(), streamed_ = Memory();
    std::rethrow_exception(error);
  }
  present_ = true;
}

void Store::leave() {
  if (!present_) return;
  if (backend_.apart && left_.empty()) {
    left_.resize(bytes_);
    backend_.read(backend_.self, memory_.place(), left_.data(), bytes_);
  }
  memory_ = Memory();
  present_ = false;
}

bool Store::come(ThreadPool& pool, const LoadOptions& options) {
  if (present_) return false;
  if (left_.empty()) {
    load(pool, options);
    return true;
  }
  memory_ = Memory(backend_, bytes_);
  backend_.write(backend_.self, memory_.place(), left_.data(), bytes_);
  present_ = true;
  return false;
}

const WeightWant* Store::find(std::string_view path) const {
  const auto it = slots_.find(path);
  return it == slots_.end() ? nullptr : &it->second.want;
}

WeightPlace Store::place(std::string_view path) const {
  const auto it = slots_.find(path);
  if (it == slots_.end())
    fail(Code::INTERNAL, "no weight " + quoted(path) + " was loaded", "report this with the model that was loaded");
  if (!present_)
    fail(Code::INTERNAL, quoted(path) + " is not in the device's memory", "report this with the call that was made");
  return {at(it->second), it->second.stored};
}

std::vector<WeightPlace> Store::places(const Plan& plan) const {
  std::vector<WeightPlace> out;
  for (const WeightWant& want : plan.weights) {
    const WeightWant* const loaded = find(want.path);
    if (loaded && (loaded->role != want.role || loaded->upsampled != want.upsampled))
      fail(Code::INTERNAL, want.path + " was loaded in another form than a plan wants it in",
           "report this with the model that was loaded");
    out.push_back(place(want.path));
  }
  return out;
}

std::vector<float> Store::pristine(const std::string& path) const { return tensor_values(source_, path); }

void Store::rewrite(const std::string& path, const std::vector<float>& values) {
  const Slot& slot = slots_.find(path)->second;
  left_.clear();
  const WeightRows all{0, pack_rows(slot.want), values.data(), DType::f32};
  backend_.pack(backend_.self, slot.want, slot.stored, all, place(path).place);
}

uint64_t Store::digest() const {
  uint64_t hash = 0xcbf29ce484222325u;
  std::vector<uint8_t> packed;
  for (const auto& [path, slot] : slots_) {
    packed.resize(slot.bytes);
    backend_.read(backend_.self, place(path).place, packed.data(), slot.bytes);
    for (const uint8_t byte : packed) hash = (hash ^ byte) * 0x100000001b3u;
  }
  return hash;
}

}  // namespace ipa
