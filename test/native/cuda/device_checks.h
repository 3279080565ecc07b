#pragma once
// What tests over the emulated device share.
#include <cstddef>
#include <string>
#include <vector>

#include "cuda/driver/device.h"
#include "cuda/driver/emulated.h"
#include "test.h"

namespace ipa::cuda::driver {

inline Device device_of(const EmulatedDevice& card) { return {emulated_table(), card.ordinal()}; }

template <typename F>
Error thrown(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  return {Code::CLOSED, "no error", ""};
}

inline std::string detail(const Error& error, const std::string& name) {
  for (const auto& [key, text] : error.details)
    if (key == name) return text;
  return "(none)";
}

inline void expect_text(const Error& error, Code code, const std::string& text) {
  EXPECT_EQ(std::string(code_text(error.code)), code_text(code));
  if (std::string(error.what()).find(text) == std::string::npos)
    test::failed(__FILE__, __LINE__, std::string(error.what()) + " lacks " + text);
  EXPECT(!error.hint.empty() && std::string(error.what()).size() + error.hint.size() <= 600);
}

inline void expect_clean(const EmulatedDevice& card) {
  EXPECT_EQ(card.live_bytes(), size_t{0});
  for (const std::string& text : card.complaints()) test::failed(__FILE__, __LINE__, text);
}

inline std::vector<std::byte> bytes_of(Device& device, const Memory& memory) {
  std::vector<std::byte> bytes(memory.bytes());
  device.download(bytes.data(), memory.at(), bytes.size());
  return bytes;
}

}  // namespace ipa::cuda::driver
