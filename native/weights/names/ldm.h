#pragma once
// Single-file checkpoints: names of the original code (CompVis for SD1.5, Stability's generative-models for SDXL;
// "LDM")
// -> diffusers names, per component. How many blocks and layers there are is read from the names, so that a model of
// any size loads.
//
// Each ldm_* function also takes a file that holds nothing but its component, with or without the prefix, and one that
// has diffusers' names already. Names that belong to the component but to no module known here stay as they are in the
// result, so that whoever compares the index with the wants sees them; names of other components are gone.
#include <string>
#include <vector>

#include "core/tensor_index.h"
#include "weights/names/module_map.h"

namespace ipa {

enum class Component { unet, vae, text, text2, controlnet };

// Whether the file has the component, in any dialect known here. The index of without_nesting(), see io/open.h.
bool holds(const TensorIndex& index, Component component);

// TENSOR_MISSING when the file does not hold the component.
TensorSource ldm_unet(TensorSource source);
TensorSource ldm_vae(TensorSource source);
TensorSource ldm_text(TensorSource source, int encoder);  // 0: CLIP-L, 1: bigG of SDXL
TensorSource ldm_controlnet(TensorSource source);

// The way back, by the same tables: a component in diffusers' names as a single file of SD1.5 or SDXL has it, with its
// prefix. Not of a ControlNet.
TensorSource as_ldm(TensorSource source, Component component, bool sdxl);

// Modules of a network under both names; `index` may be in either dialect, without a prefix. Also of a ControlNet.
std::vector<ModuleName> unet_modules(const TensorIndex& index);
std::vector<ModuleName> vae_modules(const TensorIndex& index);

}  // namespace ipa
