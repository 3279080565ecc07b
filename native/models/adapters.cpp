#include "models/adapters.h"

#include <charconv>

#include "core/error.h"
#include "models/shape_reader.h"

namespace ipa {

namespace {

constexpr int kIdentityWidth = 512;  // of every ArcFace recogniser

[[noreturn]] void unknown(const std::string& label, const std::string& what, const std::string& hint) {
  fail(Code::ADAPTER_UNKNOWN, label + ": " + what, hint, {{"file", label}});
}

std::string first_names(const TensorIndex& index, const std::string& prefix) {
  std::string names;
  int shown = 0;
  for (auto at = index.lower_bound(prefix); at != index.end() && at->first.starts_with(prefix) && shown < 10;
       ++at, ++shown)
    names += (shown ? ", " : "") + quoted(at->first);
  return names.empty() ? "nothing" : names;
}

// Rows that must be whole tokens of `width`.
int token_count(const ShapeReader& r, const std::string& name, int width) {
  const int rows = r.dim(name, 2, 0);
  if (rows % width)
    fail(Code::TENSOR_SHAPE,
         quoted(name) + ": expected a multiple of " + std::to_string(width) + " rows, file has " + std::to_string(rows),
         "the projector's weights do not belong together", {{"tensor", name}});
  return rows / width;
}

ResamplerConfig resampler(const ShapeReader& r, const std::string& at) {
  ResamplerConfig c;
  c.dim = r.dim(at + "proj_in.weight", 2, 0);
  c.in = r.dim(at + "proj_in.weight", 2, 1);
  c.width = r.dim(at + "proj_out.weight", 2, 0);
  c.layers = 0;
  while (r.has_prefix(at + "layers." + std::to_string(c.layers) + ".")) ++c.layers;
  c.inner = r.dim(at + "layers.0.0.to_q.weight", 2, 0);
  c.mlp = r.dim(at + "layers.0.1.1.weight", 2, 0);
  if (c.inner % 64)
    fail(
        Code::TENSOR_SHAPE,
        quoted(at + "layers.0.0.to_q.weight") + ": expected a multiple of 64 rows, file has " + std::to_string(c.inner),
        "attention heads of a resampler are 64 wide");
  return c;
}

IdProjConfig id_projection(const ShapeReader& r) {
  IdProjConfig c;
  c.in = r.dim("proj.0.weight", 2, 1);
  c.hidden = r.dim("proj.0.weight", 2, 0);
  c.width = r.dim("norm.weight", 1, 0);
  c.tokens = token_count(r, "proj.2.weight", c.width);
  return c;
}

Projector projector(const ShapeReader& r, const TensorIndex& index, const std::string& prefix,
                    const std::string& label) {
  for (const char* key : {"id_embedding_mapping", "mapping_", "body."})
    if (r.has_prefix(key))
      unknown(label, "this is a PuLID file", "PuLID is not among the supported adapters; use a FaceID adapter instead");
  // A group of names decides, not one tensor: a file with one tensor missing is then told which.
  if (r.has_prefix("perceiver_resampler.")) {
    FaceIdPlusConfig c{id_projection(r), resampler(r, "perceiver_resampler.")};
    c.perceiver.queries = c.id.tokens;
    return c;
  }
  if (r.has_prefix("proj.3."))
    return FullFaceConfig{r.dim("proj.0.weight", 2, 1), r.dim("proj.0.weight", 2, 0), r.dim("proj.2.weight", 2, 0)};
  if (r.has_prefix("latents") || r.has_prefix("layers.") || r.has_prefix("proj_in.")) {
    ResamplerConfig c = resampler(r, "");
    c.queries = r.dim("latents", 3, 1);
    return c;
  }
  if (r.has_prefix("proj.0.") || r.has_prefix("proj.2.")) return id_projection(r);
  if (r.has_prefix("proj.")) {
    const int width = r.dim("norm.weight", 1, 0);
    return ImageProjConfig{r.dim("proj.weight", 2, 1), token_count(r, "proj.weight", width), width};
  }
  if (!r.has_prefix(""))
    unknown(label, "has no " + quoted(prefix) + " weights, the projector of an IP-Adapter",
            "give the whole adapter file");
  unknown(label, "the projector is of no known kind; it holds " + first_names(index, prefix),
          "known are linear, MLP, resampler and FaceID projectors; the file may belong to another project");
}

void require_adapter(const TensorIndex& index, const ShapeReader& pairs, const std::string& label) {
  bool any_pair = false, any_lora = false;
  for (const auto& [name, info] : index) {
    any_pair = any_pair || name.find(".to_k_ip.") != std::string::npos || name.find(".to_v_ip.") != std::string::npos;
    any_lora = any_lora || name.find("lora") != std::string::npos;
  }
  if (any_pair) return;
  if (any_lora && !pairs.has_prefix(""))
    unknown(label, "this is a companion LoRA, not an adapter",
            "attach the adapter itself with addAdapter, and this file with addLora");
  unknown(label,
          "not an IP-Adapter: " + quoted("ip_adapter.1.to_k_ip.weight") + " is missing; the file holds " +
              first_names(index, ""),
          "give a file with `image_proj` and `ip_adapter` weights");
}

// Widths of the pairs 1, 3, 5 ...; the tokens' width must be the same in all.
void read_pairs(const TensorIndex& index, const ShapeReader& pairs, AdapterInfo& a) {
  int last = 1;
  for (auto at = index.lower_bound("ip_adapter."); at != index.end() && at->first.starts_with("ip_adapter."); ++at) {
    if (at->first.find("_ip.weight") == std::string::npos) continue;
    int i = 0;
    std::from_chars(at->first.data() + 11, at->first.data() + at->first.size(), i);
    last = std::max(last, i);
  }
  for (int i = 1; i <= last; i += 2) {
    const std::string at = std::to_string(i);
    const Dims& k = pairs.dims(at + ".to_k_ip.weight", 2);
    if (i == 1) a.context = static_cast<int>(k[1]);
    if (k[1] != a.context || pairs.dims(at + ".to_v_ip.weight", 2) != k)
      fail(Code::TENSOR_SHAPE,
           "ip_adapter." + at + ": expected to_k_ip and to_v_ip of [" + std::to_string(k[0]) + ", " +
               std::to_string(a.context) + "], file has " + text(k) + " and " +
               text(pairs.dims(at + ".to_v_ip.weight", 2)),
           "the file is damaged or mixes two adapters", {{"tensor", "ip_adapter." + at + ".to_k_ip.weight"}});
    a.widths.push_back(static_cast<int>(k[0]));
  }
}

AdapterFamily family_of_sites(int context, size_t sites, int first_width) {
  if (context == 768 && sites == 16 && first_width == 320) return AdapterFamily::sd15;
  if (context == 2048 && sites == 70 && first_width == 640) return AdapterFamily::sdxl;
  if (context == 1024 && sites == 16 && first_width == 320) return AdapterFamily::sd2;
  return AdapterFamily::custom;
}

// The need of each projector. E = 512 means an identity: no public encoder is so narrow.
void read_need(AdapterInfo& a) {
  const auto encoder = [&](EncoderOutput output, int width) {
    a.encoder = output, a.encoder_width = width;
    if (width == kIdentityWidth) a.identity_width = width;
  };
  if (const auto* c = std::get_if<ImageProjConfig>(&a.projector)) {
    encoder(EncoderOutput::image_embeds, c->in), a.tokens = c->tokens;
  } else if (const auto* c = std::get_if<FullFaceConfig>(&a.projector)) {
    encoder(EncoderOutput::penultimate, c->in);
  } else if (const auto* c = std::get_if<ResamplerConfig>(&a.projector)) {
    encoder(EncoderOutput::penultimate, c->in), a.tokens = c->queries;
    a.raw_identity = c->in == kIdentityWidth;
  } else if (const auto* c = std::get_if<IdProjConfig>(&a.projector)) {
    a.identity_width = c->in, a.tokens = c->tokens;
  } else if (const auto* c = std::get_if<FaceIdPlusConfig>(&a.projector)) {
    encoder(EncoderOutput::penultimate, c->perceiver.in), a.tokens = c->id.tokens;
    a.identity_width = c->id.in;
  }
}

int token_width(const Projector& projector) {
  if (const auto* c = std::get_if<FaceIdPlusConfig>(&projector)) return c->id.width;
  return std::visit(
      [](const auto& c) -> int {
        if constexpr (requires { c.width; })
          return c.width;
        else
          return 0;
      },
      projector);
}

bool is_kolors(const Projector& projector) {
  if (const auto* c = std::get_if<ResamplerConfig>(&projector)) return c->dim == 2048 && c->inner == 768;
  if (const auto* c = std::get_if<FaceIdPlusConfig>(&projector)) return c->id.width == 4096;
  return false;
}

std::string described(AdapterFamily family, int context, size_t sites) {
  return (family == AdapterFamily::custom ? std::string("a UNet") : std::string(family_text(family))) +
         " (context width " + std::to_string(context) + ", " + std::to_string(sites) + " cross-attentions)";
}

}  // namespace

Projector detect_projector(const TensorIndex& index, const std::string& prefix, const std::string& label) {
  return projector(ShapeReader(index, prefix, "an IP-Adapter's projector"), index, prefix, label);
}

AdapterInfo detect_adapter(const TensorIndex& index, const std::string& label) {
  const ShapeReader pairs(index, "ip_adapter.", "an IP-Adapter");
  require_adapter(index, pairs, label);
  AdapterInfo a;
  a.projector = detect_projector(index, "image_proj.", label);
  read_pairs(index, pairs, a);
  read_need(a);
  if (pairs.has_prefix("0.to_q_lora.")) a.lora_rank = pairs.dim("0.to_q_lora.down.weight", 2, 0);
  a.family = is_kolors(a.projector) ? AdapterFamily::kolors : family_of_sites(a.context, a.widths.size(), a.widths[0]);
  if (a.family != AdapterFamily::kolors && token_width(a.projector) != a.context)
    fail(Code::TENSOR_SHAPE,
         "ip_adapter.1.to_k_ip.weight: expected to read tokens of " + std::to_string(token_width(a.projector)) +
             " from the projector, reads " + std::to_string(a.context),
         label + " mixes the projector of one adapter with the attention weights of another", {{"file", label}});
  return a;
}

void check_fit(const AdapterInfo& a, const UNetConfig& unet, const std::string& label) {
  const std::vector<AttentionSite> sites = attention_sites(unet);
  const std::string adapter_base = described(a.family, a.context, a.widths.size());
  const std::string unet_base = described(family_of(unet), unet.context, sites.size());
  const bool kolors = a.family == AdapterFamily::kolors;
  const auto mismatch = [&](const std::string& detail) {
    fail(Code::ADAPTER_BASE_MISMATCH,
         label + " is for " + adapter_base + ", the pipeline's UNet is " + unet_base +
             (detail.empty() ? "" : ": " + detail),
         kolors ? "the base model Kolors is not among those that load; use an adapter made for this base model"
                : "use an adapter made for this base model, or load the base model the adapter was made for",
         {{"file", label}, {"expected", adapter_base}, {"found", unet_base}});
  };
  if (kolors || a.context != unet.context || a.widths.size() != sites.size()) mismatch("");
  for (const AttentionSite& site : sites) {
    const int width = a.widths[(site.file_index - 1) / 2];
    if (width != site.width)
      mismatch("ip_adapter." + std::to_string(site.file_index) + " has " + std::to_string(width) + " rows, " +
               site.path + " has " + std::to_string(site.width) + " channels");
  }
}

const char* variant_text(const AdapterInfo& a) {
  const bool kolors = a.family == AdapterFamily::kolors;
  if (std::holds_alternative<ImageProjConfig>(a.projector)) return "base";
  if (std::holds_alternative<FullFaceConfig>(a.projector)) return "full-face";
  if (std::holds_alternative<FaceIdPlusConfig>(a.projector)) return kolors ? "kolors-faceid-plus" : "faceid-plus";
  if (std::holds_alternative<ResamplerConfig>(a.projector))
    return kolors ? "kolors-plus" : a.raw_identity ? "portrait-unnorm" : "plus";
  return a.has_lora() || a.tokens < 16 ? "faceid" : "faceid-portrait";
}

const char* family_text(AdapterFamily family) {
  switch (family) {
    case AdapterFamily::sd15:
      return "SD1.5";
    case AdapterFamily::sdxl:
      return "SDXL";
    case AdapterFamily::sd2:
      return "SD2.x";
    case AdapterFamily::kolors:
      return "Kolors";
    case AdapterFamily::custom:
      break;
  }
  return "custom";
}

AdapterFamily family_of(const UNetConfig& unet) {
  const std::vector<AttentionSite> sites = attention_sites(unet);
  return sites.empty() ? AdapterFamily::custom : family_of_sites(unet.context, sites.size(), sites[0].width);
}

}  // namespace ipa
