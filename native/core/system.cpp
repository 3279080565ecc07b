#include "core/system.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <utility>
#if defined(_WIN32)
#include <process.h>
#include <windows.h>
#else
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/mman.h>

#include <fstream>
#include <string>
#endif

namespace ipa::system {

// ---- memory ----

#if defined(_WIN32)
void* take_memory(size_t alignment, size_t bytes) noexcept { return _aligned_malloc(bytes, alignment); }
void give_memory(void* memory) noexcept { _aligned_free(memory); }
#else
void* take_memory(size_t alignment, size_t bytes) noexcept { return std::aligned_alloc(alignment, bytes); }
void give_memory(void* memory) noexcept { std::free(memory); }
#endif

#if defined(__linux__)
void advise_huge_pages(void* memory, size_t bytes) noexcept { madvise(memory, bytes, MADV_HUGEPAGE); }

void fill_pages(void* memory, size_t bytes) noexcept {
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, since Linux 5.14
  constexpr uintptr_t kPage = uintptr_t{64} << 10;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, kPopulateWrite);
}
#else
void advise_huge_pages(void*, size_t) noexcept {}
void fill_pages(void*, size_t) noexcept {}
#endif

// ---- cores ----

#if defined(__linux__)

namespace {

int affinity_cores() {
  for (int count = 1024; count <= 1 << 16; count *= 2) {  // the kernel may know more CPUs than cpu_set_t holds
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(count));
    if (!set) break;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(count));
    const int cores = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (cores > 0) return cores;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Cores' worth of time per period, 0 when there is no limit or no such file.
double limit_of(const std::string& folder, bool unified) {
  std::string quota;
  double period = 0;
  if (unified) {
    std::ifstream(folder + "/cpu.max") >> quota >> period;  // "max 100000" or "150000 100000", in us
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;  // -1: none
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  const double time = std::strtod(quota.c_str(), nullptr);  // "max" gives 0
  return time > 0 && period > 0 ? time / period : 0;
}

// The tightest limit on the way from this process's control group to the root. 0: none.
double quota_cores() {
  double least = 0;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "0::/a/b" (v2) or "4:cpu,cpuacct:/a/b" (v1)
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = controllers == ",,";
    if (!unified && controllers.find(",cpu,") == std::string::npos) continue;
    const std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    std::string path = line.substr(second + 1);
    while (true) {
      const double limit = limit_of(root + path, unified);
      if (limit > 0 && (least == 0 || limit < least)) least = limit;
      const size_t slash = path.find_last_of('/');
      if (path.empty() || slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  return least;
}

}  // namespace

int cores() {
  const int allowed = affinity_cores();
  const double quota = quota_cores();
  // Rounded down: a thread beyond the quota only makes all of them wait for the next period.
  return std::max(quota > 0 ? std::min(allowed, static_cast<int>(quota)) : allowed, 1);
}

#else

int cores() { return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1); }

#endif

// ---- threads ----

namespace {

constexpr size_t kStack = size_t{8} << 20;  // bytes; taken as they are touched

}  // namespace

#if defined(_WIN32)

struct Thread::Started {
  std::function<void()> work;
  HANDLE handle = nullptr;
};

Thread::Thread(std::function<void()> work) : started_(new Started{std::move(work)}) {
  const auto main = [](void* it) -> unsigned {
    static_cast<Started*>(it)->work();
    return 0;
  };
  const uintptr_t handle =
      _beginthreadex(nullptr, kStack, main, started_.get(), STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  if (handle == 0) throw std::system_error(errno, std::generic_category());
  started_->handle = reinterpret_cast<HANDLE>(handle);
}

void Thread::join() noexcept {
  if (!started_) return;
  WaitForSingleObject(started_->handle, INFINITE);
  CloseHandle(started_->handle);
  started_.reset();
}

#else

struct Thread::Started {
  std::function<void()> work;
  pthread_t thread = {};
};

Thread::Thread(std::function<void()> work) : started_(new Started{std::move(work)}) {
  const auto main = [](void* it) -> void* {
    static_cast<Started*>(it)->work();
    return nullptr;
  };
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error == 0) {
    pthread_attr_setstacksize(&attributes, kStack);
    error = pthread_create(&started_->thread, &attributes, main, started_.get());
    pthread_attr_destroy(&attributes);
  }
  if (error != 0) throw std::system_error(error, std::generic_category());
}

void Thread::join() noexcept {
  if (!started_) return;
  pthread_join(started_->thread, nullptr);
  started_.reset();
}

#endif

Thread::~Thread() { join(); }
Thread::Thread(Thread&& other) noexcept = default;

}  // namespace ipa::system
