#pragma once
// Reading a case's inputs and comparing what came of them.
#include <string>
#include <vector>

#include "core/tensor_index.h"
#include "golden.h"
#include "golden/verdict.h"
#include "models/golden_model.h"
#include "models/runner.h"
#include "runtime/network.h"

namespace ipa::golden {

// Weights of a model by the rule of the goldens.
TensorSource weights(const test::GoldenModel& model);

// A data file that the case or table `name` names: from the folder, its parent, or beside the case.
std::string data_file(const std::string& name, const std::string& file);

// A tensor of the case in our order, as the engine's value.
Tensor value(const test::GoldenTensor& tensor);

// Every out/ and tap/ of the case against `got`, which has them under their bare names, within its tolerance for what
// they were computed with. Of bf16 the relative L2 error is bounded too, by a quarter of it.
void compare(Verdict& verdict, const test::Golden& g, const test::Tensors& got, Compute with = Compute::f32);
// The same for one tensor.
void compare(Verdict& verdict, const test::Golden& g, const std::string& key, const std::vector<float>& got,
             Compute with = Compute::f32);

// The numbers alone, by name.
test::Tensors bare(const Tensors& tensors);

}  // namespace ipa::golden
