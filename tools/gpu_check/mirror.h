#pragma once
// Runs the cases of the kernels' tests (test/native/cuda/*_cases.h) on a device. They hand their arguments to the
// emulator with the addresses of their own tensors; here each of those tensors, zones and all, is copied to the device,
// the arguments are given its address there, and everything is copied back after the launch.
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/emulator/launch.h"

namespace ipa::gpu_check {

class Mirror {
 public:
  // `damage`: the kernel of that name gives one wrong number.
  Mirror(driver::Device& device, std::string damage);
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  // Kernels that were launched, by name.
  const std::set<std::string>& launched() const { return launched_; }

 private:
  void run(const cuda::emulator::Launch& launch, const void* function, const void* arguments, size_t bytes);

  driver::Device& device_;
  std::string damage_;
  std::map<const void*, const driver::KernelRow*> rows_;
  std::set<std::string> launched_;
  cuda::emulator::Instead instead_;
};

}  // namespace ipa::gpu_check
