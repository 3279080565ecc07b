// The row "load sd15": from the path of an f16 file in the page cache to weights that plans can run with. What it is
// compared with is less than any loader can do: the file read once into memory that stays in the cache, and as much
// fresh memory as the packed bytes need, which the system clears.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "core/arena.h"
#include "core/dtype.h"
#include "core/error.h"
#include "io/file.h"
#include "io/open.h"
#include "rows.h"
#include "runtime/recorders.h"
#include "weights/rename.h"

namespace ipa::bench {

namespace {

using Plans = std::map<std::string, PlanKind>;
using Parts = std::map<std::string, Plans>;  // by the prefix of their names in the file

Parts sd15_parts(Compute compute) {
  VaeConfig vae;
  vae.widths = {128, 256, 512, 512};
  return {{"text_encoder.", clip_text_plans({}, compute)},
          {"unet.", unet_plans(sd15(), compute)},
          {"vae.", vae_plans(vae, compute)}};
}

// Every weight that the plans want, as f16.
TensorIndex tensors_of(const Parts& parts) {
  TensorIndex index;
  for (const auto& [prefix, plans] : parts)
    for (const auto& [name, kind] : plans) {
      Builder b;
      kind.record(b, kind.smallest);
      for (const WeightWant& want : b.finish().weights) index[prefix + want.path] = {DType::f16, want.dims};
    }
  return index;
}

size_t f16_bytes(const TensorInfo& info) { return 2 * static_cast<size_t>(product(info.dims)); }

// A .safetensors with these tensors, the same few numbers over and over. Gone with the object.
class WeightFile {
 public:
  explicit WeightFile(const TensorIndex& index) {
    std::string pattern = (std::filesystem::temp_directory_path() / "ipa-bench-XXXXXX").string();
    const int descriptor = mkstemp(pattern.data());
    if (descriptor < 0) fail(Code::MODEL_IO, "no temporary file for the bench", "set TMPDIR");
    close(descriptor);
    path_ = pattern;
    std::string header;
    for (const auto& [name, info] : index) {
      header += (header.empty() ? "{\"" : ",\"") + name + "\":{\"dtype\":\"F16\",\"shape\":" + text(info.dims) +
                ",\"data_offsets\":[" + std::to_string(data_bytes_) + "," +
                std::to_string(data_bytes_ + f16_bytes(info)) + "]}";
      data_bytes_ += f16_bytes(info);
    }
    header += "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const uint64_t length = header.size();
    std::vector<uint16_t> halves;
    for (const float x : numbers(1 << 19, 1, 0.05f)) halves.push_back(f32_to_f16(x));
    std::ofstream out(path_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), sizeof length) << header;
    for (size_t left = data_bytes_; left > 0;) {
      const size_t part = std::min(left, halves.size() * sizeof halves[0]);
      out.write(reinterpret_cast<const char*>(halves.data()), static_cast<std::streamsize>(part));
      left -= part;
    }
    if (!out.flush()) fail(Code::MODEL_IO, "the bench cannot write " + path_, "set TMPDIR to a larger disk");
  }
  ~WeightFile() { std::filesystem::remove(path_); }
  WeightFile(const WeightFile&) = delete;
  WeightFile& operator=(const WeightFile&) = delete;

  const std::string& path() const { return path_; }
  size_t data_bytes() const { return data_bytes_; }

 private:
  std::string path_;
  size_t data_bytes_ = 0;
};

void read_and_clear(ThreadPool& pool, const WeightFile& weights, size_t packed_bytes) {
  constexpr size_t kBlock = size_t{1} << 19;  // bytes of the file at a time
  const File file(weights.path());
  const Arena packed = allocate(packed_bytes);
  const size_t blocks = weights.data_bytes() / kBlock, share = packed_bytes / blocks / 64 * 64;
  pool.run(pool.threads(), [&](int part) {
    const size_t threads = static_cast<size_t>(pool.threads()), mine = static_cast<size_t>(part);
    const Arena scratch = allocate(kBlock);
    for (size_t i = blocks * mine / threads; i < blocks * (mine + 1) / threads; ++i) {
      file.read(i * kBlock, {scratch.get(), kBlock});
      for (size_t at = 0; at < share; at += 4096) packed[i * share + at] = std::byte{1};
    }
  });
}

// A tensor of numbers for every input of a plan.
Tensors inputs_of(const Plan& plan) {
  Tensors in;
  for (const auto& [name, id] : plan.inputs) {
    const Shape& shape = plan.values[static_cast<size_t>(id)].shape;
    in[name] = {shape, numbers(shape.size(), static_cast<unsigned>(in.size()) + 1)};
  }
  return in;
}

void run_plan(Network& network, const std::string& name, const RecordRequest& request) {
  network.run(name, inputs_of(network.plan(name, request)), request.numbers, {}, StopFlag{});
}

}  // namespace

void run_row(Bench& b, const std::string& level, int threads) {
  const std::string name = "load, two steps, decode sd15 512";
  if (!b.wants(name) || b.on_request()) return;
  const std::shared_ptr<Device> device = cpu_device(level, threads);
  const Parts parts = sd15_parts(device->backend.fastest);
  const WeightFile file(tensors_of(parts));
  std::map<std::string, std::unique_ptr<Network>> networks;
  reset_memory_peak();
  Row row;
  row.name = name;
  row.seconds = seconds_of([&] {
    const TensorSource source = open_weights(file.path());
    for (const auto& [prefix, plans] : parts)
      networks[prefix] = std::make_unique<Network>(device, plans, within(source, prefix), LoadOptions{});
    const RecordRequest step = sd15_step(/*batch=*/2);
    for (int i = 0; i < 2; ++i) run_plan(*networks["unet."], "step", step);
    run_plan(*networks["vae."], "decode", {{{"z", {1, 64, 64, 4}}}, {}, {}});
  });
  row.bytes_peak = memory_peak();
  for (const auto& [prefix, network] : networks) row.bytes_planned += static_cast<double>(network->store().bytes());
  b.report(row);
}

void load_rows(Bench& b, const std::string& level, int threads) {
  const std::string name = "load sd15 f16";
  if (!b.wants(name)) return;
  const std::shared_ptr<Device> device = cpu_device(level, threads);
  const Parts parts = sd15_parts(device->backend.fastest);
  const WeightFile file(tensors_of(parts));
  std::vector<std::unique_ptr<Network>> networks;
  const auto load = [&] {
    networks.clear();
    const TensorSource source = open_weights(file.path());
    for (const auto& [prefix, plans] : parts)
      networks.push_back(std::make_unique<Network>(device, plans, within(source, prefix), LoadOptions{}));
  };
  reset_memory_peak();
  load();
  size_t packed = 0;
  for (const auto& network : networks) packed += network->store().bytes();
  const double peak = memory_peak();
  Row row = b.measure(name, static_cast<double>(file.data_bytes()), load, [&] {
    networks.clear();
    read_and_clear(b.pool(), file, packed);
  });
  row.bytes_planned = static_cast<double>(packed);
  row.bytes_peak = peak;
  b.report(row);
}

}  // namespace ipa::bench
