// The scheduler: every thread runs, in the order asked for, and meets the others where it must; every misuse is an
// error that says where.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "cuda/device/device.h"
#include "cuda/emulator/launch.h"
#include "tensors.h"
#include "test.h"

namespace ipa::cuda {
namespace {

using emulator::Launch;
using emulator::Order;
using emulator::Statistics;

struct Nothing {};

Launch block_of(uint32_t threads, size_t shared_bytes = 0) {
  Launch launch;
  launch.kernel = "trial";
  launch.threads = threads, launch.shared_bytes = shared_bytes;
  return launch;
}

template <typename F>
Statistics run(const Launch& launch, const F& f) {
  return emulator::launch(
      launch, [&](Nothing) { f(); }, Nothing{});
}

template <typename F>
std::string message(const Launch& launch, const F& f) {
  try {
    run(launch, f);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

template <typename F>
void expect_misuse(const Launch& launch, const std::string& where, const std::string& what, const F& f) {
  const std::string text = message(launch, f);
  if (text.find("kernel \"trial\", block " + where) == std::string::npos || text.find(what) == std::string::npos)
    test::failed(__FILE__, __LINE__, "expected " + where + " … " + what + ", found: " + text);
}

TEST("cuda scheduler: every thread of every block runs once, alone or on a pool, launch after launch") {
  ThreadPool pool(3);
  for (ThreadPool* p : {static_cast<ThreadPool*>(nullptr), &pool})
    for (uint32_t threads : {32u, 96u, 1024u}) {
      Launch launch = block_of(threads);
      launch.grid = {3, 2, 2}, launch.pool = p;
      std::vector<int> times(12 * threads);
      run(launch, [&] {
        const Index3 block = block_index(), grid = grid_size();
        const size_t linear = (size_t{block.z} * grid.y + block.y) * grid.x + block.x;
        ++times[linear * block_threads() + thread_index()];
      });
      EXPECT(std::all_of(times.begin(), times.end(), [](int n) { return n == 1; }));
    }
}

std::vector<uint32_t> warp_order(const Order& order, uint32_t block) {
  Launch launch = block_of(256);
  launch.order = order, launch.grid.x = block + 1;
  std::vector<uint32_t> warps;
  run(launch, [&] {
    if (lane_index() == 0 && block_index().x == block) warps.push_back(warp_index());
    block_barrier();
    if (lane_index() == 0 && block_index().x == block) warps.push_back(warp_index());
  });
  return warps;
}

TEST("cuda scheduler: the order of warps is the one asked for") {
  using Kind = Order::Kind;
  std::vector<uint32_t> up(8), down;
  std::iota(up.begin(), up.end(), 0u);
  down.assign(up.rbegin(), up.rend());
  const auto twice = [](std::vector<uint32_t> v) {
    const std::vector<uint32_t> copy = v;
    v.insert(v.end(), copy.begin(), copy.end());
    return v;
  };
  EXPECT(warp_order({Kind::forward, 0}, 0) == twice(up));
  EXPECT(warp_order({Kind::reverse, 0}, 0) == twice(down));
  const std::vector<uint32_t> shuffled = warp_order({Kind::shuffle, 7}, 1);
  EXPECT(shuffled == warp_order({Kind::shuffle, 7}, 1));
  EXPECT(shuffled != warp_order({Kind::shuffle, 8}, 1));
  EXPECT(shuffled != warp_order({Kind::shuffle, 7}, 0));
  EXPECT(!std::equal(shuffled.begin(), shuffled.begin() + 8, shuffled.begin() + 8));
  std::vector<uint32_t> sorted(shuffled);
  std::sort(sorted.begin(), sorted.begin() + 8);
  EXPECT(std::equal(up.begin(), up.end(), sorted.begin()));
}

TEST("cuda scheduler: orders by text and by IPA_EMULATOR_ORDER") {
  EXPECT(emulator::order_from_text("forward").kind == Order::Kind::forward);
  EXPECT(emulator::order_from_text("reverse").kind == Order::Kind::reverse);
  EXPECT_EQ(emulator::order_from_text("shuffle:42").seed, 42u);
  for (const char* wrong : {"", "backward", "shuffle", "shuffle:", "shuffle:x", "shuffle:1 ", "forwards"})
    EXPECT_CODE(emulator::order_from_text(wrong), Code::OPTION_RANGE);
  const char* const before = std::getenv("IPA_EMULATOR_ORDER");
  const std::string kept = before ? before : "";
  setenv("IPA_EMULATOR_ORDER", "reverse", 1);
  EXPECT(emulator::default_order().kind == Order::Kind::reverse);
  unsetenv("IPA_EMULATOR_ORDER");
  EXPECT(emulator::default_order().kind == Order::Kind::forward);
  if (before) setenv("IPA_EMULATOR_ORDER", kept.c_str(), 1);
}

TEST("cuda scheduler: a barrier separates what warps do, in every order") {
  for (const auto& [name, order] : all_orders(3)) {
    Launch launch = block_of(512, 512 * 4);
    launch.order = order;
    std::vector<uint32_t> sums(512);
    const Statistics done = run(launch, [&] {
      uint32_t* const values = shared_memory<uint32_t>();
      shared_store(values + thread_index(), thread_index() + 1);
      for (uint32_t half = 256; half > 0; half /= 2) {
        block_barrier();
        uint32_t sum = 0;
        if (thread_index() < half)
          sum = shared_load(values + thread_index()) + shared_load(values + thread_index() + half);
        block_barrier();
        if (thread_index() < half) shared_store(values + thread_index(), sum);
      }
      block_barrier();
      sums[thread_index()] = shared_load(values);
    });
    EXPECT_EQ(done.barriers, 19u);
    EXPECT(std::all_of(sums.begin(), sums.end(), [](uint32_t s) { return s == 512 * 513 / 2; }));
  }
}

TEST("cuda scheduler: warps leave early, named barriers join those that stay") {
  Launch launch = block_of(128, 256);
  uint32_t seen = 0;
  run(launch, [&] {
    uint32_t* const values = shared_memory<uint32_t>();
    if (warp_index() == 0) return;
    if (warp_index() == 1) shared_store(values + lane_index(), 100 + lane_index());
    if (warp_index() < 3) named_barrier(5, 64);
    if (warp_index() == 2 && lane_index() == 9) seen = shared_load(values + 9);
  });
  EXPECT_EQ(seen, 109u);
}

TEST("cuda scheduler: shared memory is NaN at the start of every block") {
  Launch launch = block_of(32, 64);
  launch.grid.x = 3;
  int numbers = 0;
  run(launch, [&] {
    float* const values = shared_memory<float>();
    if (lane_index() >= 16) return;
    if (!std::isnan(shared_load(values + lane_index()))) ++numbers;
    shared_store(values + lane_index(), 1.0f);
  });
  EXPECT_EQ(numbers, 0);
}

TEST("cuda misuse: lanes of one warp at different collectives") {
  expect_misuse(block_of(64), "(0,0,0), thread 33", "different collectives: warp_sync, but lane 0 shuffle", [] {
    if (thread_index() == 33) return warp_sync();
    shuffle_xor(1.0f, 1);
  });
  expect_misuse(block_of(32), "(0,0,0), thread 16", "different collectives: ballot, but lane 0 block_barrier", [] {
    if (lane_index() < 16) return block_barrier();
    warp_ballot(true);
  });
  expect_misuse(block_of(32), "(0,0,0), thread 1", "different collectives", [] {
    if (lane_index() == 1) shuffle_up(1.0f, 1);
    shuffle_down(1.0f, 1);
  });
}

TEST("cuda misuse: a collective after part of the warp has left") {
  Launch launch = block_of(64);
  launch.grid = {2, 3};
  expect_misuse(launch, "(1,2,0), thread 32", "ballot after lane 31 of the warp has left", [] {
    if (block_index().x == 1 && block_index().y == 2 && thread_index() >= 60) return;
    warp_ballot(true);
  });
}

TEST("cuda misuse: a barrier reached by part of the block, a deadlock") {
  expect_misuse(block_of(64), "(0,0,0), thread 0", "a barrier was reached by part of the block: thread 63 has left",
                [] {
                  if (warp_index() == 0) block_barrier();
                });
  expect_misuse(block_of(64), "(0,0,0), thread 0", "deadlock", [] { named_barrier(1 + warp_index(), 64); });
  expect_misuse(block_of(96), "(0,0,0), thread 0", "more threads wait", [] { named_barrier(1, 64); });
  expect_misuse(block_of(32), "(0,0,0), thread 0", "ids are 1 to 15", [] { named_barrier(16, 32); });
}

TEST("cuda misuse: addresses of shared memory") {
  const Launch launch = block_of(32, 1024);
  uint32_t parts[4];
  expect_misuse(launch, "(0,0,0), thread 3", "load_matrix: the address is no multiple of 16 bytes",
                [&] { load_matrix_x4(parts, shared_memory<Half>() + 8 * lane_index() + (lane_index() == 3)); });
  expect_misuse(launch, "(0,0,0), thread 31", "load_matrix: the address is outside",
                [&] { load_matrix_x4(parts, shared_memory<Half>() + 8 * (lane_index() == 31 ? 64 : 0)); });
  const Tensor<float> from(64);
  expect_misuse(launch, "(0,0,0), thread 1", "copy_async: the address is no multiple of 8 bytes",
                [&] { copy_async<8>(shared_memory<char>() + 4 * lane_index(), from.data()); });
  expect_misuse(launch, "(0,0,0), thread 0", "copy_async: the address is outside",
                [&] { copy_async<16>(shared_memory<char>() + 1024, from.data()); });
  expect_misuse(launch, "(0,0,0), thread 0", "the global address is no multiple of 16 bytes",
                [&] { copy_async<16>(shared_memory<char>() + 16 * lane_index(), from.data() + 1); });
  expect_misuse(launch, "(0,0,0), thread 0", "more bytes than the copy has",
                [&] { copy_async<4>(shared_memory<char>() + 4 * lane_index(), from.data(), 5); });
  expect_misuse(launch, "(0,0,0), thread 2", "shared_load: the address is outside", [&] {
    if (lane_index() == 2) shared_load(shared_memory<float>() + 256);
  });
  expect_misuse(launch, "(0,0,0), thread 2", "shared_store: the address is no multiple of 4 bytes", [&] {
    if (lane_index() == 2) shared_store(reinterpret_cast<float*>(shared_memory<char>() + 2), 1.0f);
  });
  Launch bounded = launch;
  const std::span<const std::byte> readable[] = {from.bytes()};
  bounded.readable = readable;
  expect_misuse(bounded, "(0,0,0), thread 16", "copy_async: the global address is outside the kernel's inputs",
                [&] { copy_async<16>(shared_memory<float>() + 4 * lane_index(), from.data() + 4 * lane_index()); });
}

TEST("cuda misuse: warps that touch one word without a barrier") {
  Launch launch = block_of(64, 1024);
  const Tensor<float> from(64);
  const auto race = [&](const std::string& what, auto f) { expect_misuse(launch, "(0,0,0), thread 32", what, f); };
  race("warp 1 reads shared memory at byte 8 that warp 0 wrote", [] {
    float* const word = shared_memory<float>() + 2;
    if (warp_index() == 1) return void(shared_load(word));
    shared_store(word, 1.0f);
  });
  race("warp 1 writes shared memory at byte 8 that warp 0 read", [] {
    float* const word = shared_memory<float>() + 2;
    if (warp_index() == 0) return void(shared_load(word));
    shared_store(word, 1.0f);
  });
  race("warp 1 reads shared memory at byte 0 that warp 0 wrote", [&] {
    uint32_t parts[4];
    copy_async<16>(shared_memory<float>() + 4 * thread_index(), from.data());
    copy_commit();
    copy_wait<0>();
    load_matrix_x4(parts, shared_memory<float>());
  });
  race("warp 1 reads shared memory at byte 4 that warp 0 wrote", [&] {  // by the landing, not by the start of the copy
    float* const word = shared_memory<float>() + 1;
    if (warp_index() == 0) copy_async<4>(word, from.data());
    copy_commit();
    block_barrier();
    copy_wait<0>();
    if (warp_index() == 1) shared_load(word);
  });
  launch.shadow = false;
  EXPECT_EQ(message(launch, [] { shared_store(shared_memory<float>(), 1.0f); }), "no error");
}

TEST("cuda misuse: launches that fit no card, and the next launch is as good as ever") {
  for (const uint32_t threads : {0u, 33u, 1056u}) EXPECT_CODE(run(block_of(threads), [] {}), Code::INTERNAL);
  EXPECT_CODE(run(block_of(32, 228 * 1024), [] {}), Code::INTERNAL);
  Launch empty = block_of(32);
  empty.grid.y = 0;
  EXPECT_CODE(run(empty, [] {}), Code::INTERNAL);
  int after = 0;
  run(block_of(64), [&] { ++after; });
  EXPECT_EQ(after, 64);
}

TEST("cuda misuse: of many blocks the first is named, whatever thread ran it") {
  ThreadPool pool(4);
  Launch launch = block_of(32);
  launch.grid.x = 200, launch.pool = &pool;
  for (int round = 0; round < 5; ++round)
    expect_misuse(launch, "(17,0,0), thread 0", "ballot after lane 9", [] {
      if (block_index().x >= 17 && lane_index() == 9) return;
      warp_ballot(true);
    });
}

}  // namespace
}  // namespace ipa::cuda
