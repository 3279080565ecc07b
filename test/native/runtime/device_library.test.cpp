// A card as a library: what does not fit is refused, and what fails on the other side arrives as it was thrown.
#include "runtime/device_library.h"

#include <cstdlib>
#include <limits>
#include <optional>

#include "cuda/card.h"
#include "models/golden_model.h"
#include "runtime/load.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

const std::string kEmulated = std::string(IPA_LIBRARIES) + "/ipa_emulated.so";

std::optional<Error> thrown(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  failed(__FILE__, __LINE__, "nothing was thrown");
  return std::nullopt;
}

std::string detail(const Error& error, const std::string& name) {
  for (const auto& [key, value] : error.details)
    if (key == name) return value;
  return "(none)";
}

void expect_text(const std::string& text, const std::string& part) {
  if (text.find(part) == std::string::npos) failed(__FILE__, __LINE__, text + " lacks " + part);
}

// The memory of emulated devices that are opened meanwhile.
struct EmulatedMemory {
  explicit EmulatedMemory(uint64_t bytes) { setenv("IPA_EMULATED_MEMORY", std::to_string(bytes).c_str(), 1); }
  ~EmulatedMemory() { unsetenv("IPA_EMULATED_MEMORY"); }
};

std::shared_ptr<Loaded> decoder(const std::shared_ptr<Device>& device, Compute compute) {
  const GoldenModel model("vae");
  LoadRequest request;
  request.kind = NetworkKind::vae;
  request.generated = synthetic(model.prefix, model.index, model.factors);
  request.compute = compute;
  request.facts = model.config;
  return load(device, std::move(request));
}

Tensor latents(const Loaded& vae, float first = 0.25f) {
  Tensor z{{1, 4, 4, vae.vae.latent_channels}, {}};
  for (int64_t i = 0; i < z.shape.size(); ++i) z.data.push_back(static_cast<float>(i % 11) / 5 - 1);
  z.data[0] = first;
  return z;
}

// The emulated device of this program, without a library between.
struct Here {
  EmulatedCard card;
  Device device{"emulated", "sm_80", card.pool, card.backend};
};

TEST("device library: no file, no library, no device library") {
  const auto none = thrown([] { OpenLibrary::open("/nowhere/ipa_cuda.so"); });
  if (none) {
    EXPECT(none->code == Code::BINARY_NOT_FOUND);
    expect_text(none->what(), "\"/nowhere/ipa_cuda.so\"");
  }
  const auto text = thrown([] { OpenLibrary::open(std::string(IPA_MODELS_DIR) + "/sketch/README.md"); });
  if (text) {
    EXPECT(text->code == Code::BINARY_INCOMPATIBLE);
    expect_text(text->what(), "does not load");
    EXPECT(detail(*text, "reason") != "(none)");
  }
  const auto other = thrown([] { OpenLibrary::open(std::string(IPA_FAKE_LIBRARIES) + "/libother.so"); });
  if (other) {
    EXPECT(other->code == Code::BINARY_INCOMPATIBLE);
    expect_text(other->what(), "it has no ipa_device_library");
  }
}

TEST("device library: another interface, package or backend is refused, and both are named") {
  const auto refused = [](const std::string& name, const std::string& what, const std::string& found) {
    const auto error =
        thrown([&] { OpenLibrary::open(std::string(IPA_FAKE_LIBRARIES) + "/libdevice_" + name + ".so"); });
    if (!error) return;
    EXPECT(error->code == Code::BINARY_INCOMPATIBLE);
    expect_text(error->what(), what);
    expect_text(error->what(), "this addon has");
    expect_text(detail(*error, "found"), found);
    EXPECT(detail(*error, "expected") != detail(*error, "found"));
    EXPECT(!error->hint.empty());
  };
  refused("abi", "the interface", "99 of ");
  refused("fingerprint", "the fingerprint", "node-ip-adapter 0.0.9, libc++ ABI 1, 64 bit");
  refused("backend", "the backend", " of 8 bytes");
}

TEST("device library: lists its devices without opening one") {
  const EmulatedMemory memory(3'000'000'000);
  const std::vector<FoundDevice> found = OpenLibrary::open(kEmulated)->devices();
  EXPECT_EQ(found.size(), size_t{1});
  if (found.empty()) return;
  EXPECT_EQ(std::string(found[0].name), "emulated device");
  EXPECT_EQ(capability_text(found[0].capability), "8.0");
  EXPECT_EQ(driver_text(found[0].driver), "13.0");
  EXPECT_EQ(found[0].memory, uint64_t{3'000'000'000});
}

TEST("device library: a device that is not there") {
  const auto error = thrown([] { open_device("cuda:7", kEmulated); });
  if (error) {
    EXPECT(error->code == Code::DEVICE_NONE);
    expect_text(error->what(), "no CUDA device 7");
  }
  for (const char* const id : {"cuda", "cuda:", "cuda:-1", "cuda:1x", "card"})
    EXPECT_CODE(open_device(id, kEmulated), Code::OPTION_RANGE);
}

TEST("device library: a network gives the bytes of the same device without a library, its failures too") {
  const auto card = open_device("emulated", kEmulated, "", 2);
  EXPECT_EQ(card->id, "emulated");
  EXPECT_EQ(card->level, "sm_80");
  EXPECT_EQ(card->name, "emulated device");
  const auto here = std::make_shared<Here>();
  const auto through = decoder(card, Compute::f16), directly = decoder({here, &here->device}, Compute::f16);
  const StopFlag stop;
  for (const char* const plan : {"decode", "decode"}) {  // the second time by the program that is kept
    const Tensor z = latents(*through);
    const Tensors a = through->network->run(plan, {{"z", z}}, {}, {}, stop),
                  b = directly->network->run(plan, {{"z", z}}, {}, {}, stop);
    EXPECT(!a.empty() && a.begin()->second.data == b.begin()->second.data);
  }
  EXPECT_EQ(through->network->store().digest(), directly->network->store().digest());

  const Tensor bad = latents(*through, std::numeric_limits<float>::quiet_NaN());
  const auto error = thrown([&] { through->network->run("decode", {{"z", bad}}, {}, {}, stop, true); });
  if (error) {
    EXPECT(error->code == Code::NAN_LATENTS);
    EXPECT_EQ(detail(*error, "stage"), "z");
  }
  StopFlag raised;
  raised.raise();
  EXPECT_CODE(through->network->run("decode", {{"z", latents(*through)}}, {}, {}, raised), Code::ABORTED);
}

TEST("device library: out of memory arrives with code, message, hint and details, and the next call is well") {
  const EmulatedMemory memory(1'000'000);
  const auto card = open_device("emulated", kEmulated, "", 1);
  const Backend& backend = card->backend;
  EmulatedCard here({.memory_bytes = 1'000'000});
  const auto expected = thrown([&] { (void)here.backend.allocate(here.backend.self, 2'000'000); });
  const auto found = thrown([&] { (void)backend.allocate(backend.self, 2'000'000); });
  if (!expected || !found) return;
  EXPECT(found->code == Code::DEVICE_OUT_OF_MEMORY);
  EXPECT_EQ(std::string(found->what()), expected->what());
  EXPECT_EQ(found->hint, expected->hint);
  EXPECT(found->details == expected->details);
  EXPECT_EQ(detail(*found, "needed"), "2000000");

  const ipa::Memory some(backend, 256);
  const std::vector<float> numbers = {1, 2, 3};
  std::vector<float> back(3);
  backend.write(backend.self, some.place(), numbers.data(), 12);
  backend.read(backend.self, some.place(), back.data(), 12);
  EXPECT(back == numbers);
}

TEST("device library: a network that finds no room is refused with what there was") {
  const EmulatedMemory memory(100'000);
  const auto card = open_device("emulated", kEmulated, "", 1);
  const auto error = thrown([&] { decoder(card, Compute::f16); });
  if (!error) return;
  EXPECT(error->code == Code::DEVICE_OUT_OF_MEMORY);
  EXPECT(std::stoull(detail(*error, "needed")) > 100'000);
  const uint64_t room = std::stoull(detail(*error, "free"));  // 5 % stay for the driver, a flag is there already
  EXPECT(room > 94'000 && room <= 95'000);
  expect_text(error->what(), detail(*error, "free"));
}

TEST("device library: a decoder leaves the range of f16 and never computes in it, the rest of a VAE in f32") {
  const auto card = open_device("emulated", kEmulated, "", 1);
  const RecordRequest z{{{"z", {1, 4, 4, 4}}}, {}, {}}, image{{{"image", {1, 32, 32, 3}}}, {}, {}};
  const auto compute = [&](Compute asked, const char* plan, const RecordRequest& request) {
    return std::string(compute_text(decoder(card, asked)->network->plan(plan, request).compute));
  };
  EXPECT_EQ(compute(Compute::f16, "decode", z), "bf16");
  EXPECT_EQ(compute(Compute::bf16, "decode", z), "bf16");
  EXPECT_EQ(compute(Compute::f32, "decode", z), "f32");
  EXPECT_EQ(compute(Compute::f16, "encode", image), "f32");
  const EmulatedCard turing({.capability = 75});
  EXPECT(wide_of(turing.backend, Compute::f16) == Compute::f32);
  EXPECT(!computes_with(turing.backend, Compute::bf16) && computes_with(turing.backend, Compute::f16));
}

TEST("device library: ONNX graphs run on the CPU beside the card, which all of them share") {
  const auto card = open_device("emulated", kEmulated, "", 2);
  EXPECT(!card->cpu);
  const auto recogniser = [&](const std::shared_ptr<Device>& device) {
    LoadRequest request;
    request.kind = NetworkKind::onnx;
    request.path = std::string(IPA_MODELS_DIR) + "/sketch/face/recognition.onnx";
    return load(device, std::move(request));
  };
  const auto first = recogniser(card), second = recogniser(card);
  const Device& beside = first->onnx->network().device();
  EXPECT_EQ(beside.id, "cpu");
  EXPECT_EQ(beside.pool.threads(), 2);
  EXPECT(&beside == &second->onnx->network().device() && &beside == card->cpu.get());
  EXPECT(&beside.pool != &card->pool);
  const auto cpu = cpu_device("", 1);
  EXPECT(&recogniser(cpu)->onnx->network().device() == cpu.get());
}

}  // namespace
