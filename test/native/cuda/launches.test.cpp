// The launches of a step under review: test/plans/cuda-launches.txt says for SD1.5 and SDXL with 0, 1 and 2 image
// prompts, and for a decoder whole and in bands, what each kind of op becomes on a card and what it takes there.
// IPA_UPDATE_PLANS=1 writes it anew.
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/dtype.h"
#include "cuda/backend/lowering.h"
#include "cuda/card.h"
#include "listing.h"
#include "models/golden_model.h"
#include "models/unet.h"
#include "models/vae.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

struct Network {
  const char* name;
  const char* golden;
  int64_t side;  // of the latents
};
constexpr Network kNetworks[] = {{"SD1.5 at 512x512", "true-unet15", 64}, {"SDXL at 1024x1024", "true-unetxl", 128}};

// Under guidance, as the plans beside it: the first image prompt has 4 tokens, the second 16.
Plan step_plan(const Network& network, int prompts) {
  const GoldenModel model(network.golden);
  const UNetConfig config = detect_unet(model.index, model.config);
  Conditioning c;
  c.batch = 2;
  c.time_rows = config.added_conditioning() ? c.batch : 1;
  if (prompts > 0) c.image_prompts.push_back({4, false});
  if (prompts > 1) c.image_prompts.push_back({16, false});
  Builder b;
  record_unet(b, config, network.side, network.side, c);
  Plan plan = b.finish();
  plan.compute_with(Compute::f16);
  return fold(plan);
}

// Of SD1.5 and SDXL alike.
Plan decoder_plan() {
  VaeConfig vae;
  vae.widths = {128, 256, 512, 512};
  Builder b;
  record_vae_decode(b, vae, 1, 128, 128);
  Plan plan = b.finish();
  plan.compute_with(Compute::bf16);
  return fold(plan);
}

// Of its convolutions, which are nearly all.
double multiplications(const Plan& plan) {
  double sum = 0;
  for (const Node& node : plan.nodes) {
    const auto* conv = std::get_if<Conv2d>(&node.op);
    if (!conv) continue;
    const auto shape = [&](ValueId id) { return plan.values[static_cast<size_t>(id)].shape; };
    const int taps = conv->virtual_h ? 4 : conv->kernel_h * conv->kernel_w;  // convolution_doubled has four
    sum += static_cast<double>(shape(node.output).size()) * static_cast<double>(shape(conv->x).c) * taps;
  }
  return sum;
}

// "product" of "product_f16_f32_128x64".
std::string family(const std::string& kernel) {
  size_t end = kernel.size();
  for (const char* type : {"_f16", "_bf16", "_f32"}) end = std::min(end, kernel.find(type));
  return kernel.substr(0, end);
}

using Counts = std::map<std::string, int>;

std::string text_of(const Counts& counts) {
  std::string text;
  for (const auto& [name, count] : counts)
    text += (text.empty() ? "" : ", ") + name + (count > 1 ? " " + std::to_string(count) : "");
  return text;
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string megabytes(size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

std::string listing_of(const Plan& plan, const std::string& what) {
  EmulatedCard card;
  const std::vector<cuda::Stored> stored = cuda::storage(plan);
  const cuda::Fusion fusion = cuda::fuse(plan, stored, card.device.properties());
  constexpr cuda::driver::Address kSomewhere = 1 << 20;  // nothing is allocated, nothing runs
  const std::vector<cuda::driver::Address> weights(plan.weights.size(), kSomewhere);
  const cuda::LoweredPlan lowered =
      cuda::lower_plan(card.device, plan, fusion, weights, stored, {kSomewhere, kSomewhere, kSomewhere});

  struct Row {
    int ops = 0;
    Counts kernels;
  };
  std::map<std::string, Row> rows;
  int launches = 0;
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    Row& row = rows[op_name(plan.nodes[i].op)];
    ++row.ops;
    for (const cuda::driver::Command& command : lowered.nodes[i].list()) {
      const auto& launch = std::get<cuda::driver::LaunchCommand>(command);
      ++row.kernels[family(launch.kernel.row->name)], ++launches;
    }
  }
  std::string text =
      what + ": " + std::to_string(launches) + " launches of " + std::to_string(plan.nodes.size()) + " ops\n";
  if (!lowered.casts.empty())
    text +=
        "  cast " + std::to_string(lowered.casts.size()) + " more before the first step: inputs that are multiplied\n";
  text += "  arena " + megabytes(static_cast<size_t>(fusion.layout.bytes)) + ", scratch " +
          megabytes(lowered.scratch_bytes) + ", inputs as operands " +
          megabytes(cuda::kept_bytes(cuda::kept_inputs(plan))) + "\n";
  for (const auto& [op, row] : rows)
    text += "  " + padded(std::to_string(row.ops) + " " + op, 16) + "-> " +
            (row.kernels.empty() ? "none of its own" : text_of(row.kernels)) + "\n";
  return text + "\n";
}

// Every op of the vocabulary that no kernel takes.
template <size_t... kIndices>
std::string without_kernel(std::index_sequence<kIndices...>) {
  std::string text;
  const auto add = [&](const char* name, const char* why) {
    if (why) text += "  " + padded(name, 16) + "CPU: " + why + "\n";
  };
  (add(op_name(std::variant_alternative_t<kIndices, Op>{}),
       cuda::kWithoutKernel<std::variant_alternative_t<kIndices, Op>>),
   ...);
  add("conv2d", cuda::kGroupedWithoutKernel);
  return text;
}

TEST("cuda launches: what each op of a step becomes") {
  std::string listing = "Kernels that each kind of op of a step becomes, and how often.\n\n";
  for (const Network& network : kNetworks)
    for (int prompts = 0; prompts <= 2; ++prompts)
      listing += listing_of(step_plan(network, prompts), std::string(network.name) + ", batch 2, f16, image prompts " +
                                                             std::to_string(prompts) + ", a step");
  const Plan decoder = decoder_plan();
  const auto bytes = [card = std::make_shared<EmulatedCard>()](const Plan& plan) {
    return layout_of(card->backend, plan).bytes;
  };
  listing += listing_of(decoder, "A decoder to 1024x1024, bf16, whole");
  char times[16];
  for (const int64_t room : {1600, 1000, 600}) {
    const std::optional<Plan> banded = in_bands(decoder, room * 1'000'000, bytes);
    EXPECT(banded.has_value());
    if (!banded) continue;
    std::snprintf(times, sizeof times, "%.1f", multiplications(*banded) / multiplications(decoder));
    listing += listing_of(*banded, "The same in bands, of at most " + std::to_string(room) + " MB, " + times +
                                       " times the multiplications");
  }
  listing += "Ops without a kernel\n" + without_kernel(std::make_index_sequence<std::variant_size_v<Op>>());
  expect_listing("cuda-launches", listing);
}

}  // namespace
