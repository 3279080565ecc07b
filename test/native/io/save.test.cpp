// Written files: every number rounded once, what cannot be held is named, no file is left by halves.
#include "io/save_safetensors.h"

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "io/output_file.h"
#include "io/safetensors.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::string place() {
  static int number = 0;
  const auto folder = std::filesystem::temp_directory_path();
  return (folder / ("ipa-save-" + std::to_string(getpid()) + "-" + std::to_string(number++))).string();
}

template <typename T>
TensorSource of(DType dtype, std::vector<T> values, const std::string& name = "t") {
  TensorSource source;
  source.label = "made";
  source.index[name] = {dtype, {static_cast<int64_t>(values.size())}};
  source.read = [values](const std::string&, uint64_t first, std::span<std::byte> out) {
    std::memcpy(out.data(), reinterpret_cast<const std::byte*>(values.data()) + first, out.size());
  };
  return source;
}

std::vector<float> written(const TensorSource& source, DType dtype) {
  const std::string path = place();
  SaveOptions options;
  options.dtype = dtype;
  save_safetensors(path, std::span(&source, 1), options);
  const TensorSource read = open_safetensors(path);
  std::filesystem::remove(path);
  const TensorInfo& info = read.index.at("t");
  EXPECT(info.dtype == dtype);
  std::vector<std::byte> raw(static_cast<size_t>(product(info.dims)) * dtype_size(dtype));
  read.read("t", 0, raw);
  std::vector<float> values(static_cast<size_t>(product(info.dims)));
  to_f32(dtype, raw.data(), values.data(), values.size());
  return values;
}

}  // namespace

TEST("written numbers are rounded once, from f64 too") {
  EXPECT_EQ(written(of<float>(DType::f32, {1, -2.5f, 0x1.001p0f, 65504}), DType::f16),
            (std::vector<float>{1, -2.5f, 1, 65504}));
  EXPECT_EQ(written(of<float>(DType::f32, {0x1.01p0f, -0x1.03p0f}), DType::bf16), (std::vector<float>{1, -0x1.04p0f}));
  // A little above the middle of two f16 numbers: through f32 it would be the middle, and go down to the even one.
  const std::vector<double> near = {1 + 0x1p-11 + 0x1p-40, -(1 + 0x1p-11 + 0x1p-40), 1 + 0x1p-11, 0.5};
  EXPECT_EQ(written(of<double>(DType::f64, near), DType::f16),
            (std::vector<float>{1 + 0x1p-10f, -(1 + 0x1p-10f), 1, 0.5f}));
  EXPECT_EQ(written(of<double>(DType::f64, near), DType::f32),
            (std::vector<float>{1 + 0x1p-11f, -(1 + 0x1p-11f), 1 + 0x1p-11f, 0.5f}));
}

TEST("a number that the type cannot hold is named, and no file stays") {
  const std::string path = place();
  const auto save = [&](float value, DType dtype, bool allow) {
    const TensorSource source = of<float>(DType::f32, {0, value}, "layer.weight");
    SaveOptions options;
    options.dtype = dtype, options.allow_nonfinite = allow;
    save_safetensors(path, std::span(&source, 1), options);
  };
  EXPECT_CODE(save(65520, DType::f16, true), Code::TENSOR_DTYPE);
  EXPECT(!std::filesystem::exists(path));
  EXPECT_CODE(save(std::numeric_limits<float>::max(), DType::bf16, false), Code::TENSOR_DTYPE);
  EXPECT_CODE(save(NAN, DType::f32, false), Code::TENSOR_NONFINITE);
  EXPECT_CODE(save(INFINITY, DType::f16, false), Code::TENSOR_NONFINITE);
  EXPECT(!std::filesystem::exists(path));
  save(65519, DType::f16, false);  // rounds to 65504
  EXPECT_CODE(save(1, DType::f16, false), Code::OUTPUT_EXISTS);
  EXPECT(std::filesystem::exists(path));
  std::filesystem::remove(path);
  save(NAN, DType::f16, true);
  std::filesystem::remove(path);
}

TEST("names and metadata with special characters, empty and scalar tensors are read as they were written") {
  std::vector<TensorSource> sources = {of<float>(DType::f32, {}, "a \"quoted\" \\ name\n\x01"),
                                       of<float>(DType::f32, {7}, "scalar")};
  sources[1].index["scalar"].dims = {};
  const std::string path = place();
  SaveOptions options;
  options.metadata = {{"format", "pt"}, {"note", "tab\there, ünïcode"}};
  uint64_t bytes = 0;
  options.written = [&](uint64_t more) { bytes += more; };
  save_safetensors(path, sources, options);
  EXPECT_EQ(bytes, saved_bytes(sources, DType::f16));
  const TensorSource read = open_safetensors(path);
  std::filesystem::remove(path);
  EXPECT(read.metadata == options.metadata);
  EXPECT(read.index.contains("a \"quoted\" \\ name\n\x01"));
  EXPECT(read.index.at("scalar").dims.empty());
}

TEST("a write that is stopped, or has no room, leaves nothing") {
  const std::string path = place();
  const TensorSource source = of<float>(DType::f32, {1, 2});
  StopFlag stop;
  stop.raise();
  SaveOptions options;
  options.stop = &stop;
  EXPECT_CODE(save_safetensors(path, std::span(&source, 1), options), Code::ABORTED);
  EXPECT(!std::filesystem::exists(path));
  EXPECT_CODE(OutputFile("/nowhere/at/all"), Code::OUTPUT_IO);
}
