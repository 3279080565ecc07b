#pragma once
// The driver of this machine. It may be missing, too old or without a card: that is an answer, not an error.
#include <optional>
#include <string>
#include <variant>

#include "core/error.h"
#include "cuda/driver/table.h"

namespace ipa::cuda::driver {

// Kernels come from toolkit 13.0, whose images driver 580 and later load (its interface calls itself 13000).
constexpr int kLeastDriver = 13000;
constexpr int kLeastCapability = 75;  // 7.5, Turing: the oldest that has our matrix instructions

// Why no device can be used.
struct Unavailable {
  enum class Kind { no_library, driver_too_old, missing_symbol, init_failed, no_device, capability_too_low };
  Kind kind;
  std::string text, hint;
};
// DEVICE_NONE, DRIVER_TOO_OLD or DEVICE_UNSUPPORTED.
Error error_of(const Unavailable& why);

// The table of the driver at `path` (null: the system's), started. A library that can be used stays open for good,
// since it runs threads of its own.
std::variant<Table, Unavailable> open_library(const char* path = nullptr);

// For any table: initialises it and counts its devices.
std::optional<Unavailable> start(const Table& table);
// Device `ordinal` of a started table, if it can run our kernels.
std::variant<DeviceNumber, Unavailable> usable_device(const Table& table, int ordinal);

}  // namespace ipa::cuda::driver
