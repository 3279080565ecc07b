#pragma once
// Work for a device: launches, copies and fills, in order. Written once, run as often as wanted: one after the other
// (Device::run) or as a graph (graph.h).
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "cuda/driver/kernels.h"
#include "cuda/driver/table.h"

namespace ipa::cuda::driver {

struct Grid {
  uint32_t x = 1, y = 1, z = 1;  // blocks
};

// A kernel found on a device (Device::kernel).
struct Kernel {
  const KernelRow* row = nullptr;
  FunctionHandle function = nullptr;
};

[[noreturn]] void refuse_arguments(const Kernel& kernel, size_t bytes);

template <typename Arguments>
void check_arguments(const Kernel& kernel) {
  static_assert(std::is_trivially_copyable_v<Arguments>, "arguments are copied to the card byte by byte");
  if (!kernel.row || kernel.row->arguments != &kArguments<Arguments>) refuse_arguments(kernel, sizeof(Arguments));
}

struct LaunchCommand {
  Kernel kernel;
  Grid grid;
  std::vector<std::byte> arguments;
};
struct CopyCommand {
  Address to, from;
  size_t bytes;
};
struct FillCommand {
  Address to;
  uint32_t word;
  size_t count;  // words
};
using Command = std::variant<LaunchCommand, CopyCommand, FillCommand>;

class Commands {
 public:
  template <typename Arguments>
  void launch(const Kernel& kernel, Grid grid, const Arguments& arguments) {
    check_arguments<Arguments>(kernel);
    const auto* const bytes = reinterpret_cast<const std::byte*>(&arguments);
    list_.push_back(LaunchCommand{kernel, grid, {bytes, bytes + sizeof arguments}});
  }
  void add(Command command) { list_.push_back(std::move(command)); }
  void copy(Address to, Address from, size_t bytes) { list_.push_back(CopyCommand{to, from, bytes}); }
  void fill(Address to, uint32_t word, size_t count) { list_.push_back(FillCommand{to, word, count}); }

  void append(const Commands& more) { list_.insert(list_.end(), more.list_.begin(), more.list_.end()); }

  const std::vector<Command>& list() const noexcept { return list_; }

 private:
  std::vector<Command> list_;
};

// Texts for errors.
std::string text_of(const Kernel& kernel, Grid grid);
std::string text_of(const CopyCommand& copy);
std::string text_of(const FillCommand& fill);

}  // namespace ipa::cuda::driver
