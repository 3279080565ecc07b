// What a reference costs in every step of SD1.5 at 512 x 512 with guidance: (T11 - T1) / (10 T1), T of a forward with
// eleven Plus references and with one, each of 16 tokens in both halves. `concat`: one image prompt of all tokens;
// `separate`: an image prompt for each.
#include "rows.h"
#include "runtime/recorders.h"
#include "weights/synthetic.h"

namespace ipa::bench {

namespace {

constexpr int kTokens = 16, kMany = 11;

RecordRequest guided_step(const std::vector<int>& tokens) {
  Conditioning c;
  c.batch = 2;
  for (const int count : tokens) c.image_prompts.push_back({count, false});
  return {{{"x", {2, 64, 64, 4}}}, step_numbers(c), {}};
}

}  // namespace

void reference_rows(Bench& b, const std::string& level, int threads) {
  const std::pair<std::string, RecordRequest> ways[] = {
      {"references concat, of a forward", guided_step({kMany * kTokens})},
      {"references separate, of a forward", guided_step(std::vector<int>(kMany, kTokens))}};
  if (!b.wants(ways[0].first) && !b.wants(ways[1].first)) return;
  const std::shared_ptr<Device> device = cpu_device(level, threads);
  const std::map<std::string, PlanKind> plans = unet_plans(sd15(), device->backend.fastest);
  Network network(device, plans, halved(synthetic("bench", index_of(wants_of(plans)))), {});
  const StopFlag stop;
  const auto ready = [&](const RecordRequest& request) {
    auto program = std::make_unique<Prepared>(*device, network.plan("step", request), network.store());
    set_inputs(*program);
    program->run(stop);
    return program;
  };
  const auto one = ready(guided_step({kTokens}));
  for (const auto& [name, request] : ways) {
    if (!b.wants(name)) continue;
    const auto many = ready(request);
    b.report(b.share(name, [&] { one->run(stop); }, [&] { many->run(stop); }, kMany - 1));
  }
}

}  // namespace ipa::bench
