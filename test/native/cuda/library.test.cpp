// The driver's library: each way of not being usable has its kind, its text and its hint.
#include "cuda/driver/library.h"

#include <string>

#include "test.h"

namespace ipa::cuda::driver {
namespace {

using Kind = Unavailable::Kind;

std::string path_of(const std::string& name) { return std::string(IPA_FAKE_DRIVERS) + "/lib" + name + ".so"; }

void expect_unavailable(const std::variant<Table, Unavailable>& opened, Kind kind, Code code, const std::string& text,
                        const std::string& hint) {
  const auto* const why = std::get_if<Unavailable>(&opened);
  if (!why) return test::failed(__FILE__, __LINE__, "a driver that should not be usable is: " + text);
  EXPECT(why->kind == kind);
  if (why->text.find(text) == std::string::npos) test::failed(__FILE__, __LINE__, why->text + " lacks " + text);
  if (why->hint.find(hint) == std::string::npos) test::failed(__FILE__, __LINE__, why->hint + " lacks " + hint);
  const Error error = error_of(*why);
  EXPECT_EQ(std::string(code_text(error.code)), code_text(code));
  EXPECT_EQ(std::string(error.what()), why->text);
  EXPECT_EQ(error.hint, why->hint);
}

TEST("cuda library: none there") {
  expect_unavailable(open_library(path_of("nowhere").c_str()), Kind::no_library, Code::DEVICE_NONE, "no NVIDIA driver",
                     "580");
}

TEST("cuda library: no library at all, the file is text") {
  expect_unavailable(open_library(__FILE__), Kind::no_library, Code::DEVICE_NONE, "no NVIDIA driver", "580");
}

TEST("cuda library: a function is missing") {
  expect_unavailable(open_library(path_of("missing").c_str()), Kind::missing_symbol, Code::DRIVER_TOO_OLD,
                     "lacks the function cuGraphLaunch", "580");
}

TEST("cuda library: too old, which is said rather than what it lacks") {
  expect_unavailable(open_library(path_of("old").c_str()), Kind::driver_too_old, Code::DRIVER_TOO_OLD,
                     "offers CUDA 12.8, our kernels need CUDA 13.0 (driver 580)", "580");
}

TEST("cuda library: no device, by count and by init") {
  for (const char* const name : {"none", "noinit"})
    expect_unavailable(open_library(path_of(name).c_str()), Kind::no_device, Code::DEVICE_NONE, "finds no device",
                       "CUDA_VISIBLE_DEVICES");
}

TEST("cuda library: init fails") {
  expect_unavailable(open_library(path_of("broken").c_str()), Kind::init_failed, Code::DEVICE_NONE,
                     "cuInit failed: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)", "restart");
}

TEST("cuda library: a card too old, and a number too high") {
  const auto opened = open_library(path_of("pascal").c_str());
  const auto* const table = std::get_if<Table>(&opened);
  if (!table) return test::failed(__FILE__, __LINE__, std::get<Unavailable>(opened).text);
  const auto card = usable_device(*table, 0);
  const auto* const why = std::get_if<Unavailable>(&card);
  EXPECT(why && why->kind == Kind::capability_too_low);
  if (why) {
    EXPECT_EQ(why->text, "device \"fake card\" has compute capability 6.1, our kernels need 7.5 (Turing) or newer");
    EXPECT(error_of(*why).code == Code::DEVICE_UNSUPPORTED);
  }
  for (const int ordinal : {-1, 1}) {
    const auto none = usable_device(*table, ordinal);
    const auto* const no = std::get_if<Unavailable>(&none);
    EXPECT(no && no->kind == Kind::no_device && error_of(*no).code == Code::DEVICE_NONE);
  }
}

TEST("cuda library: a good one fills the table") {
  const auto opened = open_library(path_of("good").c_str());
  const auto* const table = std::get_if<Table>(&opened);
  if (!table) return test::failed(__FILE__, __LINE__, std::get<Unavailable>(opened).text);
#define IPA_X(name, symbol, parameters) EXPECT(table->name != nullptr);
  IPA_DRIVER_FUNCTIONS(IPA_X)
#undef IPA_X
  EXPECT(std::holds_alternative<DeviceNumber>(usable_device(*table, 0)));
}

}  // namespace
}  // namespace ipa::cuda::driver
