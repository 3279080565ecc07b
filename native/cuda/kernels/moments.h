#pragma once
// Mean and squared deviations of numbers that are seen part by part. Who makes a value that a group norm reads leaves
// them of its parts (result.h), or group_statistics does (group_norm.h); group_norm brings them together.
#include "cuda/device/device.h"

namespace ipa::cuda {

struct alignas(8) GroupMoments {
  float mean, squares;  // squares: the sum of squared deviations from the mean
};

// Adds what is known of `count` numbers to what is known of `before` others; not both are 0.
IPA_DEVICE void merge(GroupMoments& into, int before, float mean, float squares, int count) {
  const float share = static_cast<float>(count) / static_cast<float>(before + count), difference = mean - into.mean;
  into.mean += difference * share;
  into.squares += squares + difference * difference * share * static_cast<float>(before);
}

}  // namespace ipa::cuda
