#pragma once
// The features of timesteps and sizes: per number x, cos(x f_i) and sin(x f_i) with f_i = exp(-ln(10000) i / divisor),
// i < half. The steps of the reference in its own precision: f32 up to the angle, whose rounding (3e-5 at timestep 999)
// shows; then f64, whose few numbers cost nothing.
// source: diffusers get_timestep_embedding
//
// Tile: a thread per pair of cosine and sine. Bound: none, some thousand numbers once per request.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/spread.h"

namespace ipa::cuda {

struct SinusoidArguments {
  const float* x;  // [count]
  float* y;        // [count][2][half], cosines first
  int32_t count, half, divisor;
  int32_t sin_first;  // 1: sines first
};

IPA_DEVICE void sinusoid(const SinusoidArguments& arguments) {
  const uint32_t half = static_cast<uint32_t>(arguments.half);
  for_each_index(arguments.count * arguments.half, [&](uint32_t i) {
    const uint32_t number = i / half, j = i % half;
    const float exponent = -9.210340371976184f * static_cast<float>(j) / static_cast<float>(arguments.divisor);
    const float angle = arguments.x[number] * static_cast<float>(exp_f64(static_cast<double>(exponent)));
    const double turns = static_cast<double>(angle) * 0.318309886183790672;  // half ones: 1 / pi
    const float cosine = static_cast<float>(cos_pi_f64(turns)), sine = static_cast<float>(sin_pi_f64(turns));
    float* const to = arguments.y + static_cast<size_t>(number) * 2 * half + j;
    to[0] = arguments.sin_first ? sine : cosine;
    to[half] = arguments.sin_first ? cosine : sine;
  });
}

}  // namespace ipa::cuda

// Instances, <op>_f32: X(name, arguments, threads, blocks, bytes of shared memory, function).
#define IPA_SINUSOID(X) X(sinusoid_f32, SinusoidArguments, kElementThreads, 1, 0, sinusoid)
