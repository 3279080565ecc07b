// Networks that leave a CPU's memory: what they take is known before, they come back as they were, by stages and within
// a budget.
#include "runtime/residency.h"

#include <atomic>
#include <thread>

#include "core/dtype.h"
#include "models/golden_model.h"
#include "models/unet.h"
#include "runtime/device.h"
#include "runtime/network.h"
#include "runtime/recorders.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

struct Tiny {
  explicit Tiny(const std::shared_ptr<Device>& device, bool later = false)
      : model("unet15"),
        config(detect_unet(model.index, model.config)),
        network(device, unet_plans(config, Compute::f32), synthetic("unet15", model.index), options(later)) {}
  static LoadOptions options(bool later) {
    LoadOptions options;
    options.later = later;
    return options;
  }
  RecordRequest step(int64_t side) const { return {{{"x", {1, side, side, config.in_channels}}}, {}, {}}; }

  GoldenModel model;
  UNetConfig config;
  Network network;
};

TEST("residency: what a program takes is known without its weights") {
  const auto device = cpu_device("", 1);
  const Tiny before(device, true);
  EXPECT(!before.network.store().present());
  EXPECT_EQ(before.network.bytes(), uint64_t{0});
  const uint64_t planned = before.network.planned_bytes("step", before.step(16));
  Tiny there(device);
  EXPECT_EQ(there.network.prepare("step", there.step(16)).bytes(), planned);
  EXPECT_EQ(there.network.bytes(), there.network.store().bytes() + planned);
}

TEST("residency: weights of a host's own memory are given up and read again") {
  const auto device = cpu_device("", 1);
  Tiny tiny(device);
  const uint64_t digest = tiny.network.store().digest();
  EXPECT(!tiny.network.leave());  // nobody wants less taken
  device->residency.set_offload(Offload::always);
  {
    const Network::Hold held(tiny.network);
    EXPECT(!tiny.network.leave());
  }
  EXPECT(tiny.network.leave());
  EXPECT_EQ(tiny.network.bytes(), uint64_t{0});
  int again = 0;
  tiny.network.when_read_again([&] { ++again; });
  tiny.network.come();
  tiny.network.come();
  EXPECT_EQ(tiny.network.store().digest(), digest);
  EXPECT_EQ(again, 1);
  {
    const Network::Turn turn(tiny.network);
    EXPECT(tiny.network.store().present());
  }
  EXPECT(!tiny.network.store().present());
  device->residency.set_offload(Offload::never);
  tiny.network.come();
  EXPECT(!tiny.network.leave());
}

TEST("residency: another thread may ask what is taken and how often plans ran, at any time") {
  const auto device = cpu_device("", 1);
  device->residency.set_offload(Offload::always);
  Tiny tiny(device);
  const uint64_t all = tiny.network.bytes() + tiny.network.prepare("step", tiny.step(16)).bytes();
  std::atomic<bool> done = false, known = true;
  std::thread asking([&] {
    while (!done) known = known && tiny.network.bytes() <= all && tiny.network.runs("step") <= 200;
  });
  for (int i = 0; i < 200; ++i) {
    tiny.network.prepare("step", tiny.step(16));
    tiny.network.count("step");
    tiny.network.leave();
  }
  done = true;
  asking.join();
  EXPECT(known);
  EXPECT_EQ(tiny.network.bytes(), uint64_t{0});
  EXPECT_EQ(tiny.network.runs("step"), uint64_t{200});
}

TEST("residency: weights that are merged by half are not kept") {
  const auto device = cpu_device("", 1);
  Tiny tiny(device, true);
  tiny.network.when_read_again([] { fail(Code::MODEL_CHANGED, "it changed", "load it again"); });
  EXPECT_CODE(tiny.network.come(), Code::MODEL_CHANGED);
  EXPECT(!tiny.network.store().present());
}

TEST("residency: with offload always who shares no stage leaves, with auto who is longest unused within a budget") {
  const auto device = cpu_device("", 1);
  Tiny one(device), two(device), three(device);
  one.network.set_stages(kText), two.network.set_stages(kText | kPictures), three.network.set_stages(kPictures);
  device->residency.set_offload(Offload::always);
  three.network.come();
  EXPECT(!one.network.store().present() && two.network.store().present() && three.network.store().present());
  one.network.come();
  EXPECT(one.network.store().present() && two.network.store().present() && !three.network.store().present());

  device->residency.set_offload(Offload::automatic);
  const uint64_t each = one.network.store().bytes();
  device->residency.set_budget(each * 5 / 2);
  three.network.come();
  EXPECT(one.network.store().present() && !two.network.store().present() && three.network.store().present());
  device->residency.set_budget(each - 1);
  EXPECT_CODE(two.network.come(), Code::MEMORY_BUDGET);
  device->residency.set_offload(Offload::never);
  device->residency.set_budget(each * 3 / 2);
  one.network.come();
  EXPECT_CODE(Tiny(device), Code::MEMORY_BUDGET);
}

TEST("residency: values of another size make room while somebody holds the network") {
  const auto device = cpu_device("", 1);
  Tiny tiny(device);
  const uint64_t large = tiny.network.planned_bytes("step", tiny.step(32));
  device->residency.set_budget(tiny.network.store().bytes() + large);
  tiny.network.prepare("step", tiny.step(16));
  const Network::Hold held(tiny.network);
  EXPECT_EQ(tiny.network.prepare("step", tiny.step(32)).bytes(), large);
  EXPECT_CODE(tiny.network.prepare("step", tiny.step(16)), Code::MEMORY_BUDGET);  // the other one is in use
}

TEST("residency: weights that are read again poll the flag of the job that runs") {
  const auto device = cpu_device("", 1);
  Tiny tiny(device, true);
  StopFlag stop;
  stop.raise();
  {
    const Residency::Running running(device->residency, stop);
    EXPECT_CODE(tiny.network.come(), Code::ABORTED);
  }
  tiny.network.come();
  EXPECT(tiny.network.store().present());
}

}  // namespace
