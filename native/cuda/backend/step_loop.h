#pragma once
// What a step loop asks of a backend between the runs of plans. Functions of Backend.
#include "cuda/backend/buffer.h"

namespace ipa::cuda {

void copy(void* self, const Copy* copies, size_t count);
void combine(void* self, Place out, const Term* terms, size_t terms_count, size_t count);
void guide(void* self, Place unconditional, Place conditional, double scale, double rescale, Place out, size_t count);
bool finite(void* self, Place x, size_t count);

}  // namespace ipa::cuda
