// Instruction vectors: every wrapper on random words, recorded on the card into <out>/vectors/<wrapper>.jsonl, which
// may be copied to test/native/cuda/vectors/ as it is, and held against the emulator at once.
#include "vectors.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

#include "check.h"
#include "image.h"
#include "tensors.h"
#include "vector_records.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;
using namespace cuda::vectors;

constexpr int kDrawn = 8;  // vectors per wrapper

// Both numbers of a word, whole ones from -4 to 4: every sum of 16 products and a small addend is exact in f32.
uint32_t pair_of_small(std::mt19937_64& random, bool brain) {
  uint32_t word = 0;
  for (int i = 0; i < 2; ++i) {
    const float x = static_cast<float>(static_cast<int>(random() % 9) - 4);
    word |= static_cast<uint32_t>(brain ? f32_to_bf16(x) : f32_to_f16(x)) << 16 * i;
  }
  return word;
}

std::vector<uint32_t> lane_of(const Wrapper& wrapper, std::mt19937_64& random) {
  std::normal_distribution<float> normal(0, 2);
  std::uniform_real_distribution<float> within(-80, 80);
  std::vector<uint32_t> in(wrapper.inputs);
  const auto products = [&](size_t words, bool brain) {
    for (size_t i = 0; i < in.size(); ++i)
      in[i] = i < words ? pair_of_small(random, brain)
                        : bits_of(static_cast<float>(static_cast<int>(random() % 65) - 32));  // the addend
  };
  const auto doubles = [&](auto&& draw) {
    for (size_t i = 0; i + 1 < in.size(); i += 2) put_f64(static_cast<double>(draw()) + 1e-9 * draw(), &in[i]);
  };
  for (uint32_t& word : in) word = static_cast<uint32_t>(random());
  switch (wrapper.draw) {
    case Draw::words:
      break;
    case Draw::lanes:
      in[1] %= 32;
      break;
    case Draw::flag:
      in[0] %= 2;
      break;
    case Draw::operands8:
    case Draw::brain8:
      products(3, wrapper.draw == Draw::brain8);
      break;
    case Draw::operands16:
    case Draw::brain16:
      products(6, wrapper.draw == Draw::brain16);
      break;
    case Draw::bytes:
      in.back() = static_cast<uint32_t>((in.size() - 1) * 2 * (random() % 3));
      break;
    case Draw::f32:
      for (uint32_t& word : in) word = bits_of(normal(random));
      break;
    case Draw::above:
      for (uint32_t& word : in) word = bits_of(std::abs(normal(random)) + 1e-3f);
      break;
    case Draw::small:
      for (uint32_t& word : in) word = bits_of(within(random));
      break;
    case Draw::half:
      in[0] = f32_to_f16(normal(random));
      break;
    case Draw::f64:
      doubles([&] { return normal(random); });
      break;
    case Draw::f64above:
      doubles([&] { return std::abs(normal(random)) + 1e-3f; });
      break;
  }
  return in;
}

// The kernels of vectors.cu. They are no kernels of a device, so the driver is asked directly.
class Recorder {
 public:
  explicit Recorder(Card& card) : card_(card) {
    said("cuModuleLoadData", card.table.module_load(&module_, vector_image()));
  }
  ~Recorder() { (void)card_.table.module_unload(module_); }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void record(Vector& v) {
    driver::FunctionHandle function = nullptr;
    said("cuModuleGetFunction", card_.table.module_function(&function, module_, ("vector_" + v.wrapper).c_str()));
    const size_t in_bytes = v.in.size() * sizeof(uint32_t), out_bytes = v.out.size() * sizeof(uint32_t);
    driver::Device& device = card_.device;
    const driver::Memory in = device.allocate(in_bytes, "words"), out = device.allocate(out_bytes, "words"),
                         own = device.allocate(32 * 16, "words");
    device.upload(in.at(), v.in.data(), in_bytes);
    device.synchronize();  // the launch is in another stream
    VectorArguments arguments{in.as<const uint32_t>(), out.as<uint32_t>(), own.as<uint32_t>()};
    void* given[] = {&arguments};
    void** none = nullptr;
    said("cuLaunchKernel", card_.table.launch(function, 1, 1, 1, 32, 1, 1, kSharedBytes, nullptr, given, none));
    said("cuStreamSynchronize", card_.table.stream_synchronize(nullptr));
    device.download(v.out.data(), out.at(), out_bytes);
  }

 private:
  static void said(const char* call, driver::Result result) {
    if (result != driver::kSuccess)
      fail(Code::INTERNAL, std::string(call) + " says " + std::to_string(result) + " for the instruction vectors",
           "run with --only kernels to leave them out, and report it");
  }
  Card& card_;
  driver::ModuleHandle module_ = nullptr;
};

}  // namespace

void record_vectors(Card& card, const Options& options, Report& report) {
  const std::filesystem::path folder = std::filesystem::path(options.out) / "vectors";
  std::filesystem::create_directories(folder);
  std::mt19937_64 random(fresh_seed());
  const driver::Properties& properties = card.device.properties();
  const std::string source = properties.name + ", capability " + std::to_string(properties.capability) + ", driver " +
                             std::to_string(properties.driver);
  std::optional<Recorder> recorder;
  if (!card.emulated) recorder.emplace(card);
  size_t recorded = 0, wrong = 0;
  for (const Wrapper& wrapper : kWrappers) {
    const bool of_brain = wrapper.draw == Draw::brain8 || wrapper.draw == Draw::brain16;
    if (of_brain && properties.capability < 80) continue;
    std::ofstream file(folder / (std::string(wrapper.name) + ".jsonl"));
    for (int i = 0; i < kDrawn; ++i) {
      Vector v{wrapper.name, {}, std::vector<uint32_t>(32 * wrapper.outputs)};
      for (int lane = 0; lane < 32; ++lane) {
        const std::vector<uint32_t> in = lane_of(wrapper, random);
        v.in.insert(v.in.end(), in.begin(), in.end());
      }
      if (recorder)
        recorder->record(v);
      else
        v.out = emulated(v);
      file << line_of(v, source) << "\n";
      const std::string text = difference(v);
      if (text.empty()) continue;
      ++wrong;
      report.failures.push_back("vectors: " + text + " as the card made it");
      break;
    }
    if (!file.flush()) fail(Code::INTERNAL, "cannot write " + folder.string(), "give --out a folder that is writable");
    ++recorded;
  }
  std::printf("vectors: %zu wrappers recorded in %s, %zu differ from the emulator\n", recorded, folder.c_str(), wrong);
}

}  // namespace ipa::gpu_check
