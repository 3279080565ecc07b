#pragma once
// The one header of device code. Every wrapper has two bodies: the instruction where nvcc compiles for a card, a call
// of the emulator elsewhere. Kernels contain no PTX, no CUDA built-in and no #if.
#include "cuda/device/copy.h"
#include "cuda/device/functions.h"
#include "cuda/device/lanes.h"
#include "cuda/device/math.h"
#include "cuda/device/matrix.h"
#include "cuda/device/memory.h"
#include "cuda/device/place.h"
#include "cuda/device/types.h"
#include "cuda/device/wide.h"
