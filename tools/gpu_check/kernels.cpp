// The ceilings of the card, and the kernel classes at the shapes of both networks.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "attentions.h"
#include "norms.h"
#include "products.h"

namespace ipa::gpu_check {

namespace {

// Targets are shares of the card's ceiling for the mma.sync path, for a batch of 2. source: measured libraries and
// published kernels on the H200. 0: not a class of its own.
constexpr ProductShape kProducts[] = {
    {2048, 10240, 1280, true, 0.48, true},  {8192, 5120, 640, true, 0.48, false}, {2048, 1280, 1280, false, 0.38, true},
    {2048, 1280, 5120, false, 0.38, false}, {8192, 320, 320, false, 0.25, true},  {2048, 640, 640, false, 0.25, false},
    {8192, 2560, 320, true, 0, false},      {8192, 320, 1280, false, 0, false},   {8192, 960, 320, false, 0, false},
    {2048, 3840, 1280, false, 0, false},    {8192, 640, 2560, false, 0, false},   {512, 1280, 1280, false, 0, false},
    {128, 10240, 1280, true, 0, false},
};
constexpr ConvolutionShape kConvolutions[] = {
    {2, 128, 320, 320, 0.42, true},   {2, 64, 640, 640, 0.42, false}, {2, 16, 1280, 1280, 0.28, true},
    {2, 16, 2560, 1280, 0.28, false}, {2, 64, 320, 320, 0, false},    {2, 32, 640, 640, 0, false},
    {2, 32, 1280, 1280, 0, false},    {2, 8, 1280, 1280, 0, false},
};
const AttentionShape kAttentions[] = {
    {2, 10, 4096, 64, {}, 0.37, true},     {2, 20, 1024, 64, {}, 0.33, false},
    {2, 8, 4096, 40, {}, 0.26, true},      {2, 8, 1024, 80, {}, 0.22, false},
    {2, 8, 256, 160, {}, 0.22, false},     {2, 8, 4096, 40, {77}, 0.55, false},
    {2, 8, 4096, 40, {77, 4}, 0.55, true}, {2, 10, 4096, 64, {77, 16}, 0.55, false},
    {2, 20, 1024, 64, {77, 16}, 0, false}, {2, 8, 4096, 40, {77, 4, 16, 4}, 0.55, false},
};
constexpr NormShape kNorms[] = {
    {NormShape::group_silu, 2, 16384, 320, 0.7, true}, {NormShape::group_silu, 2, 4096, 640, 0, false},
    {NormShape::layer, 2, 16384, 640, 0.7, true},      {NormShape::layer, 2, 1024, 1280, 0, false},
    {NormShape::add, 2, 16384, 640, 0.7, false},
};

constexpr ProductShape kLargest{8192, 8192, 8192, false, 0, true};

// FLOP per second of 16-bit operands with sums in f32 that the libraries of NVIDIA reach on a card at 8192 x 8192 x
// 8192: what shares are of. Of other cards our own largest product stands here until PyTorch has measured.
struct Known {
  const char* card;
  double flop;
};
constexpr Known kKnown[] = {{"H200", 790e12}};

bool takes(const Options& options, const std::string& kernel, bool quick) {
  return options.only.empty() ? !options.quick || quick : options.wants(kernel) || options.wants("timing");
}

// Copies within the card's memory, both directions counted.
double copied(Card& card) {
  const size_t bytes = card.emulated ? size_t{1} << 20 : size_t{2} << 30;
  const driver::Memory from = card.device.allocate(bytes, "copies"), to = card.device.allocate(bytes, "copies");
  card.device.fill(from.at(), 0x3c003c00, bytes / 4);
  const Timed time = timed(card, card.emulated ? 1 : 20, [&] { card.device.copy(to.at(), from.at(), bytes); });
  return time.ms > 0 ? 2 * static_cast<double>(bytes) / time.ms * 1e3 : 0;
}

}  // namespace

void measure_ceilings(Card& card, const Options& options, Report& report) {
  std::vector<std::string> sweep;
  Ceilings& c = report.ceilings;
  if (card.emulated) {  // to see that both run: what they say there is no ceiling
    copied(card);
    measure_product(card, options, kLargest, false, report, sweep);
    return;
  }
  c.copy = copied(card);
  c.product = measure_product(card, options, kLargest, false, report, sweep);
  c.flop = c.product, c.source = "our product of 8192 x 8192 x 8192";
  for (const Known& known : kKnown)
    if (card.device.properties().name.find(known.card) != std::string::npos)
      c.flop = known.flop, c.source = std::string("cuBLAS on the ") + known.card;
  std::printf("ceilings: %.0f GB/s copied, %.1f TFLOP/s of our largest product, shares are of %.1f TFLOP/s (%s)\n",
              c.copy * 1e-9, c.product * 1e-12, c.flop * 1e-12, c.source.c_str());
}

void time_kernels(Card& card, const Options& options, Report& report) {
  std::vector<std::string> sweep;
  // On the emulator all shapes of a table are cut to the same small one: its first rows show that each way works.
  const auto rows = [&](size_t count, size_t emulated) { return card.emulated ? std::min(count, emulated) : count; };
  for (const bool brain : {false, true}) {
    for (size_t i = 0; i < rows(std::size(kProducts), 1); ++i)
      if (takes(options, "product", kProducts[i].quick && !brain) && (!brain || kProducts[i].target > 0))
        measure_product(card, options, kProducts[i], brain, report, sweep);
    for (size_t i = 0; i < rows(std::size(kConvolutions), 1); ++i)
      if (takes(options, "convolution", kConvolutions[i].quick && !brain) && (!brain || kConvolutions[i].target > 0))
        measure_convolution(card, options, kConvolutions[i], brain, report, sweep);
  }
  for (const AttentionShape& shape : kAttentions)
    if (takes(options, shape.keys.empty() ? "attention" : "cross_attention", shape.quick) &&
        (!card.emulated || shape.quick))
      measure_attention(card, options, shape, report);
  for (const NormShape& shape : kNorms)
    if (takes(options, "norm", shape.quick) && (!card.emulated || shape.target > 0))
      measure_norm(card, options, shape, report);
  if (!options.tune) return;
  const std::filesystem::path path = std::filesystem::path(options.out) / "tune.txt";
  std::ofstream file(path);
  file << "# kernel and type, m, n, k, tile, slices, ms on " << card.device.properties().name << "\n";
  for (const std::string& line : sweep) file << line << "\n";
  std::printf("tune: %zu times of tiles and slices in %s\n", sweep.size(), path.c_str());
}

}  // namespace ipa::gpu_check
