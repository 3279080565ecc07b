// ControlNets and T2I-Adapters beyond the cases of the golden runner: their files, what they fit, several at once.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/card.h"
#include "golden_model.h"
#include "models/controlnet.h"
#include "models/t2i_adapter.h"
#include "models/unet.h"
#include "runner.h"
#include "runtime/control_run.h"
#include "runtime/recorders.h"
#include "test.h"
#include "weights/names/t2i_adapter.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

TensorSource weights(const GoldenModel& m) { return synthetic(m.prefix, m.index, m.factors); }

void expect_wanted(const GoldenModel& model, const std::map<std::string, PlanKind>& plans) {
  std::map<std::string, Dims> wanted, there;
  for (const WeightWant& want : wants_of(plans)) wanted[want.path] = want.dims;
  for (const auto& [name, info] : model.index) there[name] = info.dims;
  EXPECT(wanted == there);
}

UNetConfig unet_of(const std::string& name) {
  const GoldenModel model(name);
  return detect_unet(model.index, model.config);
}

// A full adapter as a file of this many levels has it.
TensorIndex full_adapter(int channels, const std::vector<int>& widths) {
  TensorIndex index;
  const auto layer = [&](const std::string& name, int out, int in, int side) {
    index["adapter." + name + ".weight"].dims = {out, in, side, side};
    index["adapter." + name + ".bias"].dims = {out};
  };
  layer("conv_in", widths[0], channels, 3);
  for (int i = 0; i < static_cast<int>(widths.size()); ++i) {
    const std::string level = "body." + std::to_string(i);
    if (i > 0 && widths[i] != widths[i - 1]) layer(level + ".in_conv", widths[i], widths[i - 1], 1);
    for (const std::string block : {".resnets.0", ".resnets.1"}) {
      layer(level + block + ".block1", widths[i], widths[i], 3);
      layer(level + block + ".block2", widths[i], widths[i], 1);
    }
  }
  return index;
}

int64_t parameters(const std::map<std::string, PlanKind>& plans) {
  int64_t sum = 0;
  for (const WeightWant& want : wants_of(plans)) sum += product(want.dims);
  return sum;
}

// The names that the authors' files have.
std::string original(std::string name, bool light) {
  name = name.substr(std::string("adapter.").size());
  const size_t at = name.find(".resnets.");
  if (at == std::string::npos) {
    if (light || !name.starts_with("body.")) return name;
    return "body." + std::to_string(2 * std::stoi(name.substr(5))) + name.substr(name.find('.', 5));
  }
  const int level = std::stoi(name.substr(5)), block = std::stoi(name.substr(at + 9));
  const std::string rest = name.substr(name.find('.', at + 9));
  if (light) return "body." + std::to_string(level) + ".body." + std::to_string(block) + rest;
  return "body." + std::to_string(2 * level + block) + rest;
}

// A tiny UNet with its ControlNet, run with guidance: two rows of the same latents.
struct Steered {
  explicit Steered(std::shared_ptr<Device> device)
      : unet_file("unet15"),
        net_file("controlnet15"),
        unet(unet_of("unet15")),
        config(detect_controlnet(net_file.index, net_file.config)),
        network(device, unet_plans(unet), weights(unet_file), {}),
        net(device, controlnet_plans(config), weights(net_file), {}) {}

  Control control(float strength, bool conditional_only = false, float window = 1, const char* picture = "hint") {
    const Shape shape{1, 72, 48, 3};
    ipa::Tensor image{shape, synthetic_signal(picture, static_cast<size_t>(shape.size()))};
    return {&net, config, image, std::vector<float>(strengths_of(config), strength), {window}, conditional_only};
  }

  std::vector<float> eps(const std::vector<Control>& controls) {
    UNetRequest told;
    told.x = {2, 9, 6, 4};
    told.context = {{2, 1, 77, 64}, synthetic_signal("context", 2 * 77 * 64)};
    told.timesteps = {451};
    announce(controls, unet, told);
    UNetRun run(network, unet, told, StopFlag{});
    ControlRun steered(controls, unet, told, network.device().backend, StopFlag{});
    std::vector<float> cells(run.cells());
    steered.set_cells(0, run, cells);
    run.set_scales(cells);
    std::vector<float> x = synthetic_signal("x", 9 * 6 * 4);
    x.insert(x.end(), x.begin(), x.end());
    run.step().set("x", x);
    steered.forward(0, 0, run, StopFlag{});
    run.forward(0, StopFlag{}, true);
    return run.step().get("eps").data;
  }

  GoldenModel unet_file, net_file;
  UNetConfig unet;
  ControlNetConfig config;
  Network network, net;
};

std::vector<float> row(const std::vector<float>& all, int n) {
  const auto half = static_cast<std::ptrdiff_t>(all.size() / 2);
  return {all.begin() + n * half, all.begin() + (n + 1) * half};
}

}  // namespace

TEST("plans of ControlNets and T2I-Adapters want exactly the file's tensors") {
  for (const char* name : {"controlnet15", "controlnetxl", "true-controlnet15"}) {
    const GoldenModel model(name);
    expect_wanted(model, controlnet_plans(detect_controlnet(model.index, model.config)));
  }
  for (const char* name : {"t2i-full", "t2i-light"}) {
    const GoldenModel model(name);
    expect_wanted(model, t2i_adapter_plans(detect_t2i_adapter(model.index)));
  }
}

TEST("a ControlNet and the T2I-Adapters of the public sizes have the numbers that are known of them") {
  const GoldenModel net("true-controlnet15");
  EXPECT_EQ(parameters(controlnet_plans(detect_controlnet(net.index, net.config))), int64_t{361279120});
  const T2iAdapterConfig sd15 = detect_t2i_adapter(full_adapter(192, {320, 640, 1280, 1280}));
  EXPECT_EQ(parameters(t2i_adapter_plans(sd15)), int64_t{77369280});
  const T2iAdapterConfig xl = detect_t2i_adapter(full_adapter(768, {320, 640, 1280, 1280}));
  EXPECT_EQ(parameters(t2i_adapter_plans(xl)), int64_t{79028160});
  const std::vector<std::string> four = {"0", "1", "2", "3"}, middle = {"0", "1", "2", "mid"};
  EXPECT(feature_places(sd15, unet_of("true-unet15"), "it") == four);
  EXPECT(feature_places(xl, unet_of("true-unetxl"), "it") == middle);
  Builder b;
  record_t2i_adapter(b, xl, 1024, 1024);
  const Plan plan = b.finish();
  EXPECT_EQ(plan.values[plan.outputs.at("feature.1")].shape, (Shape{1, 64, 64, 640}));
  EXPECT_EQ(plan.values[plan.outputs.at("feature.3")].shape, (Shape{1, 32, 32, 1280}));
}

TEST("the authors' names of a T2I-Adapter become diffusers' names, all of them") {
  for (const char* name : {"t2i-full", "t2i-light"}) {
    const GoldenModel model(name);
    TensorIndex index;
    for (const auto& [tensor, info] : model.index) index[original(tensor, std::string(name) == "t2i-light")] = info;
    EXPECT_EQ(index.size(), model.index.size());
    const TensorIndex found = t2i_adapter_names(synthetic("s", index)).index;
    EXPECT_EQ(found.size(), model.index.size());
    for (const auto& [tensor, info] : model.index) EXPECT(found.contains(tensor) && found.at(tensor).dims == info.dims);
  }
}

TEST("a control for another base is refused with the widths of both") {
  const auto refused = [](const auto& check) {
    try {
      check();
    } catch (const Error& e) {
      return std::string(code_text(e.code)) + ": " + e.what();
    }
    return std::string("accepted");
  };
  const GoldenModel xl("controlnetxl"), full("t2i-full");
  const std::string net = refused([&] { check_fit(detect_controlnet(xl.index, xl.config), unet_of("unet15"), "it"); });
  EXPECT(net.starts_with("ADAPTER_BASE_MISMATCH: ") && net.find("32, 64, 128;") != std::string::npos &&
         net.find("32, 64, 128, 128;") != std::string::npos);
  const std::string adapter = refused([&] { feature_places(detect_t2i_adapter(full.index), unet_of("unetxl"), "it"); });
  EXPECT(adapter.starts_with("ADAPTER_BASE_MISMATCH: ") &&
         adapter.find("32, 64, 128, 128 channels") != std::string::npos);
}

TEST("a card runs a step with control") {
  EmulatedCard card;
  const std::shared_ptr<Device> device(new Device{"emulated", "sm_80", card.pool, card.backend});
  Steered s(device), cpu(cpu_device("", 2));
  const std::vector<float> got = s.eps({s.control(0.6f, true)}), want = cpu.eps({cpu.control(0.6f, true)});
  EXPECT_CLOSE(got, want, 1e-4 * rms(want), "on the card");
}

TEST("two controls of one ControlNet have a picture each") {
  Steered s(cpu_device("", 2)), other(cpu_device("", 2));
  const Control first = s.control(0.6f), second = s.control(0.3f, false, 1, "other");
  Control alone = second;
  alone.network = &other.net;
  const std::vector<float> both = s.eps({first, second});
  EXPECT(both == s.eps({first, alone}));
  EXPECT(both == s.eps({second, first}));
  EXPECT(both != s.eps({first, s.control(0.3f)}));
}

TEST("a control acts on the halves it is for, and several sum") {
  Steered s(cpu_device("", 2));
  const std::vector<float> none = s.eps({});
  EXPECT(s.eps({s.control(0.6f, false, 0)}) == none);
  EXPECT_EQ(s.net.runs("step"), uint64_t{0});  // outside its window it is not called
  const std::vector<float> one = s.eps({s.control(0.6f)});
  EXPECT_EQ(s.net.runs("step"), uint64_t{1});
  EXPECT(row(one, 0) != row(none, 0) && row(one, 1) != row(none, 1));
  const std::vector<float> conditional = s.eps({s.control(0.6f, true)});
  EXPECT(row(conditional, 0) == row(none, 0));
  EXPECT_CLOSE(row(conditional, 1), row(one, 1), 1e-5, "the conditional half alone");
  EXPECT_CLOSE(s.eps({s.control(0.2f), s.control(0.4f)}), one, 1e-5, "the sum of two");
}
