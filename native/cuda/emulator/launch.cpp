// Launches: checks, blocks over the pool, the first misuse as an error.
#include "cuda/emulator/launch.h"

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include "core/error.h"
#include "cuda/emulator/block.h"

namespace ipa::cuda::emulator {
namespace {

constexpr uint32_t kMostThreads = 1024;
constexpr size_t kMostShared = 227 * 1024;  // bytes; sm_90, the most of any card we build for
constexpr uint64_t kMostBlocks = 0x7fffffff;

[[noreturn]] void refused(const Launch& launch, const std::string& what) {
  fail(Code::INTERNAL, "kernel " + quoted(launch.kernel) + ": " + what, "a launch must fit the card");
}

std::string text(const Position& p) {
  return "(" + std::to_string(p.x) + "," + std::to_string(p.y) + "," + std::to_string(p.z) + ")";
}

void add(Statistics& sum, const Statistics& more) {
  sum.barriers += more.barriers, sum.shuffles += more.shuffles, sum.matrix_loads += more.matrix_loads;
  sum.products += more.products, sum.copies += more.copies, sum.switches += more.switches;
}

}  // namespace

Order order_from_text(std::string_view text) {
  constexpr std::string_view kShuffle = "shuffle:";
  Order order;
  if (text == "forward") return order;
  if (text == "reverse") return {Order::Kind::reverse, 0};
  if (text.starts_with(kShuffle)) {
    order.kind = Order::Kind::shuffle;
    const char* const end = text.data() + text.size();
    const auto [rest, wrong] = std::from_chars(text.data() + kShuffle.size(), end, order.seed);
    if (wrong == std::errc() && rest == end) return order;
  }
  fail(Code::OPTION_RANGE,
       "expected forward, reverse or shuffle:SEED as the order of warps but received " + quoted(text),
       "IPA_EMULATOR_ORDER takes one of these");
}

Order default_order() {
  const char* const text = std::getenv("IPA_EMULATOR_ORDER");
  return text ? order_from_text(text) : Order{};
}

Statistics launch_body(const Launch& launch, Body body) {
  if (launch.threads == 0 || launch.threads % kLanes != 0 || launch.threads > kMostThreads)
    refused(launch, std::to_string(launch.threads) + " threads are no block of whole warps, at most 1024");
  if (launch.shared_bytes > kMostShared)
    refused(launch, std::to_string(launch.shared_bytes) + " bytes of shared memory");
  const Grid grid = launch.grid;
  const uint64_t layer = uint64_t{grid.x} * grid.y;  // blocks
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535 || grid.x > kMostBlocks ||
      layer > kMostBlocks / grid.z)
    refused(launch, "a grid of " + text({grid.x, grid.y, grid.z}) + " blocks");
  const Order order = launch.order ? *launch.order : default_order();

  std::mutex mutex;
  Statistics sum;
  std::unique_ptr<Misuse> misuse;
  std::atomic<uint64_t> first{kMostBlocks + 1};  // block with a misuse; those after it need not run
  const auto part = [&](int number) {
    thread_local Block block;
    const auto linear = static_cast<uint64_t>(number);
    if (linear > first.load(std::memory_order_relaxed)) return;
    const Position at{static_cast<uint32_t>(linear % grid.x), static_cast<uint32_t>(linear / grid.x % grid.y),
                      static_cast<uint32_t>(linear / layer)};
    block.statistics = {};
    std::unique_ptr<Misuse> found = block.run(launch, order, at, body);
    const std::lock_guard lock(mutex);
    add(sum, block.statistics);
    if (found && linear < first.load(std::memory_order_relaxed)) misuse = std::move(found), first = linear;
  };
  const auto blocks = static_cast<int>(layer * grid.z);
  if (launch.pool)
    launch.pool->run(blocks, part);
  else
    for (int i = 0; i < blocks; ++i) part(i);
  if (!misuse) return sum;

  const uint64_t linear = first.load();
  const std::string block =
      text({static_cast<uint32_t>(linear % grid.x), static_cast<uint32_t>(linear / grid.x % grid.y),
            static_cast<uint32_t>(linear / layer)});
  const std::string thread = std::to_string(misuse->thread);
  fail(Code::INTERNAL,
       "kernel " + quoted(launch.kernel) + ", block " + block + ", thread " + thread + ": " + misuse->what,
       "the kernel misuses the card",
       {{"kernel", std::string(launch.kernel)}, {"block", block}, {"thread", thread}, {"misuse", misuse->what}});
}

}  // namespace ipa::cuda::emulator
