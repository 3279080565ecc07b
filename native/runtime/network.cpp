#include "runtime/network.h"

#include <utility>

#include "core/error.h"

namespace ipa {

namespace {

// Programs kept per network; more would hold arenas of sizes nobody asks for any more.
constexpr size_t kKept = 6;

std::string key_of(const std::string& plan, const RecordRequest& request) {
  std::string key = plan;
  for (const auto& [name, shape] : request.inputs) key += "|" + name + text(shape);
  for (const auto& [name, number] : request.numbers) key += "|" + name + "=" + std::to_string(number);
  for (const std::string& tap : request.taps) key += "|tap " + tap;
  return key;
}

}  // namespace

Prepared::Prepared(const Device& device, Plan plan, const Store& store)
    : device_(device),
      plan_(std::move(plan)),
      layout_(place(plan_)),
      arena_(allocate(static_cast<size_t>(layout_.bytes))) {
  const Backend& backend = device_.backend;
  program_ = backend.prepare(backend.self, plan_, layout_, store.addresses(plan_).data(), arena_.get());
}

Prepared::~Prepared() { device_.backend.release(program_); }

void Prepared::run(const Bindings& bindings, const StopFlag& stop, bool check) {
  switch (device_.backend.run(*program_, bindings, stop, check)) {
    case RunStatus::done:
      return;
    case RunStatus::stopped:
      fail(Code::ABORTED, "the run was cancelled", "start it again");
    case RunStatus::nonfinite: {
      const std::string& path = device_.backend.status_path(*program_);
      fail(Code::NAN_LATENTS, path + " made a number that is NaN or infinite",
           "use dtype f32, lower the adapter scale, or check the LoRA", {{"stage", path}});
    }
  }
}

Network::Network(std::shared_ptr<Device> device, std::map<std::string, PlanKind> plans, TensorSource source,
                 const LoadOptions& options)
    : device_(std::move(device)), plans_(std::move(plans)) {
  std::vector<WeightWant> wants;
  for (const auto& [name, kind] : plans_) {
    const Plan recorded = plan(name, kind.smallest);
    wants.insert(wants.end(), recorded.weights.begin(), recorded.weights.end());
  }
  store_ = std::make_unique<Store>(device_->backend, device_->pool, wants, std::move(source), options);
}

Plan Network::plan(const std::string& name, const RecordRequest& request, bool folded) const {
  const auto kind = plans_.find(name);
  if (kind == plans_.end())
    fail(Code::INTERNAL, "this network has no plan " + quoted(name), "report this with the call that was made");
  Builder b(request.taps);
  kind->second.record(b, request);
  Plan recorded = b.finish();
  recorded.compute_with(kind->second.compute);
  return folded ? fold(recorded) : recorded;
}

Prepared& Network::prepare(const std::string& name, const RecordRequest& request) {
  const std::string key = key_of(name, request);
  for (auto it = prepared_.begin(); it != prepared_.end(); ++it) {
    if (it->first != key) continue;
    prepared_.splice(prepared_.begin(), prepared_, it);
    return *prepared_.front().second;
  }
  auto fresh = std::make_unique<Prepared>(*device_, plan(name, request), *store_);
  if (prepared_.size() >= kKept) prepared_.pop_back();
  prepared_.emplace_front(key, std::move(fresh));
  return *prepared_.front().second;
}

Tensors Network::run(const std::string& name, const Tensors& inputs, const std::map<std::string, double>& numbers,
                     const std::set<std::string, std::less<>>& taps, const StopFlag& stop, bool check) {
  RecordRequest request{{}, numbers, taps};
  for (const auto& [input, tensor] : inputs) request.inputs[input] = tensor.shape;
  Prepared& prepared = prepare(name, request);
  Bindings bindings;
  for (const auto& [input, id] : prepared.plan().inputs) {
    const auto given = inputs.find(input);
    if (given == inputs.end())
      fail(Code::INTERNAL, "the plan " + name + " reads " + quoted(input) + ", which was not given",
           "report this with the call that was made");
    bindings.inputs.push_back(given->second.data.data());
  }
  Tensors outputs;
  for (const auto& [output, id] : prepared.plan().outputs) {
    const Shape shape = prepared.plan().values[id].shape;
    Tensor& tensor = outputs.emplace(output, Tensor{shape, {}}).first->second;
    tensor.data.resize(static_cast<size_t>(shape.size()));
    bindings.outputs.push_back(tensor.data.data());
  }
  count(name);
  prepared.run(bindings, stop, check);
  return outputs;
}

uint64_t Network::runs(const std::string& name) const {
  const auto it = runs_.find(name);
  return it == runs_.end() ? 0 : it->second;
}

}  // namespace ipa
