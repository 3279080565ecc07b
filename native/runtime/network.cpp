#include "runtime/network.h"

#include <algorithm>
#include <iterator>
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

// Inputs and outputs are numbered in the order of their names.
size_t number_of(const std::map<std::string, ValueId>& values, const std::string& name) {
  const auto it = values.find(name);
  if (it == values.end())
    fail(Code::INTERNAL, "the plan has no " + quoted(name), "report this with the call that was made");
  return static_cast<size_t>(std::distance(values.begin(), it));
}

}  // namespace

std::vector<WeightWant> wants_of(const std::map<std::string, PlanKind>& plans) {
  std::vector<WeightWant> wants;
  for (const auto& [name, kind] : plans) {
    Builder b;
    kind.record(b, kind.smallest);
    const Plan recorded = b.finish();
    wants.insert(wants.end(), recorded.weights.begin(), recorded.weights.end());
  }
  return wants;
}

Prepared::Prepared(const Device& device, Plan plan, Layout layout, const Store& store)
    : device_(device), plan_(std::move(plan)), layout_(std::move(layout)) {
  const Backend& backend = device_.backend;
  program_ = backend.prepare(backend.self, plan_, layout_, store.places(plan_).data());
}

Prepared::~Prepared() { device_.backend.release(program_); }

uint64_t Prepared::bytes() const {
  return static_cast<uint64_t>(layout_.bytes) + device_.backend.scratch_bytes(*program_);
}

Place Prepared::input(const std::string& name) const {
  return device_.backend.input(*program_, number_of(plan_.inputs, name));
}

Place Prepared::output(const std::string& name) const {
  return device_.backend.output(*program_, number_of(plan_.outputs, name));
}

void Prepared::set(const std::string& name, std::span<const float> numbers) {
  const Place to = input(name);
  const Shape& shape = plan_.values[plan_.inputs.at(name)].shape;
  if (static_cast<int64_t>(numbers.size()) != shape.size())
    fail(Code::INTERNAL, quoted(name) + " is " + text(shape) + " and was given " + std::to_string(numbers.size()),
         "report this with the call that was made");
  device_.backend.write(device_.backend.self, to, numbers.data(), numbers.size_bytes());
}

Tensor Prepared::get(const std::string& name) const {
  const Place from = output(name);
  Tensor tensor{plan_.values[plan_.outputs.at(name)].shape, {}};
  tensor.data.resize(static_cast<size_t>(tensor.shape.size()));
  device_.backend.read(device_.backend.self, from, tensor.data.data(), tensor.data.size() * sizeof(float));
  return tensor;
}

void Prepared::run(const StopFlag& stop, bool check) {
  switch (device_.backend.run(*program_, stop, check)) {
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
    : device_(std::move(device)),
      plans_(std::move(plans)),
      allow_nonfinite_(options.allow_nonfinite),
      member_(device_->residency, *this) {
  std::vector<WeightWant> wants;
  for (const auto& [name, kind] : plans_) {
    runs_[name] = 0;
    const Plan recorded = plan(name, kind.smallest);
    wants.insert(wants.end(), recorded.weights.begin(), recorded.weights.end());
  }
  store_ = std::make_unique<Store>(device_->backend, wants, std::move(source));
  stream_what_has_no_room();
  if (!options.later) read(options);
}

void Network::read(const LoadOptions& options) {
  const uint64_t bytes = store_->present() ? 0 : store_->bytes();
  device_->residency.with_room(*this, bytes, [&] {
    const bool anew = store_->come(device_->pool, options);
    recount();
    if (!anew || !read_again_) return;
    try {
      read_again_();
    } catch (...) {
      store_->leave();  // weights that are merged by half must not be taken for whole ones
      recount();
      throw;
    }
  });
}

// Within a budget: beside the values of a usual run, and the ring through which streamed weights come.
void Network::stream_what_has_no_room() {
  constexpr uint64_t kRing = 3, kRingOf = 16;  // a ring takes this share of what is streamed
  const Backend& backend = device_->backend;
  const uint64_t budget = device_->residency.budget();
  if (!backend.allocate_streamed || budget == 0 || device_->residency.offload() == Offload::never) return;
  uint64_t values = 0;
  std::map<std::string, int64_t, std::less<>> rows;
  for (const auto& [name, kind] : plans_) {
    if (!kind.usual) continue;
    const Plan usual = plan(name, *kind.usual);
    values += static_cast<uint64_t>(layout_of(backend, usual).bytes) * 5 / 4;  // and what kernels take besides
    for (const Node& node : usual.nodes)
      for_each_slot(node.op, [&](SlotId slot) {
        rows[usual.weights[static_cast<size_t>(slot)].path] =
            usual.values[static_cast<size_t>(node.output)].shape.rows();
      });
  }
  const uint64_t all = store_->bytes(), ring = all * kRing / kRingOf;
  if (values == 0 || all + values <= budget) return;
  const uint64_t room = budget > values + ring ? budget - values - ring : 0;
  store_->stream(room * kRingOf / (kRingOf - kRing), rows);
}

void Network::come() { read({allow_nonfinite_, false, device_->residency.stop(), {}}); }

bool Network::leave() {
  const bool wins = device_->residency.leaving(device_->backend.apart);
  if (!wins || holds_ > 0 || !store_ || !store_->present()) return false;
  prepared_.clear();
  store_->leave();
  recount();
  return true;
}

void Network::done() {
  if (device_->residency.leaving_early(device_->backend.apart)) leave();
}

void Network::recount() {
  uint64_t all = store_->present() ? store_->bytes() : 0;
  for (const Kept& kept : prepared_) all += kept.program->bytes();
  taken_ = all;
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

std::shared_ptr<Prepared> Network::lend(const std::string& name, const RecordRequest& request) {
  const Hold here(*this);
  const std::string key = key_of(name, request);
  for (auto it = prepared_.begin(); it != prepared_.end(); ++it) {
    if (it->key != key || it->program.use_count() > 1) continue;  // its inputs are somebody's
    prepared_.splice(prepared_.begin(), prepared_, it);
    it->held = true;
    return it->program;
  }
  drop_the_oldest();
  const Plan recorded = plan(name, request);
  std::unique_ptr<Prepared> fresh;
  while (!fresh) {
    try {
      fresh = prepared(recorded);
    } catch (const Error& e) {
      if (e.code != Code::MEMORY_BUDGET && e.code != Code::DEVICE_OUT_OF_MEMORY) throw;
      if (drop_what_none_holds()) continue;  // of other sizes, which nobody uses now
      if (bands_) fresh = prepared_in_bands(recorded);
      if (!fresh) throw;
    }
  }
  prepared_.push_front({key, std::move(fresh), true});
  recount();
  return prepared_.front().program;
}

bool Network::drop_what_none_holds() {
  const bool some = std::erase_if(prepared_, [](const Kept& kept) { return !kept.held; }) > 0;
  recount();
  return some;
}

void Network::drop_the_oldest() {
  if (prepared_.size() < kKept) return;
  const auto oldest = std::find_if(prepared_.rbegin(), prepared_.rend(),
                                   [](const Kept& kept) { return kept.program.use_count() == 1; });  // not lent
  if (oldest == prepared_.rend()) return;
  prepared_.erase(std::next(oldest).base());
  recount();
}

std::unique_ptr<Prepared> Network::prepared(const Plan& plan) {
  Layout layout = layout_of(device_->backend, plan);
  Residency& residency = device_->residency;
  auto fresh = residency.with_room(*this, static_cast<uint64_t>(layout.bytes),
                                   [&] { return std::make_unique<Prepared>(*device_, plan, layout, *store_); });
  residency.with_room(*this, fresh->bytes(), [] {});  // with what kernels take besides
  return fresh;
}

// Everyone else has left. Kernels take more than the values, and how much there is nobody may know: less is tried each
// time.
std::unique_ptr<Prepared> Network::prepared_in_bands(const Plan& plan) {
  const auto bytes = [&](const Plan& of) { return layout_of(device_->backend, of).bytes; };
  const int64_t whole = bytes(plan), left = static_cast<int64_t>(device_->residency.left());
  for (int64_t room = left > 0 && left < whole ? left : whole - 1;; room = room * 6 / 7) {
    const std::optional<Plan> banded = in_bands(plan, room, bytes);
    if (!banded) return nullptr;
    try {
      return prepared(*banded);
    } catch (const Error& e) {
      if (e.code != Code::MEMORY_BUDGET && e.code != Code::DEVICE_OUT_OF_MEMORY) throw;
    }
  }
}

// Of a host's own memory nothing is touched by preparing, so that what kernels take besides is asked of them. On a card
// it is a share that covers them.
uint64_t Network::program_bytes(const Plan& plan) const {
  const Backend& backend = device_->backend;
  const Layout layout = layout_of(backend, plan);
  if (backend.apart) return static_cast<uint64_t>(layout.bytes) * 5 / 4;
  const Memory nowhere(backend, 64);
  std::vector<WeightPlace> places;
  for (const WeightWant& want : plan.weights)
    places.push_back({nowhere.place(), backend.stored_type(backend.self, want, store_->type_in_source(want.path))});
  Program* const program = backend.prepare(backend.self, plan, layout, places.data());
  const uint64_t bytes = static_cast<uint64_t>(layout.bytes) + backend.scratch_bytes(*program);
  backend.release(program);
  return bytes;
}

uint64_t Network::planned_bytes(const std::string& name, const RecordRequest& request, uint64_t room) const {
  const std::string key = key_of(name, request);
  for (const Kept& kept : prepared_)
    if (kept.key == key) return kept.program->bytes();
  const Plan whole = plan(name, request);
  const uint64_t bytes = program_bytes(whole);
  if (room == 0 || bytes <= room) return bytes;
  const auto measure = [&](const Plan& of) { return layout_of(device_->backend, of).bytes; };
  for (int64_t left = static_cast<int64_t>(room);; left = left * 6 / 7) {
    const std::optional<Plan> banded = in_bands(whole, left, measure);
    if (!banded) return bytes;
    if (const uint64_t less = program_bytes(*banded); less <= room) return less;
  }
}

Prepared& Network::compute(const std::string& name, const Tensors& inputs, const std::map<std::string, double>& numbers,
                           const std::set<std::string, std::less<>>& taps, const StopFlag& stop, bool check) {
  RecordRequest request{{}, numbers, taps};
  for (const auto& [input, tensor] : inputs) request.inputs[input] = tensor.shape;
  Prepared& prepared = prepare(name, request);
  for (const auto& [input, id] : prepared.plan().inputs) {
    const auto given = inputs.find(input);
    if (given == inputs.end())
      fail(Code::INTERNAL, "the plan " + name + " reads " + quoted(input) + ", which was not given",
           "report this with the call that was made");
    prepared.set(input, given->second.data);
  }
  count(name);
  prepared.run(stop, check);
  return prepared;
}

Tensors Network::run(const std::string& name, const Tensors& inputs, const std::map<std::string, double>& numbers,
                     const std::set<std::string, std::less<>>& taps, const StopFlag& stop, bool check) {
  const Prepared& prepared = compute(name, inputs, numbers, taps, stop, check);
  Tensors outputs;
  for (const auto& [output, id] : prepared.plan().outputs) outputs[output] = prepared.get(output);
  return outputs;
}

uint64_t Network::runs(const std::string& name) const {
  const auto it = runs_.find(name);
  return it == runs_.end() ? 0 : it->second.load();
}

}  // namespace ipa
