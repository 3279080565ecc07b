// Group norms: whose moments they read, and how they are spread over blocks.
#include <algorithm>
#include <numeric>

#include "cuda/backend/lowering.h"
#include "cuda/kernels/group_norm.h"

namespace ipa::cuda {

namespace {

constexpr int64_t kStatisticsPixels = 64;    // of a block, at most
constexpr int64_t kBlockNumbers = 32 * 320;  // of a block that normalises, about
constexpr int64_t kBlockChannels = 32;       // the same: a cache line of f32, at least

}  // namespace

// A tensor that a norm reads and its moments, which whoever made it left or a launch of their own counts in units of
// `unit` channels.
GroupNormSource Lowering::norm_source(ValueId id, int64_t unit) {
  const Shape& x = shape(id);
  const FusedProduct* const made = fusion_.product(root(plan_, id));
  if (made && made->moments != kNone && unit % 2 == 0) {
    const int64_t rows = made->moment_rows;
    return {as<const float>(id), as<const GroupMoments>(made->moments), number(x.c), 2,
            number(rows),        number((x.tokens() + rows - 1) / rows)};
  }
  const int64_t slab = std::min(x.tokens(), kStatisticsPixels), slabs = (x.tokens() + slab - 1) / slab;
  GroupMoments* const parts =
      pointer<GroupMoments>(scratch(static_cast<size_t>(x.n * slabs * (x.c / unit)) * sizeof(GroupMoments)));
  const float* const from = f32(id);
  count_moments(x, from, parts, unit, slab);
  return {from, parts, number(x.c), number(unit), number(slab), number(slabs)};
}

// Of slabs of so many pixels and units of so many channels.
void Lowering::count_moments(const Shape& x, const float* from, GroupMoments* parts, int64_t unit, int64_t slab) {
  if (x.c > kGroupNormChannels)
    fail(Code::DEVICE_UNSUPPORTED,
         node_->path + ": a group norm over " + std::to_string(x.c) + " channels; the kernel takes " +
             std::to_string(kGroupNormChannels),
         "run this network on the CPU", {{"stage", node_->path}});
  const int64_t slabs = (x.tokens() + slab - 1) / slab;
  launch("group_statistics_f32", {static_cast<uint32_t>(slabs), static_cast<uint32_t>(x.n)},
         GroupStatisticsArguments{from, parts, number(x.tokens()), number(x.c), number(unit), number(slab),
                                  number(slabs)});
}

void Lowering::lower(const Moments& op) {
  const Shape& x = shape(op.x);
  count_moments(x, f32(op.x), as<GroupMoments>(node_->output), x.c / op.groups, x.w);
}

void Lowering::lower(const GroupNorm& op) {
  const Shape& x = shape(op.x);
  if (op.groups > kGroupNormGroups)
    fail(Code::DEVICE_UNSUPPORTED,
         node_->path + ": a norm of " + std::to_string(op.groups) + " groups; the kernel takes " +
             std::to_string(kGroupNormGroups),
         "run this network on the CPU", {{"stage", node_->path}});
  const int64_t width = x.c / op.groups;
  GroupNormArguments a{};
  int64_t wide = x.c % 4 == 0 ? 4 : 1, counted = x.tokens();
  if (op.moments != kNone) {
    const int64_t rows = shape(op.moments).h;
    a.first = {f32(op.x), as<const GroupMoments>(op.moments), number(x.c), number(width), number(x.w), number(rows)};
    counted = rows * x.w;
  } else if (const auto joined = fusion_.sources.find(op.x); joined != fusion_.sources.end()) {
    const ValueId first = joined->second[0], second = joined->second[1];
    const int64_t seam = shape(first).c, unit = std::gcd(width, seam);
    a.first = norm_source(first, unit), a.second = norm_source(second, unit);
    if (seam % 4 != 0) wide = 1;
  } else {
    a.first = norm_source(op.x, width);
  }
  int64_t groups = 1;  // of a block
  while (groups < op.groups && (groups * width < kBlockChannels || groups * width % wide != 0)) ++groups;
  const int64_t pixels = std::clamp<int64_t>(kBlockNumbers / (groups * width), 1, x.tokens());
  a.gamma = weight<float>(op.weight), a.beta = weight<float>(op.bias);
  a.y = as<void>(node_->output);
  if (const auto copy = fusion_.operands.find(op.x); copy != fusion_.operands.end() && copy->second.norm == node_)
    a.raw = as<void>(copy->second.area);
  a.pixels = number(x.tokens()), a.counted = number(counted), a.channels = number(x.c), a.groups = op.groups;
  a.block_pixels = number(pixels), a.block_groups = number(groups);
  a.epsilon = op.eps, a.silu = op.function == Function::silu;
  launch(std::string("group_norm_") + out() + "_x" + std::to_string(wide),
         {static_cast<uint32_t>((x.tokens() + pixels - 1) / pixels), static_cast<uint32_t>(x.n),
          static_cast<uint32_t>((op.groups + groups - 1) / groups)},
         a);
}

}  // namespace ipa::cuda
