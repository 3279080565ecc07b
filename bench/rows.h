#pragma once
#include "cpu/kernels.h"
#include "measure.h"
#include "models/configs.h"

namespace ipa::bench {

// Kernels of one level at the shapes of SD1.5 and SDXL. `level`: with f32, or with bf16 operands.
void kernel_rows(Bench& bench, const cpu::Level& level);
// Whole forwards on weights made from their names.
void forward_rows(Bench& bench, const std::string& level, int threads);
// From a file in the page cache to packed weights.
void load_rows(Bench& bench, const std::string& level, int threads);

UNetConfig sd15();

}  // namespace ipa::bench
