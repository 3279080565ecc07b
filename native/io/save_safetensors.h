#pragma once
// Writes a safetensors file, tensor by tensor: the header first, its sizes known from the index. Every number is read
// as the source has it and rounded once.
#include <functional>
#include <map>
#include <span>
#include <string>

#include "core/stop.h"
#include "core/tensor_index.h"

namespace ipa {

struct SaveOptions {
  DType dtype = DType::f16;  // or bf16, f32
  std::map<std::string, std::string> metadata;
  bool allow_nonfinite = false;  // otherwise a NaN or Inf is TENSOR_NONFINITE
  const StopFlag* stop = nullptr;
  std::function<void(uint64_t bytes)> written;  // of tensors, since the last call
};

// Bytes of the tensors of such a file.
uint64_t saved_bytes(std::span<const TensorSource> sources, DType dtype);

// All tensors of the sources in a new file at `path`, which is on the disk when this returns and gone when it throws.
// TENSOR_DTYPE names a tensor with a number that `dtype` cannot hold; OUTPUT_EXISTS, OUTPUT_NO_SPACE, OUTPUT_IO.
void save_safetensors(const std::string& path, std::span<const TensorSource> sources, const SaveOptions& options);

}  // namespace ipa
