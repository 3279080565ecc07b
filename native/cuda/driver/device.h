#pragma once
// A device as host code uses it: memory, one stream of work, launches by kernel. Every result of the driver that is
// not success becomes an Error: DEVICE_OUT_OF_MEMORY with the bytes needed and free, DEVICE_LOST after which every call
// throws that same error, DEVICE_UNSUPPORTED, else INTERNAL. One thread at a time works with a device; memory may be
// given back by any thread, and after its device.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cuda/driver/commands.h"
#include "cuda/driver/context.h"
#include "cuda/driver/images.h"
#include "cuda/driver/table.h"

namespace ipa::cuda::driver {

struct Properties {
  std::string name;
  int capability = 0;  // ten times the major number plus the minor: 75, 80, 120
  int multiprocessors = 0;
  size_t total_bytes = 0;
  size_t shared_bytes = 0;  // the most a block may have
  size_t l2_bytes = 0;
  int driver = 0;  // 13000
};

struct MemoryInfo {
  size_t free, total;  // bytes
};

// Memory of a device, given back with its owner.
class Memory {
 public:
  Memory() = default;
  Memory(OwnedAddress at, size_t bytes) noexcept : at_(std::move(at)), bytes_(bytes) {}
  Address at(size_t offset = 0) const noexcept { return at_.get() + offset; }
  size_t bytes() const noexcept { return bytes_; }
  // As kernels take it in their arguments.
  template <typename T>
  T* as(size_t offset = 0) const noexcept {
    return reinterpret_cast<T*>(static_cast<uintptr_t>(at(offset)));
  }

 private:
  OwnedAddress at_;
  size_t bytes_ = 0;
};

// Memory of the host that the device reads and writes directly: copies to and from it do not wait.
class Pinned {
 public:
  Pinned() = default;
  Pinned(OwnedPinned at, size_t bytes) noexcept : at_(std::move(at)), bytes_(bytes) {}
  std::byte* data() const noexcept { return static_cast<std::byte*>(at_.get()); }
  size_t bytes() const noexcept { return bytes_; }

 private:
  OwnedPinned at_;
  size_t bytes_ = 0;
};

class Event;

class Device {
 public:
  // Of a started table (library.h). An image is loaded when a kernel is first looked for in it; the emulated device
  // asks for none.
  Device(const Table& table, int ordinal, std::span<const Image> images = {});

  const Properties& properties() const noexcept { return properties_; }
  bool lost() const noexcept { return context_->lost(); }
  uint64_t launches() const noexcept { return launches_; }  // of kernels so far, those in graphs too

  MemoryInfo memory_info();
  Memory allocate(size_t bytes, std::string_view what);  // at a multiple of 256; `what` for errors
  Pinned allocate_pinned(size_t bytes, std::string_view what);

  // In the order they are asked for. upload() is done with `from` when it returns unless that is pinned; download()
  // waits for all work and has written `to`.
  void upload(Address to, const void* from, size_t bytes);
  void download(void* to, Address from, size_t bytes);
  void copy(Address to, Address from, size_t bytes);
  void fill(Address to, uint32_t word, size_t count);  // words of 4 bytes
  void synchronize();
  void wait(const Event& event);  // what is asked for from here on begins after it

  // DEVICE_UNSUPPORTED where the card cannot run it (bf16 before sm_80, too much shared memory).
  Kernel kernel(std::string_view name);
  template <typename Arguments>
  void launch(const Kernel& kernel, Grid grid, const Arguments& arguments) {
    check_arguments<Arguments>(kernel);
    launch_bytes(kernel, grid, &arguments);
  }
  void run(const Commands& commands);

 private:
  friend class CopyStream;
  friend class Event;
  friend class Graph;
  void launch_bytes(const Kernel& kernel, Grid grid, const void* arguments);
  struct Module {
    Image image;
    OwnedModule handle;
    bool tried = false;
  };
  // Null: no kernel of it runs on this card.
  ModuleHandle loaded(Module& module);

  std::shared_ptr<Context> context_;
  Properties properties_;
  OwnedStream stream_;
  std::vector<Module> modules_;
  uint64_t launches_ = 0;
};

// A point in the work of a device, for its time.
class Event {
 public:
  explicit Event(Device& device);
  void record(Device& device);
  // Milliseconds from another event to this one; waits for this one.
  float since(const Event& earlier);

 private:
  friend class CopyStream;
  friend class Device;
  OwnedEvent event_;
};

// A stream beside the device's own, for copies that run while kernels do.
class CopyStream {
 public:
  explicit CopyStream(Device& device);
  void upload(Address to, const Pinned& from, size_t offset, size_t bytes);  // `from` stays until the copy is done
  void wait(const Event& event);
  void record(Event& event);

 private:
  OwnedStream stream_;
};

// Commands made ready once: a replay is one call. Addresses and arguments are those of the time it was made.
class Graph {
 public:
  Graph(Device& device, const Commands& commands);
  void run(Device& device);

 private:
  OwnedExec exec_;
  uint64_t launches_ = 0;
};

}  // namespace ipa::cuda::driver
