#include "mirror.h"

#include <cstring>

#include "tensors.h"

namespace ipa::gpu_check {

namespace {

// A tensor of the host and its copy on the device.
struct Pair {
  uintptr_t host;
  size_t bytes;
  driver::Memory there;
  std::vector<std::byte> before;
};

// The tensor that an argument points into. The word may be no pointer at all, which then lies in none.
const std::pair<const uintptr_t, size_t>* tensor_at(uintptr_t word) {
  const auto& all = cuda::tensors_alive();
  auto after = all.upper_bound(word);
  if (after == all.begin()) return nullptr;
  const auto found = --after;
  return word - found->first < found->second ? &*found : nullptr;
}

// The top byte of the first word that the kernel wrote: a number far from what it was.
void spoil(std::vector<Pair>& pairs) {
  for (const Pair& pair : pairs) {
    std::byte* const now = reinterpret_cast<std::byte*>(pair.host);
    for (size_t i = 0; i < pair.bytes; ++i)
      if (now[i] != pair.before[i]) return void(now[i | 3] ^= std::byte{0x40});
  }
}

}  // namespace

Mirror::Mirror(driver::Device& device, std::string damage) : device_(device), damage_(std::move(damage)) {
  for (const driver::KernelRow& row : driver::kernel_rows()) rows_[row.function()] = &row;
  instead_ = {this, [](void* self, const cuda::emulator::Launch& launch, const void* function, const void* arguments,
                       size_t bytes) { static_cast<Mirror*>(self)->run(launch, function, arguments, bytes); }};
  cuda::emulator::instead = &instead_;
}

Mirror::~Mirror() { cuda::emulator::instead = nullptr; }

void Mirror::run(const cuda::emulator::Launch& launch, const void* function, const void* arguments, size_t bytes) {
  const auto found = rows_.find(function);
  if (found == rows_.end())
    fail(Code::INTERNAL, "a case launches an instance of " + std::string(launch.kernel) + " that no device knows",
         "name it in the list of instances of its header");
  const driver::KernelRow& row = *found->second;
  launched_.insert(row.name);

  std::vector<Pair> pairs;
  std::vector<std::byte> given(static_cast<const std::byte*>(arguments),
                               static_cast<const std::byte*>(arguments) + bytes);
  for (size_t at = 0; at + sizeof(uintptr_t) <= bytes; at += sizeof(uintptr_t)) {
    uintptr_t word = 0;
    std::memcpy(&word, &given[at], sizeof word);
    const auto* const tensor = tensor_at(word);
    if (!tensor) continue;
    size_t i = 0;
    while (i < pairs.size() && pairs[i].host != tensor->first) ++i;
    if (i == pairs.size()) {
      pairs.push_back({tensor->first, tensor->second, device_.allocate(tensor->second, "a tensor of a case"), {}});
      const auto* const from = reinterpret_cast<const std::byte*>(tensor->first);
      pairs[i].before.assign(from, from + tensor->second);
      device_.upload(pairs[i].there.at(), from, tensor->second);
    }
    const uint64_t there = pairs[i].there.at(word - tensor->first);
    std::memcpy(&given[at], &there, sizeof there);
  }
  driver::Commands commands;
  commands.add(
      driver::LaunchCommand{device_.kernel(row.name), {launch.grid.x, launch.grid.y, launch.grid.z}, std::move(given)});
  device_.run(commands);
  for (const Pair& pair : pairs) device_.download(reinterpret_cast<void*>(pair.host), pair.there.at(), pair.bytes);
  if (damage_ == row.name) spoil(pairs);
}

}  // namespace ipa::gpu_check
