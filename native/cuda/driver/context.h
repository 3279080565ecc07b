#pragma once
// A device's context, shared by everything that lives in it, and the one way to call the driver: results become
// errors, and after one that loses the device every call throws that same error without asking the driver again.
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "cuda/driver/failure.h"
#include "cuda/driver/table.h"

namespace ipa::cuda::driver {

inline constexpr auto kNothingMore = [] { return std::string(); };

class Context {
 public:
  Context(const Table& table, DeviceNumber device);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Calls `function` of the table in this context. Throws an Error that says the call's name and asked(), the text of
  // what it was for.
  template <typename Asked, typename... Parameters, typename... Given>
  void call(const char* name, const Asked& asked, Result (*Table::*function)(Parameters...), Given&&... given) {
    if (const Result result = attempt(name, asked, function, std::forward<Given>(given)...))
      throw failure_of(table_, {name, asked()}, result);
  }

  // As call(), but what does not lose the device is returned.
  template <typename Asked, typename... Parameters, typename... Given>
  Result attempt(const char* name, const Asked& asked, Result (*Table::*function)(Parameters...), Given&&... given) {
    enter();
    const Result result = (table_.*function)(std::forward<Given>(given)...);
    if (is_sticky(result)) lose({name, asked()}, result);
    return result;
  }

  // For destructors: no error, nothing where the device is lost.
  template <typename... Parameters, typename... Given>
  void release(const char* name, Result (*Table::*function)(Parameters...), Given... given) noexcept {
    if (lost_ || table_.context_set_current(handle_) != kSuccess) return;
    const Result result = (table_.*function)(given...);
    if (!is_sticky(result)) return;
    try {
      lose({name, ""}, result);
    } catch (...) {  // that error is what later calls throw
    }
  }

  const Table& table() const noexcept { return table_; }
  DeviceNumber device() const noexcept { return device_; }
  ContextHandle handle() const noexcept { return handle_; }
  bool lost() const noexcept { return lost_; }
  // Errors that come later than their cause name it. The text must outlive the context.
  void launched(const char* kernel) noexcept { last_kernel_ = kernel; }

 private:
  void enter();  // makes this context the calling thread's; throws once it is lost
  [[noreturn]] void lose(Call call, Result result);

  const Table table_;
  const DeviceNumber device_;
  ContextHandle handle_ = nullptr;
  std::atomic<bool> lost_ = false;
  std::atomic<const char*> last_kernel_ = nullptr;
  std::mutex mutex_;
  std::optional<Error> why_;  // it was lost; set once
};

// A handle that is given back with its owner.
template <typename Handle, Result (*Table::*give_back)(Handle)>
class Owned {
 public:
  Owned() = default;
  Owned(std::shared_ptr<Context> context, Handle handle) noexcept : context_(std::move(context)), handle_(handle) {}
  Owned(Owned&& other) noexcept { *this = std::move(other); }
  Owned& operator=(Owned&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Owned() {
    if (context_) context_->release("the release of a handle", give_back, handle_);
  }

  Handle get() const noexcept { return handle_; }
  Context& context() const noexcept { return *context_; }

 private:
  std::shared_ptr<Context> context_;
  Handle handle_{};
};

using OwnedAddress = Owned<Address, &Table::memory_free>;
using OwnedPinned = Owned<void*, &Table::pinned_free>;
using OwnedStream = Owned<StreamHandle, &Table::stream_destroy>;
using OwnedEvent = Owned<EventHandle, &Table::event_destroy>;
using OwnedModule = Owned<ModuleHandle, &Table::module_unload>;
using OwnedGraph = Owned<GraphHandle, &Table::graph_destroy>;
using OwnedExec = Owned<GraphExecHandle, &Table::graph_exec_destroy>;

// Makes one: `function` of the table writes the handle first.
template <typename OwnedHandle, typename Asked, typename Handle, typename... Parameters, typename... Given>
OwnedHandle created(const std::shared_ptr<Context>& context, const char* name, const Asked& asked,
                    Result (*Table::*function)(Handle*, Parameters...), Given&&... given) {
  Handle handle{};
  context->call(name, asked, function, &handle, std::forward<Given>(given)...);
  return {context, handle};
}

}  // namespace ipa::cuda::driver
