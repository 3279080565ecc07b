#include "core/threads.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "test.h"

using ipa::ThreadPool;

TEST("threads: every part runs once, for any number of threads and parts") {
  for (int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int parts : {0, 1, 2, 3, 7, 64, 1000}) {
      std::vector<std::atomic<int>> times(static_cast<size_t>(parts) + 1);
      pool.run(parts, [&](int i) { times[static_cast<size_t>(i)].fetch_add(1); });
      for (int i = 0; i < parts; ++i) EXPECT_EQ(times[static_cast<size_t>(i)].load(), 1);
    }
  }
}

TEST("threads: what parts wrote is seen after the run, job after job") {
  ThreadPool pool(4);
  std::vector<int> values(8);
  for (int job = 0; job < 20000; ++job) {
    pool.run(8, [&](int i) { values[static_cast<size_t>(i)] = job + i; });
    for (int i = 0; i < 8; ++i)
      if (values[static_cast<size_t>(i)] != job + i) return ipa::test::failed(__FILE__, __LINE__, "a part was lost");
  }
}

TEST("threads: a pool that slept wakes up, and one that never ran closes") {
  ThreadPool idle(3);
  ThreadPool pool(3);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // far longer than the threads spin
    std::atomic<int> sum{0};
    pool.run(10, [&](int i) { sum.fetch_add(i); });
    EXPECT_EQ(sum.load(), 45);
  }
}

TEST("threads: the caller runs the parts that a busy pool has not begun") {
  ThreadPool pool(2);
  std::atomic<int> done{0};
  pool.run(9, [&](int i) {  // whoever takes part 0 is held up; the other thread does all the rest meanwhile
    if (i > 0) return void(done.fetch_add(1));
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (done.load() < 8 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  });
  EXPECT_EQ(done.load(), 8);
}

TEST("threads: available cores") {
  const int cores = ipa::available_cores();
  EXPECT(cores >= 1);
  EXPECT(cores <= static_cast<int>(std::thread::hardware_concurrency()));
}
