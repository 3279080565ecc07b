#include "cuda/driver/device.h"

#include "cuda/driver/library.h"

namespace ipa::cuda::driver {
namespace {

constexpr size_t kSharedUnasked = 48 * 1024;  // bytes of shared memory a kernel may have without asking for more

std::shared_ptr<Context> context_of(const Table& table, int ordinal) {
  const std::variant<DeviceNumber, Unavailable> found = usable_device(table, ordinal);
  if (const auto* const why = std::get_if<Unavailable>(&found)) throw error_of(*why);
  return std::make_shared<Context>(table, std::get<DeviceNumber>(found));
}

Properties properties_of(Context& context) {
  const DeviceNumber device = context.device();
  Properties found;
  char name[256] = "";
  context.call("cuDeviceGetName", kNothingMore, &Table::device_name, name, static_cast<int>(sizeof name), device);
  found.name = name;
  context.call("cuDeviceTotalMem", kNothingMore, &Table::device_total_memory, &found.total_bytes, device);
  context.call("cuDriverGetVersion", kNothingMore, &Table::driver_version, &found.driver);
  const auto attribute = [&](Attribute which) {
    int value = 0;
    context.call(
        "cuDeviceGetAttribute", [&] { return "attribute " + std::to_string(which); }, &Table::device_attribute, &value,
        which, device);
    return value;
  };
  found.capability = attribute(kCapabilityMajor) * 10 + attribute(kCapabilityMinor);
  found.multiprocessors = attribute(kMultiprocessors);
  found.shared_bytes = static_cast<size_t>(attribute(kMaxSharedPerBlockOptin));
  found.l2_bytes = static_cast<size_t>(attribute(kL2Bytes));
  return found;
}

// An image of operands of one type has kernels of that type alone: "product_bf16" holds "product_bf16_f32_64x64".
bool may_hold(const Image& image, std::string_view kernel) {
  if (!image.name.ends_with("_f16") && !image.name.ends_with("_bf16")) return true;
  return kernel.starts_with(image.name) && kernel.substr(image.name.size()).starts_with("_");
}

std::string bytes_for(size_t bytes, std::string_view what) {
  return std::to_string(bytes) + " bytes for " + std::string(what);
}

}  // namespace

Device::Device(const Table& table, int ordinal, std::span<const Image> images)
    : context_(context_of(table, ordinal)),
      properties_(properties_of(*context_)),
      stream_(
          created<OwnedStream>(context_, "cuStreamCreate", kNothingMore, &Table::stream_create, kStreamNonBlocking)) {
  for (const Image& image : images) modules_.push_back({image, {}});
  if (images.empty()) modules_.push_back({});
}

MemoryInfo Device::memory_info() {
  MemoryInfo info{};
  context_->call("cuMemGetInfo", kNothingMore, &Table::memory_info, &info.free, &info.total);
  return info;
}

Memory Device::allocate(size_t bytes, std::string_view what) {
  const auto asked = [&] { return bytes_for(bytes, what); };
  Address at = 0;
  const Result result = context_->attempt("cuMemAlloc", asked, &Table::memory_allocate, &at, bytes);
  if (result == kSuccess) return {{context_, at}, bytes};
  if (result != kOutOfMemory) throw failure_of(context_->table(), {"cuMemAlloc", asked()}, result);
  MemoryInfo info{};
  const Result told = context_->attempt("cuMemGetInfo", asked, &Table::memory_info, &info.free, &info.total);
  const std::string room =
      told == kSuccess ? ", " + std::to_string(info.free) + " are free of " + std::to_string(info.total) : "";
  fail(Code::DEVICE_OUT_OF_MEMORY, quoted(properties_.name) + " has no room: " + asked() + " are needed" + room,
       "close other programs that use the card, ask for a smaller image or batch, or use device cpu",
       {{"call", "cuMemAlloc"},
        {"for", std::string(what)},
        {"needed", std::to_string(bytes)},
        {"free", std::to_string(info.free)},
        {"total", std::to_string(info.total)}});
}

Pinned Device::allocate_pinned(size_t bytes, std::string_view what) {
  const auto asked = [&] { return bytes_for(bytes, what); };
  void* at = nullptr;
  const Result result = context_->attempt("cuMemHostAlloc", asked, &Table::pinned_allocate, &at, bytes, 0u);
  if (result == kSuccess) return {{context_, at}, bytes};
  if (result != kOutOfMemory) throw failure_of(context_->table(), {"cuMemHostAlloc", asked()}, result);
  fail(Code::HOST_OUT_OF_MEMORY, "the host refused " + asked() + ", pinned for the device",
       "close other programs, or ask for less", {{"call", "cuMemHostAlloc"}, {"needed", std::to_string(bytes)}});
}

void Device::upload(Address to, const void* from, size_t bytes) {
  context_->call(
      "cuMemcpyHtoDAsync", [&] { return std::to_string(bytes) + " bytes from the host"; }, &Table::copy_to_device, to,
      from, bytes, stream_.get());
}

void Device::download(void* to, Address from, size_t bytes) {
  context_->call(
      "cuMemcpyDtoHAsync", [&] { return std::to_string(bytes) + " bytes to the host"; }, &Table::copy_to_host, to, from,
      bytes, stream_.get());
  synchronize();
}

void Device::copy(Address to, Address from, size_t bytes) {
  const CopyCommand copy{to, from, bytes};
  context_->call(
      "cuMemcpyDtoDAsync", [&] { return text_of(copy); }, &Table::copy_on_device, to, from, bytes, stream_.get());
}

void Device::fill(Address to, uint32_t word, size_t count) {
  const FillCommand fill{to, word, count};
  context_->call(
      "cuMemsetD32Async", [&] { return text_of(fill); }, &Table::fill_words, to, word, count, stream_.get());
}

void Device::synchronize() {
  context_->call("cuStreamSynchronize", kNothingMore, &Table::stream_synchronize, stream_.get());
}

ModuleHandle Device::loaded(Module& module) {
  if (module.tried) return module.handle.get();
  const auto asked = [&] { return "the kernels " + quoted(module.image.name) + " on " + quoted(properties_.name); };
  ModuleHandle handle = nullptr;
  const Result result = context_->attempt("cuModuleLoadData", asked, &Table::module_load, &handle, module.image.data);
  if (result == kSuccess)
    module.handle = {context_, handle};
  else if (result != kNoBinaryForGpu)
    throw failure_of(context_->table(), {"cuModuleLoadData", asked()}, result);
  module.tried = true;
  return module.handle.get();
}

void Device::wait(const Event& event) {
  context_->call("cuStreamWaitEvent", kNothingMore, &Table::stream_wait_event, stream_.get(), event.event_.get(), 0u);
}

Kernel Device::kernel(std::string_view name) {
  const auto unsupported = [&](const std::string& why) {
    fail(Code::DEVICE_UNSUPPORTED, quoted(properties_.name) + " cannot run kernel " + quoted(name) + ": " + why,
         "use another dtype, another card, or device cpu", {{"kernel", std::string(name)}});
  };
  const KernelRow* const row = find_kernel(name);
  if (!row) fail(Code::INTERNAL, "there is no kernel " + quoted(name), "this is a defect of ours: report it");
  if (row->shared_bytes > properties_.shared_bytes)
    unsupported("it needs " + std::to_string(row->shared_bytes) + " bytes of shared memory, the card has " +
                std::to_string(properties_.shared_bytes));
  const auto asked = [&] { return "kernel " + quoted(name); };
  Kernel kernel{row, nullptr};
  for (Module& module : modules_) {
    if (kernel.function) break;
    const ModuleHandle handle = may_hold(module.image, name) ? loaded(module) : nullptr;
    if (!handle) continue;
    const Result found =
        context_->attempt("cuModuleGetFunction", asked, &Table::module_function, &kernel.function, handle, row->name);
    if (found == kNotFound)
      kernel.function = nullptr;
    else if (found)
      throw failure_of(context_->table(), {"cuModuleGetFunction", asked(), row->name}, found);
  }
  if (!kernel.function)
    unsupported("there is no image of it for compute capability " + std::to_string(properties_.capability));
  if (row->shared_bytes > kSharedUnasked)
    context_->call("cuFuncSetAttribute", asked, &Table::function_set_attribute, kernel.function, kMaxDynamicShared,
                   static_cast<int>(row->shared_bytes));
  return kernel;
}

void Device::launch_bytes(const Kernel& kernel, Grid grid, const void* arguments) {
  const auto asked = [&] { return text_of(kernel, grid); };
  const KernelRow& row = *kernel.row;
  void* given[] = {const_cast<void*>(arguments)};  // the driver only reads them
  void** none = nullptr;
  context_->launched(row.name);
  const Result result = context_->attempt("cuLaunchKernel", asked, &Table::launch, kernel.function, grid.x, grid.y,
                                          grid.z, row.threads, 1u, 1u, row.shared_bytes, stream_.get(), given, none);
  if (result) throw failure_of(context_->table(), {"cuLaunchKernel", asked(), row.name}, result);
  ++launches_;
}

void Device::run(const Commands& commands) {
  struct Each {
    Device& device;
    void operator()(const LaunchCommand& launch) const {
      device.launch_bytes(launch.kernel, launch.grid, launch.arguments.data());
    }
    void operator()(const CopyCommand& copy) const { device.copy(copy.to, copy.from, copy.bytes); }
    void operator()(const FillCommand& fill) const { device.fill(fill.to, fill.word, fill.count); }
  };
  for (const Command& command : commands.list()) std::visit(Each{*this}, command);
}

Event::Event(Device& device)
    : event_(created<OwnedEvent>(device.context_, "cuEventCreate", kNothingMore, &Table::event_create, 0u)) {}

void Event::record(Device& device) {
  event_.context().call("cuEventRecord", kNothingMore, &Table::event_record, event_.get(), device.stream_.get());
}

float Event::since(const Event& earlier) {
  float milliseconds = 0;
  event_.context().call("cuEventSynchronize", kNothingMore, &Table::event_synchronize, event_.get());
  event_.context().call("cuEventElapsedTime", kNothingMore, &Table::event_elapsed, &milliseconds, earlier.event_.get(),
                        event_.get());
  return milliseconds;
}

CopyStream::CopyStream(Device& device)
    : stream_(created<OwnedStream>(device.context_, "cuStreamCreate", kNothingMore, &Table::stream_create,
                                   kStreamNonBlocking)) {}

void CopyStream::upload(Address to, const Pinned& from, size_t offset, size_t bytes) {
  stream_.context().call(
      "cuMemcpyHtoDAsync", [&] { return std::to_string(bytes) + " bytes from the host, beside kernels"; },
      &Table::copy_to_device, to, from.data() + offset, bytes, stream_.get());
}

void CopyStream::wait(const Event& event) {
  stream_.context().call("cuStreamWaitEvent", kNothingMore, &Table::stream_wait_event, stream_.get(),
                         event.event_.get(), 0u);
}

void CopyStream::record(Event& event) {
  stream_.context().call("cuEventRecord", kNothingMore, &Table::event_record, event.event_.get(), stream_.get());
}

}  // namespace ipa::cuda::driver
