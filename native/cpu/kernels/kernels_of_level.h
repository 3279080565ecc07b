#pragma once
// Every kernel of one level; level.cpp puts their addresses into the Level struct.
#include "cpu/kernels.h"
#include "cpu/kernels/vec.h"

namespace ipa::cpu::IPA_ISA {

int64_t geglu_column(int64_t n, int64_t columns);
size_t packed_bytes(int64_t k, int64_t n, DType type);
void pack(const PackArgs& args) noexcept;
float packed_at(const PackedMatrix& w, int64_t k, int64_t column);

size_t matmul_scratch(const MatMulArgs& args, int threads);
void matmul(const MatMulArgs& args, const Context& context) noexcept;
size_t conv_scratch(const ConvArgs& args, int threads);
void conv(const ConvArgs& args, const Context& context) noexcept;
bool winograd_fits(const ConvArgs& args);
size_t winograd_scratch(const ConvArgs& args, int threads);
void winograd(const ConvArgs& args, const Context& context) noexcept;
void winograd_of_pairs(const ConvArgs& args, const Context& context) noexcept;
bool conv_few_fits(const ConvArgs& args);
size_t conv_few_scratch(const ConvArgs& args, int threads);
void conv_few(const ConvArgs& args, const Context& context) noexcept;
void conv_few_of_pairs(const ConvArgs& args, const Context& context) noexcept;
size_t attend_scratch(const AttendArgs& args, int threads);
void attend(const AttendArgs& args, const Context& context) noexcept;
size_t group_norm_scratch(const GroupNormArgs& args, int threads);
void group_norm(const GroupNormArgs& args, const Context& context) noexcept;
void layer_norm(const LayerNormArgs& args, const Context& context) noexcept;
void apply(Function function, const float* x, float alpha, float beta, float* y, int64_t n) noexcept;
void geglu(const float* x, float* y, int64_t rows, int64_t columns) noexcept;
void add(const float* a, const float* b, float* y, int64_t n) noexcept;
void add_scaled(const float* x, const float* y, float scale, float* out, int64_t n) noexcept;

extern const Level level;

// f(slot, task) for every task, each taken by whichever thread is free; slot < pool.threads() numbers the scratch.
// Tasks not yet started when the stop flag is raised are left out.
template <typename F>
static void for_tasks(const Context& context, int64_t tasks, const F& f) {
  int64_t next = 0;
  const int slots = static_cast<int>(least(context.pool.threads(), tasks));
  context.pool.run(slots, [&](int slot) {
    while (!context.stop.raised()) {
      const int64_t task = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
      if (task >= tasks) return;
      f(slot, task);
    }
  });
}

}  // namespace ipa::cpu::IPA_ISA
