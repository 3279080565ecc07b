#pragma once
// Modules under two names. What follows a module's name (".weight", ".bias", deeper modules) is the same in both.
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ipa {

struct ModuleName {
  std::string diffusers, foreign;  // "down_blocks.0.resnets.1.conv1", "input_blocks.2.0.in_layers.2"
};

class ModuleMap {
 public:
  enum class To { diffusers, foreign };
  ModuleMap(const std::vector<ModuleName>& modules, To to) {
    for (const ModuleName& m : modules)
      to == To::diffusers ? map_.emplace(m.foreign, m.diffusers) : map_.emplace(m.diffusers, m.foreign);
  }

  // The name of a tensor or module in the other dialect; the longest known module counts. "" when none is known.
  std::string operator()(std::string_view name) const {
    for (size_t end = name.size(); end != std::string_view::npos && end > 0; end = name.rfind('.', end - 1))
      if (const auto at = map_.find(name.substr(0, end)); at != map_.end())
        return at->second + std::string(name.substr(end));
    return "";
  }

 private:
  std::map<std::string, std::string, std::less<>> map_;
};

}  // namespace ipa
