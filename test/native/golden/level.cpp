// The levels that cases run on.
#include "cuda/card.h"
#include "golden/kinds.h"

namespace ipa::golden {

namespace {

constexpr std::string_view kEmulated = "emulated-";

struct OnEmulated {
  test::EmulatedCard emulated;
  Device device{"emulated", "sm_80", emulated.pool, emulated.backend};
};

std::shared_ptr<OnEmulated> emulated() { return std::make_shared<OnEmulated>(); }

test::Machine machine_of(const std::shared_ptr<OnEmulated>& on, Compute with) {
  test::Machine machine(on, on->emulated.pool, on->emulated.backend);
  machine.with = with;
  return machine;
}

Compute compute_named(std::string_view name) {
  for (const Compute compute : {Compute::f16, Compute::bf16, Compute::f32})
    if (name == compute_text(compute)) return compute;
  fail(Code::OPTION_RANGE, quoted(name) + " is nothing that the emulated device computes with",
       "emulated-f16, emulated-bf16 or emulated-f32");
}

test::Machine machine_named(const std::string& name) {
  if (!name.starts_with(kEmulated)) return test::Machine(cpu::level(name));
  return machine_of(emulated(), compute_named(std::string_view(name).substr(kEmulated.size())));
}

std::shared_ptr<Device> device_named(const std::string& name) {
  if (!name.starts_with(kEmulated)) return cpu_device(name, /*threads=*/2);
  const std::shared_ptr<OnEmulated> on = emulated();
  return {on, &on->device};
}

}  // namespace

Level::Level(const std::string& name) : machine(machine_named(name)), device(device_named(name)) {}

}  // namespace ipa::golden
