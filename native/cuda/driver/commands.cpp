#include "cuda/driver/commands.h"

#include "core/error.h"

namespace ipa::cuda::driver {

void refuse_arguments(const Kernel& kernel, size_t bytes) {
  const std::string name = kernel.row ? kernel.row->name : "(none)";
  const size_t its = kernel.row ? kernel.row->argument_bytes : 0;
  fail(Code::INTERNAL,
       "kernel " + quoted(name) + " got the arguments of another, of " + std::to_string(bytes) +
           " bytes; its own have " + std::to_string(its),
       "this is a defect of ours: report it with this text", {{"kernel", name}});
}

std::string text_of(const Kernel& kernel, Grid grid) {
  const KernelRow& row = *kernel.row;
  return "kernel " + quoted(row.name) + ", grid (" + std::to_string(grid.x) + "," + std::to_string(grid.y) + "," +
         std::to_string(grid.z) + ") of " + std::to_string(row.threads) + " threads, " +
         std::to_string(row.shared_bytes) + " bytes of shared memory";
}

std::string text_of(const CopyCommand& copy) { return std::to_string(copy.bytes) + " bytes on the device"; }

std::string text_of(const FillCommand& fill) { return std::to_string(fill.count) + " words filled"; }

}  // namespace ipa::cuda::driver
