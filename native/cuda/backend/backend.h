#pragma once
// A card (or the emulated one) as a backend of plan/backend.h. Values that products and attention alone read lie there
// as 16 bits, all others as f32; weights are packed by the host and brought over once.
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "cuda/driver/device.h"
#include "plan/backend.h"

namespace ipa::cuda {

// Outlives its Backend, every Buffer and every Program of it.
struct Card {
  Card(driver::Device& its_device, std::string its_name)
      : device(its_device), name(std::move(its_name)), flag(its_device.allocate(sizeof(uint32_t), "a flag")) {}
  driver::Device& device;
  std::string name;                          // "cuda:0"
  driver::Memory flag;                       // of what is looked at for NaN and Inf
  std::mutex mutex;                          // of weights that several threads pack
  bool graphs = true;                        // else programs run launch by launch
  std::optional<driver::CopyStream> copies;  // of streamed weights, made with the first
  double upload_rate = 0;                    // bytes a second, once measured
};

Backend make_backend(Card& card);

}  // namespace ipa::cuda
