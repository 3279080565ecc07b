// Whole networks on weights that follow from their names: time of a step, memory planned and taken, and once the error
// of a small picture against the CPU.
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "core/stop.h"
#include "cuda/backend/backend.h"
#include "models/configs.h"
#include "runtime/recorders.h"
#include "weights/synthetic.h"
#include "work.h"

namespace ipa::gpu_check {

namespace {

struct Case {
  std::string name;  // "step sd15 512"
  std::string network;
  std::string plan;
  RecordRequest request;
  double target_ms = 0;  // on a card with the ceiling of the H200
  std::string shape = "";
  std::string torch = "";
  bool measures_error = false;
  RecordRequest small = {};
  uint64_t room = 0;  // bytes for the values, by a budget; 0: no budget
};

struct Kind {
  std::string network;
  std::map<std::string, PlanKind> plans;
  std::vector<Case> cases;
};

// How a program is run.
struct Way {
  const char* path;
  bool graphs;  // replayed as one, or launch by launch
};
constexpr Way kWays[] = {{"graph", true}, {"direct", false}};

constexpr double kCeilingOfTargets = 790e12;  // FLOP per second of the H200, which the targets in ms are of
// fp16 operands through some hundred layers whose weights keep the size of what they are given.
constexpr double kErrorLimit = 3e-2;

UNetConfig sd15() {
  UNetConfig u;
  u.levels = {{320, 1, 8}, {640, 1, 8}, {1280, 1, 8}, {1280, 0, 8}};
  return u;
}
UNetConfig sdxl() {
  UNetConfig u;
  u.levels = {{320, 0, 5}, {640, 2, 10}, {1280, 10, 20}};
  u.mid_transformers = 10, u.context = 2048, u.linear_projection = true;
  u.pooled_width = 1280, u.time_ids = 6, u.time_id_width = 256;
  return u;
}
UNetConfig tiny() {
  UNetConfig u;
  u.levels = {{32, 1, 2}, {64, 1, 2}};
  u.layers = 1, u.context = 24, u.time_width = 64, u.groups = 8;
  return u;
}

RecordRequest step(const UNetConfig& config, int64_t batch, int64_t side, int adapters) {
  constexpr int kTokens[] = {4, 16, 4};
  Conditioning c;
  c.batch = batch, c.time_rows = config.added_conditioning() ? batch : 1;
  for (int i = 0; i < adapters; ++i) c.image_prompts.push_back({kTokens[i], false});
  return {{{"x", {batch, side, side, config.in_channels}}}, step_numbers(c), {}};
}

Kind unet(const std::string& name, const UNetConfig& config, int64_t side, double target_ms, bool error) {
  Kind kind{name, unet_plans(config, Compute::f16), {}};
  const auto add = [&](int64_t batch, int adapters) {
    Case c{"step " + name, name, "step", step(config, batch, side, adapters)};
    c.shape =
        std::to_string(side * 8) + " batch " + std::to_string(batch) + ", " + std::to_string(adapters) + " adapters";
    if (batch == 2 && adapters == 0) {
      c.target_ms = target_ms, c.measures_error = error, c.small = step(config, 2, 8, 0);
    }
    if (adapters == 0)
      c.torch = R"({"op": "unet", "network": ")" + name + R"(", "batch": )" + std::to_string(batch) + R"(, "side": )" +
                std::to_string(side) + "}";
    kind.cases.push_back(c);
  };
  for (const int64_t batch : {2, 1, 4}) add(batch, 0);
  for (const int adapters : {1, 3}) add(2, adapters);
  return kind;
}

std::vector<Kind> kinds(const Card& card) {
  if (card.emulated) {
    Kind kind{"tiny", unet_plans(tiny(), Compute::f16), {}};
    Case c{"step tiny", "tiny", "step", step(tiny(), 2, 8, 1)};
    c.shape = "64 batch 2, 1 adapters", c.measures_error = true, c.small = step(tiny(), 2, 8, 1);
    kind.cases.push_back(c);
    VaeConfig vae;
    vae.widths = {16, 24, 32}, vae.layers = 1, vae.groups = 8;
    const RecordRequest z{{{"z", {1, 8, 4, 4}}}, {}, {}};
    const Case whole{"decode tiny", "tiny vae", "decode", z, 0, "32x16", "", true, z};
    Case bands = whole;
    bands.shape += " in bands", bands.room = 135'000;
    return {kind, {"tiny vae", vae_plans(vae, Compute::f16), {whole, bands}}};
  }
  VaeConfig vae;
  vae.widths = {128, 256, 512, 512};
  ClipTextConfig big;
  big.width = 1280, big.mlp = 5120, big.layers = 32, big.heads = 20, big.projection = 1280;
  big.activation = Activation::gelu;
  const RecordRequest ids{{{"ids", {2, 1, 77, 1}}}, {}, {}};
  const RecordRequest pixels{{{"pixels", {1, 224, 224, 3}}}, {}, {}};
  Case bands{"decode", "vae", "decode", {{{"z", {1, 128, 128, 4}}}, {}, {}}, 0, "1024 in bands"};
  bands.room = 1'000'000'000;
  std::vector<Kind> all = {
      unet("sd15", sd15(), 64, 8.5, true),
      unet("sdxl", sdxl(), 128, 44, true),
      {"vae",
       vae_plans(vae, card.device.properties().capability >= 80 ? Compute::bf16 : Compute::f32),
       {{"decode", "vae", "decode", {{{"z", {1, 64, 64, 4}}}, {}, {}}, 0, "512", ""},
        {"decode", "vae", "decode", {{{"z", {1, 128, 128, 4}}}, {}, {}}, 0, "1024", ""},
        bands}},
      {"text", clip_text_plans({}, Compute::f16), {{"text encoder", "text", "hidden", ids, 0, "768, batch 2", ""}}},
      {"text2", clip_text_plans(big, Compute::f16), {{"text encoder", "text2", "hidden", ids, 0, "1280, batch 2", ""}}},
      {"vision", clip_vision_plans({}, Compute::f16), {{"image encoder", "vision", "hidden", pixels, 0, "224", ""}}},
  };
  return all;
}

TensorSource weights_of(const Kind& kind) { return synthetic("check", index_of(wants_of(kind.plans))); }

// Token ids stay within the vocabulary.
void set_inputs(Prepared& prepared) {
  uint64_t seed = 100;
  for (const auto& [name, id] : prepared.plan().inputs) {
    std::vector<float> numbers =
        drawn32(static_cast<size_t>(prepared.plan().values[static_cast<size_t>(id)].shape.size()), ++seed);
    if (name == "ids")
      for (float& x : numbers) x = std::floor(std::abs(x) * 1000);
    prepared.set(name, numbers);
  }
}

std::vector<float> small_result(Network& network, const Case& c) {
  Prepared& prepared = network.prepare(c.plan, c.small);
  set_inputs(prepared);
  prepared.run(StopFlag(), true);
  return prepared.get(prepared.plan().outputs.begin()->first).data;
}

double error_against_cpu(Network& network, const Kind& kind, const Case& c) {
  const std::vector<float> got = small_result(network, c);
  std::map<std::string, PlanKind> plans = kind.plans;
  for (auto& [name, plan] : plans) plan.compute = Compute::f32;
  Network exact(cpu_device(), plans, weights_of(kind), {});
  const std::vector<float> expected = small_result(exact, c);
  double difference = 0, size = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double e = static_cast<double>(expected[i]), d = static_cast<double>(got[i]) - e;
    difference += d * d, size += e * e;
  }
  return std::sqrt(difference / size);
}

bool memory_for_cpu(const Network& network) {
  const double there = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return there > 8 * static_cast<double>(network.store().bytes());
}

void run_kind(Card& card, cuda::Card& as_backend, const std::shared_ptr<Device>& device, const Kind& kind,
              Report& report) {
  const size_t before = card.device.memory_info().free;
  device->residency.set_budget(0);
  Network network(device, kind.plans, weights_of(kind), {});
  for (const Case& c : kind.cases) {
    network.leave();  // with the programs of other cases
    device->residency.set_budget(c.room > 0 ? network.store().bytes() + c.room : 0);
    Prepared& prepared = network.prepare(c.plan, c.request);
    set_inputs(prepared);
    const StopFlag stop;
    prepared.run(stop, true);  // names the op that made a NaN
    for (const Way& way : kWays) {
      as_backend.graphs = way.graphs;
      const Timed time = timed(card, card.emulated ? 1 : 20, [&] { prepared.run(stop); });
      Measurement row;
      row.step = "networks", row.kernel = c.name, row.path = way.path,
      row.dtype = compute_text(kind.plans.at(c.plan).compute), row.shape = c.shape;
      row.ms = time.ms, row.spread = time.spread, row.torch = c.torch;
      if (!card.emulated && report.ceilings.flop > 0 && way.graphs)
        row.target_ms = c.target_ms * kCeilingOfTargets / report.ceilings.flop;
      row.planned_bytes = static_cast<double>(network.store().bytes()) + static_cast<double>(prepared.bytes());
      row.actual_bytes = static_cast<double>(before) - static_cast<double>(card.device.memory_info().free);
      if (c.measures_error && way.graphs && memory_for_cpu(network)) {
        row.error = error_against_cpu(network, kind, c), row.limit = kErrorLimit;
        if (!(row.error <= row.limit))
          report.failures.push_back(c.name + ": error " + std::to_string(row.error) + " against the CPU, at most " +
                                    std::to_string(row.limit));
      }
      std::printf("%-34s %-24s %9.3f ms\n", c.name.c_str(), c.shape.c_str(), row.ms);
      report.rows.push_back(row);
    }
  }
}

}  // namespace

void time_networks(Card& card, ThreadPool& pool, const Options& options, Report& report) {
  cuda::Card as_backend(card.device, card.emulated ? "emulated" : "cuda:0");
  Backend backend = cuda::make_backend(as_backend);
  const std::string level = "sm_" + std::to_string(card.device.properties().capability);
  const auto device = std::make_shared<Device>(as_backend.name, level, pool, backend);
  for (const Kind& kind : kinds(card)) {
    bool wanted = options.only.empty() || options.wants("networks");
    for (const Case& c : kind.cases) wanted |= options.wants(c.name);
    if (!wanted) continue;
    try {
      run_kind(card, as_backend, device, kind, report);
    } catch (const Error& e) {
      if (e.code == Code::DEVICE_OUT_OF_MEMORY)
        report.notes.push_back(kind.network + ": " + e.what());
      else
        report.failures.push_back(kind.network + ": " + e.what());
      if (card.device.lost()) return;
    }
  }
}

}  // namespace ipa::gpu_check
