#pragma once
#include "cpu/kernels.h"
#include "measure.h"
#include "models/configs.h"
#include "runtime/network.h"

namespace ipa::bench {

// Kernels of one level at the shapes of SD1.5 and SDXL. `level`: with f32, or with bf16 operands.
void kernel_rows(Bench& bench, const cpu::Level& level);
// Whole forwards on weights made from their names.
void forward_rows(Bench& bench, const std::string& level, int threads);
// Writes the row "forward sd15 512 batch 1" as an ONNX graph with its inputs and outputs: to_onnx/writer.h.
void forward_to_onnx(const std::string& folder, const std::string& level, int threads);
// What image prompts add to a forward.
void reference_rows(Bench& bench, const std::string& level, int threads);
// A picture in four steps, and the decoder that makes it worth while.
void few_step_rows(Bench& bench, const std::string& level, int threads);
// What runs that leave work out take of the whole one.
void less_rows(Bench& bench, const std::string& level, int threads);
// From a file in the page cache to packed weights.
void load_rows(Bench& bench, const std::string& level, int threads);

// A run from the file to a picture of 512 x 512 with guidance, once, for the memory it takes: the first row, so that
// nothing else has been in this process.
void run_row(Bench& bench, const std::string& level, int threads);

UNetConfig sd15();
RecordRequest sd15_step(int64_t batch);  // at 512 x 512

// Sets every input; `draw`: which of many.
void set_inputs(Prepared& prepared, unsigned draw = 0);

}  // namespace ipa::bench
