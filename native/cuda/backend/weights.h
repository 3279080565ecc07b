#pragma once
// Weights as a card keeps them: number type, layout (cuda/packing.h), the way there. Functions of Backend.
#include "plan/backend.h"

namespace ipa::cuda {

DType stored_type(void* self, const WeightWant& want, DType file);
size_t packed_bytes(void* self, const WeightWant& want, DType stored);
int64_t pack_unit(void* self, const WeightWant& want);
void pack(void* self, const WeightWant& want, DType stored, const WeightRows& rows, Place to);

}  // namespace ipa::cuda
