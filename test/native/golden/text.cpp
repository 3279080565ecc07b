// Weights of a prompt's tokens put to the encoder's states.
#include <string>
#include <vector>

#include "golden/compare.h"
#include "golden/kinds.h"
#include "runtime/prompt.h"

namespace ipa::golden {

namespace {

using test::Golden;

void check_emphasis(Level&, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const std::vector<float> weights = g["in/weights"].f32(), states = g["in/z"].f32(), empty = g["in/empty"].f32();
  test::Tensors got;
  emphasise(got["original"] = states, weights, Emphasis::original);
  emphasise(got["no-norm"] = states, weights, Emphasis::no_norm);
  emphasise_from(got["comfy"] = states, weights, empty);
  compare(verdict, g, got);
}

}  // namespace

void add_text(Kinds& kinds) { kinds["text/emphasis"] = {check_emphasis, /*per_level=*/false}; }

}  // namespace ipa::golden
