#include <vector>

#include "cuda/driver/kernel_rows.h"

namespace ipa::cuda::driver {

std::span<const KernelRow> kernel_rows() noexcept {
  static const std::vector<KernelRow> all = [] {
    std::vector<KernelRow> rows;
    for (const auto some : {product_rows, convolution_rows, attention_rows, small_rows})
      rows.insert(rows.end(), some().begin(), some().end());
    return rows;
  }();
  return all;
}

const KernelRow* find_kernel(std::string_view name) noexcept {
  for (const KernelRow& row : kernel_rows())
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace ipa::cuda::driver
