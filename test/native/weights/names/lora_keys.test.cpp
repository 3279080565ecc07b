#include "weights/names/lora_keys.h"

#include <algorithm>

#include "models/golden_model.h"
#include "test.h"
#include "weights/names/ldm.h"

namespace {

using namespace ipa;
using namespace ipa::test;

}  // namespace

TEST("every layer of a UNet is found under its own name and the original's, norms too") {
  for (const char* prefix : {"unet15", "unetxl", "true-unet15", "true-unetxl"}) {
    const GoldenModel unet(prefix);
    LoraDictionary names;
    add_kohya_names(names, LoraPart::unet, unet.index);
    add_peft_names(names, LoraPart::unet, unet.index);
    const ModuleMap to_ldm(unet_modules(unet.index), ModuleMap::To::foreign);
    size_t layers = 0;
    for (const auto& [name, info] : unet.index) {
      if (!name.ends_with(".weight")) continue;
      ++layers;
      const std::string path = name.substr(0, name.size() - 7), ldm = to_ldm(path);
      EXPECT(!ldm.empty());
      for (std::string kohya : {path, ldm}) {
        std::replace(kohya.begin(), kohya.end(), '.', '_');
        for (const std::string& spelled : {"lora_unet_" + kohya, "unet." + path, "diffusion_model." + ldm}) {
          const auto at = names.find(spelled);
          EXPECT(at != names.end() && at->second.path == name);
        }
      }
    }
    EXPECT(layers > 100);
  }
}

TEST("what a tensor is to its module follows from its ending, in every dialect") {
  const auto key = [](const std::string& name) {
    const auto k = parse_lora_key(name);
    return k ? k->module + " " + factor_text(k->factor) + k->form : "";
  };
  EXPECT_EQ(key("m.lora_up.weight"), "m up");
  EXPECT_EQ(key("m.lora_A.style.weight"), "m down");
  EXPECT_EQ(key("m.lora_B.style.bias"), "m lora_B.bias");
  for (const char* spelled : {"m.lora_magnitude_vector", "m.lora_magnitude_vector.weight",
                              "m.lora_magnitude_vector.style", "m.lora_magnitude_vector.style.weight"})
    EXPECT_EQ(key(spelled), "m lora_magnitude_vector");
  for (const char* ending :
       {"hada_w1_a", "hada_w1_b", "hada_t1", "hada_w2_a", "hada_w2_b", "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b",
        "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "dora_scale", "diff", "diff_b", "alpha"})
    EXPECT_EQ(key(std::string("m.") + ending), std::string("m ") + ending);
  EXPECT_EQ(key("m.w_norm"), "m diff");
  EXPECT_EQ(key("m.b_norm"), "m diff_b");
  EXPECT_EQ(key("m.oft_blocks"), "m OFT");
  EXPECT_EQ(key("m.lokr_t1"), "m LoKr");
  EXPECT_EQ(key("m.weight"), "");
}
