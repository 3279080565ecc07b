// The scheduler. The lanes of a warp run until each has reached a collective, a barrier or its end; then the warp's
// collective is carried out and they run on. A warp goes on until it waits at a barrier or is done, then the next one.
#include "cuda/emulator/block.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>
#include <numeric>
#include <utility>

namespace ipa::cuda::emulator {
namespace {

using Kind = Request::Kind;

constexpr std::align_val_t kSharedAlign{128};  // bytes

thread_local Block* current_block = nullptr;  // a fiber has no other way to find the block it belongs to

const char* name(const Request& request) {
  switch (request.kind) {
    case Kind::none:
      return "nothing";
    case Kind::warp_sync:
      return "warp_sync";
    case Kind::shuffle:
      return "shuffle";
    case Kind::ballot:
      return "ballot";
    case Kind::load_matrix:
      return request.variant ? "load_matrix transposed" : "load_matrix";
    case Kind::multiply:
      return "multiply";
    case Kind::barrier:
      return request.size == 0 ? "block_barrier" : "named_barrier";
    case Kind::done:
      return "the end";
  }
  return "";
}

uint64_t mixed(uint64_t x) {  // source: splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

}  // namespace

void Block::Free::operator()(std::byte* memory) const { ::operator delete(memory, kSharedAlign); }

void Thread::run(void* thread) {
  Thread& self = *static_cast<Thread*>(thread);
  for (;;) {  // one round per block
    (*self.block.body)();
    self.request = {};
    self.request.kind = Kind::done;
    self.fiber.suspend();
  }
}

Block* Block::current() noexcept { return current_block; }

uint32_t Block::draw(uint32_t below) {
  random_ = mixed(random_);
  return static_cast<uint32_t>((random_ >> 32) * below >> 32);
}

void Block::found(uint32_t thread, std::string what) {
  if (!misuse_) misuse_ = std::make_unique<Misuse>(Misuse{thread, std::move(what)});
}

void Block::misuse(std::string what) {
  found(running->index, std::move(what));
  for (;;) running->fiber.suspend();  // never resumed: the block ends, and the fiber begins anew
}

void Block::check_shared(const void* address, size_t bytes, size_t align, const char* who) {
  const auto at = reinterpret_cast<uintptr_t>(address), start = reinterpret_cast<uintptr_t>(shared_.get());
  if (at % align != 0) misuse(std::string(who) + ": the address is no multiple of " + std::to_string(align) + " bytes");
  if (at < start || at - start > launch->shared_bytes || bytes > launch->shared_bytes - (at - start))
    misuse(std::string(who) + ": the address is outside the block's shared memory");
}

void Block::prepare() {
  while (threads_.size() < launch->threads)
    threads_.push_back(std::make_unique<Thread>(*this, static_cast<uint32_t>(threads_.size())));
  for (uint32_t t = 0; t < launch->threads; ++t) {
    Thread& thread = *threads_[t];
    thread.request = {};
    thread.copies.clear();
    thread.group = 0;
  }
  if (!shared_ || shared_bytes_ != launch->shared_bytes) {  // just as large, so that the address sanitizer sees its end
    shared_.reset(static_cast<std::byte*>(::operator new(launch->shared_bytes, kSharedAlign)));
    shared_bytes_ = launch->shared_bytes;
  }
  std::memset(shared_.get(), 0xff, shared_bytes_);  // NaN in every number type: what nobody wrote shows
  if (launch->shadow) shadow.begin(shared_bytes_);
  warps_.resize(launch->threads / kLanes);
  std::iota(warps_.begin(), warps_.end(), 0u);
}

// The order of the next round.
void Block::arrange() {
  if (order_.kind == Order::Kind::shuffle) {
    for (uint32_t i = static_cast<uint32_t>(warps_.size()); i > 1; --i) std::swap(warps_[i - 1], warps_[draw(i)]);
    lanes_backwards_ = draw(2) == 1;
  } else if (order_.kind == Order::Kind::reverse) {
    std::sort(warps_.begin(), warps_.end(), std::greater<>());
    lanes_backwards_ = true;
  } else {
    lanes_backwards_ = false;
  }
}

std::unique_ptr<Misuse> Block::run(const Launch& a_launch, const Order& order, Position at, Body a_body) {
  launch = &a_launch, body = &a_body, index = at, order_ = order;
  random_ = mixed(order.seed ^ mixed((uint64_t{at.z} << 32 | at.y) ^ mixed(at.x)));
  prepare();
  Block* const outer = std::exchange(current_block, this);
  for (bool waiting = true; waiting && !misuse_;) {
    arrange();
    for (uint32_t warp : warps_) {
      run_warp(warp);
      if (misuse_) break;
    }
    if (!misuse_) waiting = release_barriers();
  }
  current_block = outer;
  for (uint32_t t = 0; t < launch->threads; ++t) {
    if (!threads_[t]->fiber.stack_intact()) found(t, "the thread used more stack than there is");
    if (misuse_) threads_[t]->fiber.restart();
  }
  return std::move(misuse_);
}

void Block::run_warp(uint32_t warp) {
  while (run_lanes(warp) && !misuse_ && meet_lanes(warp) && !misuse_) {
  }
}

// Runs the lanes that can. False when none can.
bool Block::run_lanes(uint32_t warp) {
  bool any = false;
  for (uint32_t i = 0; i < kLanes && !misuse_; ++i) {
    Thread& thread = *threads_[warp * kLanes + (lanes_backwards_ ? kLanes - 1 - i : i)];
    if (thread.request.kind != Kind::none) continue;
    any = true, running = &thread, ++statistics.switches;
    thread.fiber.resume();
    running = nullptr;
  }
  return any;
}

// All lanes wait or are done. Carries out a collective; false when there is none, that is, at a barrier or the end.
bool Block::meet_lanes(uint32_t warp) {
  const Request* first = nullptr;
  uint32_t first_lane = 0, gone = kLanes;
  Thread* lanes[kLanes];
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    lanes[lane] = threads_[warp * kLanes + lane].get();
    const Request& request = lanes[lane]->request;
    if (request.kind == Kind::done) {
      gone = lane;
    } else if (!first) {
      first = &request, first_lane = lane;
    } else if (!first->meets(request)) {
      found(warp * kLanes + lane, "lanes of one warp met different collectives: " + std::string(name(request)) +
                                      ", but lane " + std::to_string(first_lane) + " " + name(*first));
      return false;
    }
  }
  if (!first || first->kind == Kind::barrier) return false;
  if (gone < kLanes) {
    found(warp * kLanes + first_lane,
          std::string(name(*first)) + " after lane " + std::to_string(gone) + " of the warp has left");
    return false;
  }
  uint32_t lane = 0;
  if (std::string wrong = execute(*this, lanes, lane); !wrong.empty()) {
    found(warp * kLanes + lane, std::move(wrong));
    return false;
  }
  for (Thread* thread : lanes) thread->request.kind = Kind::none;
  return true;
}

// All warps are done or wait at barriers. Releases those whose threads are all there; false when the block is done.
bool Block::release_barriers() {
  uint32_t arrived[16] = {}, done = 0;
  const Thread* waits = nullptr;
  const Thread* left = nullptr;
  for (uint32_t t = 0; t < launch->threads; ++t) {
    const Request& request = threads_[t]->request;
    if (request.kind == Kind::done) {
      ++done, left = threads_[t].get();
    } else {
      ++arrived[request.size];
      if (!waits) waits = threads_[t].get();
    }
  }
  if (!waits) return false;
  bool released = false;
  for (uint32_t t = 0; t < launch->threads; ++t) {
    Request& request = threads_[t]->request;
    if (request.kind != Kind::barrier || arrived[request.size] < request.operand) continue;
    if (arrived[request.size] > request.operand) {
      found(t, "more threads wait at a named barrier than it is for");
      return false;
    }
    request.kind = Kind::none, released = true;
  }
  if (released) {
    ++statistics.barriers;
    if (launch->shadow) shadow.barrier();  // a named barrier counts as if the whole block had met
  } else if (done > 0) {
    found(waits->index,
          "a barrier was reached by part of the block: thread " + std::to_string(left->index) + " has left");
  } else {
    found(waits->index, "deadlock: no thread can go on");
  }
  return true;
}

}  // namespace ipa::cuda::emulator
