#pragma once
// A plan made ready for a card, and its runs. Functions of Backend.
#include <string>

#include "plan/backend.h"

namespace ipa::cuda {

void memory(void* self, const Plan& plan, ValueMemory* of_values);
Program* prepare(void* self, const Plan& plan, const Layout& layout, const WeightPlace* weights);
void release(Program* program);
size_t scratch_bytes(const Program& program);
Place input(const Program& program, size_t index);
Place output(const Program& program, size_t index);
RunStatus run(Program& program, const StopFlag& stop, bool check);
const std::string& status_path(const Program& program);

}  // namespace ipa::cuda
