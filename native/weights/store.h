#pragma once
// The weights of one network, packed once at load into the only copy kept, in the backend's memory. Places do not
// change while they are there: merging a LoRA rewrites bytes in place, so prepared programs stay valid; the generation
// tells caches of derived values (K, V) apart.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/stop.h"
#include "core/tensor_index.h"
#include "core/threads.h"
#include "plan/backend.h"

namespace ipa {

struct LoadOptions {
  bool allow_nonfinite = false;  // otherwise a NaN or Inf is TENSOR_NONFINITE
  bool later = false;            // checked now, read when it is first needed
  const StopFlag* stop = nullptr;
  // Bytes of the file read so far, at most 256 times; any thread.
  std::function<void(uint64_t bytes, uint64_t total)> progress;
};

// Checks every want against a source: TENSOR_MISSING, TENSOR_SHAPE list up to five.
void require_wants(const std::vector<WeightWant>& wants, const TensorSource& source);

class Store {
 public:
  // Checks every want against the source before a byte is loaded: TENSOR_MISSING, TENSOR_SHAPE list up to five.
  // `wants`: from recorded plans; a path may come several times. Tensors nobody wants are left alone.
  Store(const Backend& backend, const std::vector<WeightWant>& wants, TensorSource source);
  // Before load(), for backends whose memory is apart: leaves at most `resident` bytes to be loaded there. The others
  // stay with the host and come over each time a program runs, those first that are multiplied with the most rows
  // (`rows`, by path): their products take longest for the bytes that come.
  void stream(uint64_t resident, const std::map<std::string, int64_t, std::less<>>& rows);
  // Takes memory, reads and packs.
  void load(ThreadPool& pool, const LoadOptions& options = {});
  // Both.
  Store(const Backend& backend, ThreadPool& pool, const std::vector<WeightWant>& wants, TensorSource source,
        const LoadOptions& options = {})
      : Store(backend, wants, std::move(source)) {
    load(pool, options);
  }

  // Leaves the backend's memory, perhaps to come back to other places: where that is apart for the host's, but for what
  // is streamed. Where it is the host's the bytes are given up, and come() reads them of the source anew.
  void leave();
  // True: the weights are those of the source, whatever was rewritten before.
  bool come(ThreadPool& pool, const LoadOptions& options = {});
  bool present() const { return present_; }

  WeightPlace place(std::string_view path) const;
  std::vector<WeightPlace> places(const Plan& plan) const;
  uint64_t bytes() const { return bytes_; }  // in the backend's memory
  uint64_t streamed_bytes() const { return streamed_bytes_; }
  uint64_t generation() const { return generation_; }
  const TensorSource& source() const { return source_; }
  const WeightWant* find(std::string_view path) const;
  DType type_in_source(std::string_view path) const { return source_.index.find(path)->second.dtype; }

  // The tensor as the file has it, f32, row-major.
  std::vector<float> pristine(const std::string& path) const;
  // Packs new values for one weight in place. Callers change weights between runs only.
  void rewrite(const std::string& path, const std::vector<float>& values);
  void changed() { ++generation_; }  // once after a set of rewrites
  // FNV-1a over all packed bytes: tests compare weights before and after.
  uint64_t digest() const;

 private:
  struct Slot {
    WeightWant want;
    DType stored;
    size_t offset, bytes;
    bool streamed = false;
  };
  void lay_out();
  Place at(const Slot& slot) const { return (slot.streamed ? streamed_ : memory_).place(slot.offset); }

  const Backend& backend_;
  TensorSource source_;
  std::map<std::string, Slot, std::less<>> slots_;
  Memory memory_, streamed_;
  bool present_ = false;
  // The packed bytes as the host has them: since they last left, until one is rewritten. Costs as much memory of the
  // host as they took, and saves the way back when they leave again.
  std::vector<std::byte> left_;
  uint64_t bytes_ = 0, streamed_bytes_ = 0;
  uint64_t generation_ = 1;
};

}  // namespace ipa
