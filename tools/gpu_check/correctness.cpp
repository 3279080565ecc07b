// Every kernel instance at the emulator's shapes: three runs each, outputs poisoned, the same bits, against f64.
#include <cstdio>
#include <set>

#include "check.h"
#include "instances.h"
#include "mirror.h"

namespace ipa::gpu_check {

namespace {

std::vector<Instance> all_instances() {
  std::vector<Instance> all;
  for (const auto some :
       {product_instances, convolution_instances, attention_instances, element_instances, row_instances})
    all.insert(all.end(), some().begin(), some().end());
  return all;
}

// "product<Half, float, Tile64x64>" is of the function product.
std::string function_of(const Instance& instance) {
  const std::string text = instance.function;
  return text.substr(0, text.find('<'));
}

bool runs_here(driver::Device& device, const Instance& instance, Report& report) {
  try {
    device.kernel(instance.name);
    return true;
  } catch (const Error& e) {
    if (e.code != Code::DEVICE_UNSUPPORTED) throw;
    report.notes.push_back(e.what());
    return false;
  }
}

}  // namespace

void check_kernels(Card& card, ThreadPool& pool, const Options& options, Report& report) {
  const uint64_t seed = cuda::fresh_seed();
  std::set<std::string> listed, functions, missing;
  const std::vector<Instance> all = all_instances();
  Mirror mirror(card.device, options.damage);
  const auto started = report.failures.size();
  size_t checked = 0, here = 0;
  for (const Instance& instance : all) {
    listed.insert(instance.name);
    // On the emulator one instance of each function: its own tests run the others.
    const bool chosen = options.only.empty() ? !card.emulated || functions.insert(function_of(instance)).second
                                             : options.wants(instance.name) || options.wants("kernels");
    if (!chosen || !runs_here(card.device, instance, report)) continue;
    ++here;
    cuda::Failures failures;
    try {
      instance.cases(seed, &pool, failures);
    } catch (const Error& e) {
      failures.push_back(std::string(instance.name) + ": " + e.what());
    }
    for (const std::string& text : failures) report.failures.push_back(std::string(instance.name) + ": " + text);
    if (card.device.lost()) return;  // every call says the same from now on
    if (mirror.launched().contains(instance.name))
      ++checked;
    else
      report.failures.push_back(std::string(instance.name) + ": its cases do not launch it");
  }
  for (const driver::KernelRow& row : driver::kernel_rows())
    if (!listed.contains(row.name)) report.failures.push_back(std::string(row.name) + ": no case covers this kernel");
  std::printf("kernels: %zu of %zu instances checked, %zu wrong results (seed %llu)\n", checked, all.size(),
              report.failures.size() - started, static_cast<unsigned long long>(seed));
}

}  // namespace ipa::gpu_check
