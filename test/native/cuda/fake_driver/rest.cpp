// Every function of a driver, weak, so that those of answers.cpp take their places.
#include "cuda/driver/table.h"

#if defined(IPA_FAKE_MISSING)
#define cuGraphLaunch cuGraphLaunchOfLater
#endif

using namespace ipa::cuda::driver;

// The names of parameters are there for readers of the table.
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define IPA_X(name, symbol, parameters) \
  extern "C" __attribute__((weak)) Result symbol parameters { return kNotSupported; }
IPA_DRIVER_FUNCTIONS(IPA_X)
