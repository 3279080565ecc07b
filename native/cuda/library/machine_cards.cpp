#include "cuda/driver/failure.h"
#include "cuda/driver/library.h"
#include "cuda/library/machine.h"

namespace ipa::cuda {

Machine machine(int) {
  const std::variant<driver::Table, driver::Unavailable> opened = driver::open_library();
  if (const auto* const why = std::get_if<driver::Unavailable>(&opened)) throw driver::error_of(*why);
  const auto& table = std::get<driver::Table>(opened);
  int count = 0;
  if (const driver::Result result = table.device_count(&count))
    throw driver::failure_of(table, {"cuDeviceGetCount", ""}, result);
  return {table, driver::images(), 0, count, nullptr};
}

}  // namespace ipa::cuda
