#include "models/modules.h"

#include "core/error.h"
#include "models/blocks.h"
#include "models/clip_layer.h"

namespace ipa {

namespace {

struct Inputs {
  Builder& b;
  const ModuleInputs& shapes;

  bool has(std::string_view name) const { return shapes.contains(name); }
  Value operator()(std::string_view name) const {
    const auto at = shapes.find(name);
    if (at == shapes.end())
      fail(Code::OPTION_TYPE, "the module has no input " + quoted(name), "give every input that its description lists");
    return b.input(name, at->second);
  }
};

int number(const ConfigFacts& c, std::string_view key, int otherwise) {
  return static_cast<int>(c.number(key, otherwise));
}

Conditioning from_context(const Inputs& in) {
  Conditioning c;
  c.context = in("context");
  return c;
}

void attention(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const Inputs in{b, shapes};
  const Value x = in("x");
  if (!c.numbers.contains("heads")) {
    b.output("y", vae_attention(b, x, {number(c, "groups", 32), 1e-6f}));
  } else if (in.has("context")) {
    Conditioning conditioning = from_context(in);
    b.output("y", cross_attention(b, x, conditioning, number(c, "heads", 1)));
  } else {
    b.output("y", self_attention(b, x, number(c, "heads", 1)));
  }
}

void feed_forward_module(Builder& b, const ModuleInputs& shapes, const ConfigFacts&) {
  b.output("y", feed_forward(b, Inputs{b, shapes}("x")));
}

void time_mlp(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  b.output("y", embedding_mlp(b, "", Inputs{b, shapes}("x"), number(c, "o", 0)));
}

void resnet(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const Inputs in{b, shapes};
  const int out = number(c, "o", 0);
  Value time;
  if (in.has("temb")) time = b.linear("time_emb_proj", b.silu(in("temb")), out);
  b.output("y",
           resnet_block(b, in("x"), time, out, {number(c, "groups", 32), static_cast<float>(c.number("eps", 1e-5))}));
}

void basic_transformer(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const Inputs in{b, shapes};
  Conditioning conditioning = from_context(in);
  b.output("y", transformer_block(b, in("x"), conditioning, number(c, "heads", 1)));
}

void transformer_2d(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const Inputs in{b, shapes};
  Conditioning conditioning = from_context(in);
  const Transformer t{number(c, "depth", 1), number(c, "heads", 1), c.number("linear", 0) != 0,
                      number(c, "groups", 32)};
  b.output("y", spatial_transformer(b, in("x"), conditioning, t));
}

void downsample_2d(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const Value x = Inputs{b, shapes}("x");
  b.output("y", c.number("asymmetric", 0) != 0 ? downsample_asymmetric(b, "conv", x) : downsample(b, "conv", x));
}

void upsample_2d(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const Value x = Inputs{b, shapes}("x");
  const auto size = c.numbers.find("size");
  const bool given = size != c.numbers.end() && size->second.size() == 2;
  const int64_t h = given ? static_cast<int64_t>(size->second[0]) : 2 * x.shape.h;
  const int64_t w = given ? static_cast<int64_t>(size->second[1]) : 2 * x.shape.w;
  b.output("y", upsample(b, "conv", x, h, w));
}

void clip(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const Value x = Inputs{b, shapes}("x");
  ClipLayer layer{number(c, "heads", 1), number(c, "mlp", 0)};
  layer.activation = c.text("act", "gelu") == "gelu" ? Activation::gelu : Activation::quick_gelu;
  b.output("full", clip_layer(b, x, layer));
  layer.causal = true;
  b.output("causal", clip_layer(b, x, layer));
}

void timesteps(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  b.output("y", b.sinusoid(Inputs{b, shapes}("t"), number(c, "D", 2)));
}

void guidance(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const int width = number(c, "D", 4);
  b.output("y", b.sinusoid(Inputs{b, shapes}("w"), width, true, width / 2 - 1));
}

void group_norm(Builder& b, const ModuleInputs& shapes, const ConfigFacts& c) {
  const Value x = Inputs{b, shapes}("x");
  b.output("eps1e-05", b.group_norm("norm", x, number(c, "groups", 32), 1e-5f));
  b.output("eps1e-06", b.group_norm("norm", x, number(c, "groups", 32), 1e-6f));
}

void layer_norm(Builder& b, const ModuleInputs& shapes, const ConfigFacts&) {
  b.output("y", b.layer_norm("norm", Inputs{b, shapes}("x")));
}

// [N,T,d,heads] -> [N,1,T,heads * d] and back: our heads are contiguous slices of the channels.
void attention_alone(Builder& b, const ModuleInputs& shapes, const ConfigFacts&) {
  const Inputs in{b, shapes};
  const auto joined = [&](std::string_view name) {
    const Value x = in(name);
    const auto [n, t, d, heads] = x.shape;
    return b.rearrange(x, {n, t, heads, d}, {t * d * heads, d * heads, 1, heads}, 0, {n, 1, t, heads * d});
  };
  const Value q = joined("q"), k = joined("k"), v = joined("v");
  const Shape split = shapes.find("q")->second;
  for (const bool causal : {false, true}) {
    const Value y = b.attend(q, k, v, static_cast<int>(split.c), {.factor = 0, .causal = causal});
    const auto [n, t, d, heads] = split;
    b.output(causal ? "causal" : "full", b.rearrange(y, {n, t, d, heads}, {t * heads * d, heads * d, 1, d}, 0, split));
  }
}

void activations(Builder& b, const ModuleInputs& shapes, const ConfigFacts&) {
  const Value x = Inputs{b, shapes}("x");
  b.output("silu", b.silu(x));
  b.output("gelu", b.gelu(x));
  b.output("quick_gelu", b.quick_gelu(x));
  b.output("sigmoid", b.apply(Function::sigmoid, x));
}

}  // namespace

const std::map<std::string, RecordModule, std::less<>>& modules() {
  static const std::map<std::string, RecordModule, std::less<>> table = {
      {"Activations", activations},
      {"Attention", attention},
      {"BasicTransformerBlock", basic_transformer},
      {"CLIPEncoderLayer", clip},
      {"Downsample2D", downsample_2d},
      {"FeedForward", feed_forward_module},
      {"GroupNorm", group_norm},
      {"GuidanceEmbedding", guidance},
      {"LayerNorm", layer_norm},
      {"ResnetBlock2D", resnet},
      {"ScaledDotProductAttention", attention_alone},
      {"TimestepEmbedding", time_mlp},
      {"Timesteps", timesteps},
      {"Transformer2DModel", transformer_2d},
      {"Upsample2D", upsample_2d},
  };
  return table;
}

}  // namespace ipa
