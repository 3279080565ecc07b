#pragma once
// What the native half of the golden runner checks: kind -> function. Which kind a case is of follows from its content
// and is decided by the runner (test/runner/kinds.mjs).
#include <map>
#include <string>

#include "golden/verdict.h"
#include "models/runner.h"
#include "runtime/device.h"

namespace ipa::golden {

// One CPU level, or the CUDA core on the emulated device ("emulated-f16", "emulated-bf16", "emulated-f32"): for plans
// recorded on their own, and for networks as the engine runs them.
struct Level {
  explicit Level(const std::string& name);
  test::Machine machine;
  std::shared_ptr<Device> device;
};

// What a case computes with on this level: 16 bits where the level has them and the case says how near that comes.
Compute compute_of(const Level& level, const test::Golden& g);

// `name`: path of the case below the folder, without its extension.
using Check = void (*)(Level& level, const std::string& name, Verdict& verdict);

struct Kind {
  Check check;
  bool per_level = true;  // false: the level makes no difference, one run counts
};
using Kinds = std::map<std::string, Kind>;

// One function per file, each adds its rows.
void add_modules(Kinds& kinds);
void add_networks(Kinds& kinds);
void add_controls(Kinds& kinds);
void add_projectors(Kinds& kinds);
void add_adapters(Kinds& kinds);
void add_loras(Kinds& kinds);
void add_onnx(Kinds& kinds);
void add_images(Kinds& kinds);
void add_inpainting(Kinds& kinds);
void add_random(Kinds& kinds);
void add_text(Kinds& kinds);
void add_files(Kinds& kinds);

}  // namespace ipa::golden
