// LoRA files merged into the layers they touch.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "golden/compare.h"
#include "golden/kinds.h"
#include "io/open.h"
#include "weights/lora.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenModel;

// Weights that the case lists, in a store of their own.
std::unique_ptr<Store> store_of(Level& level, const GoldenModel& model, const std::set<std::string>& paths) {
  std::vector<WeightWant> wants;
  for (const std::string& path : paths) {
    WeightWant want;
    want.path = path;
    want.dims = model.index.at(path).dims;
    wants.push_back(std::move(want));
  }
  return std::make_unique<Store>(level.machine.backend, level.machine.pool, wants, weights(model));
}

void check_lora(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  // A network the case names beside `weights` takes the place of that one.
  const GoldenModel unet(g.info.has("unet") ? g.info["unet"].string : g.info["weights"]["unet"].string);
  std::unique_ptr<GoldenModel> text;
  std::vector<LoraNetwork> networks = {{LoraPart::unet, unet.index}};
  if (g.info.has("text")) {
    text = std::make_unique<GoldenModel>(g.info["text"].string);
    networks.push_back({LoraPart::text, text->index});
  }
  std::vector<std::string> files;
  if (g.info.has("files"))
    for (const test::Json& file : g.info["files"].array) files.push_back(file.string);
  else
    files.push_back(g.info["file"].string);
  const test::Json& strength = g.info["strength"];
  std::vector<Lora> loras;
  std::vector<ActiveLora> active;
  loras.reserve(files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    loras.push_back(open_lora(open_weights(data_file(name, files[i])), networks));
    const double given = strength.kind == test::Json::Kind::array ? strength[i].number : strength.number;
    active.push_back({&loras.back(), static_cast<float>(given)});
    for (const std::string& module : loras.back().unmatched) verdict.fault(files[i] + ": no network has " + module);
  }
  std::set<std::string> paths[2];
  for (const auto& [key, tensor] : g.tensors)
    if (key.starts_with("out/")) paths[unet.index.contains(key.substr(4)) ? 0 : 1].insert(key.substr(4));
  for (const int part : {0, 1}) {
    if (paths[part].empty()) continue;
    if (part == 1 && !text) return verdict.fault("the UNet has no " + *paths[part].begin());
    const std::unique_ptr<Store> store = store_of(level, part == 0 ? unet : *text, paths[part]);
    for (const std::string& path : paths[part]) {
      const std::vector<float> merged =
          merged_weight(*store, part == 0 ? LoraPart::unet : LoraPart::text, path, active);
      const std::vector<float> want = g["out/" + path].f32();  // as the file has it: no order to turn
      verdict.close("out/" + path, merged, want, g.tolerance() * test::rms(want));
    }
  }
}

}  // namespace

void add_loras(Kinds& kinds) { kinds["lora"] = {check_lora, /*per_level=*/false}; }

}  // namespace ipa::golden
