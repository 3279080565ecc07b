#pragma once
// Where the devices of a library come from: machine_cards.cpp or machine_emulated.cpp, one of which is linked.
#include <memory>
#include <span>

#include "cuda/driver/images.h"
#include "cuda/driver/table.h"

namespace ipa::cuda {

// A started driver and its devices, for as long as this is there.
struct Machine {
  driver::Table table;
  std::span<const driver::Image> images;
  int first, count;             // ordinals
  std::shared_ptr<void> holds;  // what it stands on
};

// Throws DEVICE_NONE, DRIVER_TOO_OLD or DEVICE_UNSUPPORTED.
Machine machine(int threads);

}  // namespace ipa::cuda
