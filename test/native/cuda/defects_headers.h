// What every case includes, compiled once for all planted defects (test/cuda-defects.test.ts).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/error.h"
#include "core/threads.h"
#include "cuda/device/device.h"
#include "cuda/emulator/launch.h"
