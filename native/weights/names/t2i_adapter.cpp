#include "weights/names/t2i_adapter.h"

#include <string>
#include <vector>

#include "weights/names/module_map.h"
#include "weights/rename.h"

namespace ipa {

// The full form counts all blocks in one row, two per level; in_conv is the first one's of a level. The light form has
// levels, whose blocks it calls `body`.
// source: TencentARC/T2I-Adapter, adapter.py; diffusers convert_original_t2i_adapter.py
TensorSource t2i_adapter_names(TensorSource source) {
  if (has_prefix(source.index, "adapter.")) return source;
  constexpr int kBlocksPerLevel = 2;
  const bool light = !has_prefix(source.index, "conv_in.");
  std::vector<ModuleName> modules = {{"adapter.conv_in", "conv_in"}};
  const int parts = count_prefixes(source.index, "body.");
  for (int k = 0; k < parts; ++k) {
    const std::string part = numbered("body.", k);
    const std::string level = numbered("adapter.body.", light ? k : k / kBlocksPerLevel);
    modules.push_back({level + ".in_conv", part + ".in_conv"});
    if (!light) {
      const std::string block = numbered(level + ".resnets.", k % kBlocksPerLevel);
      for (const char* end : {".block1", ".block2"}) modules.push_back({block + end, part + end});
      continue;
    }
    modules.push_back({level + ".out_conv", part + ".out_conv"});
    for (int j = 0; has_prefix(source.index, numbered(part + ".body.", j, ".")); ++j)
      modules.push_back({numbered(level + ".resnets.", j), numbered(part + ".body.", j)});
  }
  const ModuleMap map(modules, ModuleMap::To::diffusers);
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    std::string to = map(name);
    renames.push_back({to.empty() ? name : std::move(to), name});
  }
  return renamed(std::move(source), renames);
}

}  // namespace ipa
