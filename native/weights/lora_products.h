#pragma once
// The arithmetic of changes of weights, on numbers alone: f32, row-major, every weight flattened to
// [outputs, inputs · window].
#include <cstddef>
#include <span>
#include <vector>

namespace ipa {

// [rows, columns], either whole or left [rows, rank] · right [rank, columns].
struct LoraMatrix {
  std::vector<float> left;  // empty: `right` is the whole
  std::vector<float> right;
  size_t rows, rank, columns;
};

// Tucker form: right'[n, j, k] = Σ_m core[n, m, k] · right[m, j], k over the window, after which left · right' is an
// ordinary product.   source: arXiv 2309.14859 (LyCORIS), appendix on convolutions
std::vector<float> with_core(const std::vector<float>& core, const std::vector<float>& right, size_t rank);
std::vector<float> transposed(const std::vector<float>& values, size_t rows, size_t columns);

// values += factor · ΔW, where ΔW follows from the matrices of one change.
using AddChange = void(float* values, std::span<const LoraMatrix> matrices, float factor);
AddChange add_matrix;             // the only one.   source: arXiv 2106.09685
AddChange add_hadamard_product;   // number by number.   source: arXiv 2108.06098
AddChange add_kronecker_product;  // every number of the first times the whole second.   source: arXiv 2309.14859

// DoRA: values = (1 - strength) · values + strength · V · magnitude / ‖V‖, the norm per output where magnitude has
// `rows` numbers and !per_input, else per input channel.   source: arXiv 2402.09353; LyCORIS for inputs
void rescale(std::vector<float>& values, const std::vector<float>& v, size_t rows, const std::vector<float>& magnitude,
             bool per_input, float strength);

}  // namespace ipa
