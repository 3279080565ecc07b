#pragma once
// Runs cases of kernels as a native test.
#include <initializer_list>

#include "tensors.h"
#include "test.h"

namespace ipa::cuda {

using Cases = void (*)(uint64_t seed, ThreadPool* pool, Failures& failures);

inline void run_cases(std::initializer_list<Cases> groups) {
  ThreadPool pool(available_cores());
  const uint64_t seed = fresh_seed();
  Failures failures;
  for (const Cases cases : groups) cases(seed, &pool, failures);
  for (const std::string& text : failures) test::failed(__FILE__, __LINE__, text);
}

}  // namespace ipa::cuda
