#include "runtime/wording.h"

#include <limits>
#include <string>
#include <utility>

namespace ipa {

namespace {

constexpr size_t kNothing = std::numeric_limits<size_t>::max();

bool is_text(const std::string& input) { return input.ends_with(".text_k") || input.ends_with(".text_v"); }

}  // namespace

Wording::Wording(Network& unet, const Prepared& step, const std::vector<Condition>& conditions, RowChoices choices,
                 const StopFlag& stop)
    : backend_(unet.device().backend), choices_(std::move(choices)), there_(choices_.at(0).size(), kNothing) {
  const std::map<std::string, ValueId>& inputs = step.plan().inputs;
  for (const auto& [input, id] : inputs) {
    if (!is_text(input)) continue;
    const Shape& shape = step.plan().values[static_cast<size_t>(id)].shape;
    const size_t bytes = static_cast<size_t>(shape.size() / shape.n) * sizeof(float);
    inputs_.push_back({step.input(input), bytes_, bytes});
    bytes_ += bytes;
  }
  memory_ = Memory(backend_, bytes_ * conditions.size());
  for (size_t i = 0; i < conditions.size(); ++i) {
    const Prepared& made = unet.compute("text_kv", {{"context", conditions[i].context}}, {}, {}, stop);
    std::vector<Copy> kept;
    auto own = inputs_.begin();
    for (const auto& [input, id] : inputs)
      if (is_text(input)) {
        kept.push_back({made.output(input), memory_.place(bytes_ * i + own->offset), own->bytes});
        ++own;
      }
    backend_.copy(backend_.self, kept.data(), kept.size());
  }
  copies_.reserve(inputs_.size() * there_.size());
}

void Wording::bring(size_t call) {
  copies_.clear();
  for (size_t row = 0; row < there_.size(); ++row) {
    const size_t condition = choices_[call][row];
    if (there_[row] == condition) continue;
    there_[row] = condition;
    for (const Input& input : inputs_)
      copies_.push_back(
          {memory_.place(bytes_ * condition + input.offset), input.to.at(input.bytes * row), input.bytes});
  }
  if (!copies_.empty()) backend_.copy(backend_.self, copies_.data(), copies_.size());
}

}  // namespace ipa
