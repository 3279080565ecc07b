// Rows of whole networks at true size. Weights follow from their names, so no file is needed; the list of them is what
// the plans want. The error is of the same network on small pictures against its naive twins, which read the same packed
// weights and sum in f64.
#include <unistd.h>
#include <algorithm>
#include <cstdlib>

#include "rows.h"
#include "runtime/recorders.h"
#include "to_onnx/writer.h"
#include "weights/synthetic.h"

namespace ipa::bench {

namespace {

struct Case {
  std::string name;
  std::map<std::string, PlanKind> plans;
  std::string plan;
  RecordRequest request, small;
  double flop = 0;  // 0: counted from the plan
};

double nominal_flop(const Plan& plan) {
  double total = 0;
  for (const Node& node : plan.nodes) {
    const Shape& y = plan.values[static_cast<size_t>(node.output)].shape;
    if (const auto* op = std::get_if<Conv2d>(&node.op)) {
      const int64_t cin = plan.values[static_cast<size_t>(op->x)].shape.c / op->groups;
      total += 2.0 * static_cast<double>(y.rows() * cin * op->kernel_h * op->kernel_w) * op->out;
    } else if (const auto* op = std::get_if<Linear>(&node.op)) {
      total += 2.0 * static_cast<double>(y.rows() * plan.values[static_cast<size_t>(op->x)].shape.c) * op->out;
    } else if (const auto* op = std::get_if<Attend>(&node.op)) {
      for (const AttendTerm& t : op->terms)
        total += 4.0 * static_cast<double>(y.size() * plan.values[static_cast<size_t>(t.k)].shape.tokens());
    }
  }
  return total;
}

TensorSource weights_of(const Case& c) {
  return halved(synthetic("bench", index_of(wants_of(c.plans))));
}

std::vector<double> first_output(const Prepared& prepared) {
  const Tensor out = prepared.get(prepared.plan().outputs.begin()->first);
  return {out.data.begin(), out.data.end()};
}

// The median of several inputs: on pictures this small one differs from another by a half.
double small_error(Network& network, const Case& c) {
  constexpr unsigned kDraws = 5;
  const StopFlag stop;
  const Plan plan = network.plan(c.plan, c.small);
  Prepared as_used(network.device(), plan, network.store());
  setenv("IPA_KERNEL", "conv2d:naive,linear:naive,attend:naive,group_norm:naive,layer_norm:naive", 1);
  Prepared twins(network.device(), plan, network.store());
  unsetenv("IPA_KERNEL");
  std::vector<double> errors;
  for (unsigned draw = 0; draw < kDraws; ++draw) {
    for (Prepared* one : {&as_used, &twins}) {
      set_inputs(*one, draw);
      one->run(stop);
    }
    errors.push_back(relative_error(first_output(twins), first_output(as_used)));
  }
  std::nth_element(errors.begin(), errors.begin() + kDraws / 2, errors.end());
  return errors[kDraws / 2];
}

void run_case(Bench& b, const std::shared_ptr<Device>& device, const Case& c) {
  if (!b.wants(c.name)) return;
  reset_memory_peak();
  Network network(device, c.plans, weights_of(c), {});
  Prepared& prepared = network.prepare(c.plan, c.request);
  const StopFlag stop;
  set_inputs(prepared);
  prepared.run(stop);
  const double flop = c.flop > 0 ? c.flop : nominal_flop(prepared.plan());
  Row row = b.measure(c.name, flop, [&](int) { prepared.run(stop); });
  row.bytes_planned = static_cast<double>(network.store().bytes()) + static_cast<double>(prepared.bytes());
  row.bytes_peak = memory_peak();
  row.error = small_error(network, c);
  b.report(row);
}

UNetConfig sdxl() {
  UNetConfig u;
  u.levels = {{320, 0, 5}, {640, 2, 10}, {1280, 10, 20}};
  u.mid_transformers = 10, u.context = 2048, u.linear_projection = true;
  u.pooled_width = 1280, u.time_ids = 6, u.time_id_width = 256;
  return u;
}

// Two programs over the same weights, one of them with a pool of one thread.
void thread_row(Bench& b, const std::string& level, const Case& c, int threads) {
  const std::string name = "threads " + std::to_string(threads) + " over 1, " + c.name;
  if (threads < 2 || !b.wants(name)) return;
  const std::shared_ptr<Device> alone = cpu_device(level, 1);
  Network network(cpu_device(level, threads), c.plans, weights_of(c), {});
  Prepared& together = network.prepare(c.plan, c.request);
  Prepared one(*alone, network.plan(c.plan, c.request), network.store());
  const StopFlag stop;
  for (Prepared* each : {&one, &together}) set_inputs(*each);
  together.run(stop);
  b.report(b.ratio(name, [&] { one.run(stop); }, [&] { together.run(stop); }));
}

RecordRequest step(int64_t batch, int64_t side, bool rows_differ) {
  Conditioning c;
  c.batch = batch, c.time_rows = rows_differ ? batch : 1;
  return {{{"x", {batch, side, side, 4}}}, step_numbers(c), {}};
}

Case single_sd15(Compute compute) {
  const double flop = 805.5e9;  // of SD1.5 at 512 x 512
  return {"forward sd15 512 batch 1", unet_plans(sd15(), compute), "step", step(1, 64, false), step(1, 16, false),
          flop};
}

}  // namespace

UNetConfig sd15() {
  UNetConfig u;
  u.levels = {{320, 1, 8}, {640, 1, 8}, {1280, 1, 8}, {1280, 0, 8}};
  return u;
}

RecordRequest sd15_step(int64_t batch) { return step(batch, 64, false); }

void set_inputs(Prepared& prepared, unsigned draw) {
  unsigned i = 0;
  for (const auto& [name, id] : prepared.plan().inputs)
    prepared.set(name, numbers(prepared.plan().values[static_cast<size_t>(id)].shape.size(), 100 * draw + ++i));
}

void forward_rows(Bench& b, const std::string& level, int threads) {
  const std::shared_ptr<Device> device = cpu_device(level, threads);
  const Compute compute = device->backend.fastest;
  VaeConfig vae;
  vae.widths = {128, 256, 512, 512};
  const Case single = single_sd15(compute);
  run_case(b, device, single);
  thread_row(b, level, single, threads);
  run_case(b, device,
           {"forward sd15 512 batch 2", unet_plans(sd15(), compute), "step", step(2, 64, false), step(2, 8, false),
            2 * single.flop});
  run_case(b, device,
           {"decode 512",
            vae_plans(vae, compute),
            "decode",
            {{{"z", {1, 64, 64, 4}}}, {}, {}},
            {{{"z", {1, 8, 8, 4}}}, {}, {}}});
  // Its weights and the time to make them are for machines with the memory.
  constexpr double kNeeded = 8e9;
  const double there = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (there > kNeeded)
    run_case(b, device,
             {"forward sdxl 1024 batch 1", unet_plans(sdxl(), compute), "step", step(1, 128, true), step(1, 8, true)});
}

void forward_to_onnx(const std::string& folder, const std::string& level, int threads) {
  const std::shared_ptr<Device> device = cpu_device(level, threads);
  const Case c = single_sd15(device->backend.fastest);
  Network network(device, c.plans, weights_of(c), {});
  Prepared& prepared = network.prepare(c.plan, c.request);
  const Plan& plan = prepared.plan();
  set_inputs(prepared);
  prepared.run(StopFlag());
  to_onnx::Numbers inputs, outputs;
  unsigned i = 0;
  for (const auto& [name, id] : plan.inputs)
    inputs[name] = numbers(plan.values[static_cast<size_t>(id)].shape.size(), ++i);
  for (const auto& [name, id] : plan.outputs) outputs[name] = prepared.get(name).data;
  to_onnx::write_plan(folder, plan, network.store().source(), inputs, outputs);
}

}  // namespace ipa::bench
