// Norms over groups, element ops and what runs between the steps: every kernel, number type and width at small and odd
// sizes, and one real layer.
#include "element_cases.h"
#include "gather_cases.h"
#include "group_norm_cases.h"
#include "latents_cases.h"
#include "plan/ops.h"
#include "row_cases.h"
#include "test.h"

namespace ipa::cuda {
namespace {

// The kernels' own lists, which a backend may cast those of the plan to.
static_assert(static_cast<int>(ElementFunction::ceil) == static_cast<int>(Function::ceil));
static_assert(static_cast<int>(ElementFunction::quick_gelu) == static_cast<int>(Function::quick_gelu));
static_assert(static_cast<int>(ElementFunction::clip) == static_cast<int>(Function::clip));
static_assert(static_cast<int>(BinaryFunction::prelu) == static_cast<int>(BinaryKind::prelu));
static_assert(static_cast<int>(BinaryFunction::max) == static_cast<int>(BinaryKind::max));
static_assert(static_cast<int>(ReduceFunction::l2) == static_cast<int>(ReduceKind::l2));

using Cases = void (*)(uint64_t, ThreadPool*, Failures&);

void run(std::initializer_list<Cases> groups) {
  ThreadPool pool(available_cores());
  const uint64_t seed = fresh_seed();
  Failures failures;
  for (const Cases cases : groups) cases(seed, &pool, failures);
  for (const std::string& text : failures) test::failed(__FILE__, __LINE__, text);
}

TEST("cuda group_norm: small and odd sizes, every output") {
  run({group_norm_cases<Half>, group_norm_cases<BFloat>, group_norm_cases<float>});
}

TEST("cuda group_norm: a layer of 4096 x 320") {
  run({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    group_norm_case<Half, 4>({1, 4096, 320, 32, 64, 64, true}, {.block_groups = 4}, seed, pool, failures);
  }});
}

TEST("cuda elements: every function and sum, every output, one and four side by side") {
  run({element_cases<float, 1>, element_cases<float, 4>, element_cases<Half, 1>, element_cases<Half, 4>,
       element_cases<BFloat, 1>, element_cases<BFloat, 4>, f32_element_cases<1>, f32_element_cases<4>});
}

TEST("cuda elements: geglu of 1024 x 1280, a softmax over 4096 scores") {
  run({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    geglu_case<Half, 4>(1024, 1280 / 4, seed, pool, failures);
    softmax_case<Half>(64, 4096, 2, seed, pool, failures);
  }});
}

TEST("cuda gather: every output and table, one and four side by side") {
  run({gather_cases<float, 1>, gather_cases<float, 4>, gather_cases<Half, 1>, gather_cases<Half, 4>,
       gather_cases<BFloat, 1>, gather_cases<BFloat, 4>, strided_cases});
}

TEST("cuda rows: softmax, reductions, features of timesteps") {
  run({softmax_cases<float>, softmax_cases<Half>, softmax_cases<BFloat>, reduce_cases, sinusoid_cases});
}

TEST("cuda latents: combine, guide, finite, copies") { run({latents_cases}); }

// The index of a group times its width must meet what one access may be aligned to.
TEST("cuda elements: four numbers at an address that is no multiple of 16 bytes are reported") {
  Tensor<float> x(9), y(8);
  emulator::Launch launch;
  launch.kernel = "apply";
  try {
    emulator::launch(launch, apply<float, 4>, ApplyArguments{x.data() + 1, y.data(), 2, ElementFunction::relu, 0, 0});
    test::failed(__FILE__, __LINE__, "no error");
  } catch (const Error& e) {
    EXPECT(std::string(e.what()).find("no multiple of 16 bytes") != std::string::npos);
  }
}

}  // namespace
}  // namespace ipa::cuda
