// Calls of Engine that turn prompts and pictures into what a run is steered by.
#include <optional>
#include <utility>

#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/handles.h"
#include "core/error.h"
#include "image/negative_noise.h"
#include "runtime/combine.h"
#include "runtime/image_prompt.h"
#include "runtime/prompt.h"

namespace ipa::binding {

namespace {

std::array<float, 3> three(const Napi::Value& value, const char* what) {
  const std::vector<float> v = to_floats(value, what);
  if (v.size() != 3) fail(Code::OPTION_TYPE, std::string("Expected three numbers for ") + what, "pass three numbers");
  return {v[0], v[1], v[2]};
}

constexpr std::pair<const char*, Emphasis> kEmphases[] = {{"original", Emphasis::original},
                                                          {"no-norm", Emphasis::no_norm},
                                                          {"from-empty", Emphasis::from_empty},
                                                          {"none", Emphasis::none}};
constexpr std::pair<const char*, Fit> kFits[] = {{"crop", Fit::crop}, {"squash", Fit::squash}, {"pad", Fit::pad}};
constexpr std::pair<const char*, Anchor> kAnchors[] = {{"center", Anchor::center},
                                                       {"top", Anchor::top},
                                                       {"bottom", Anchor::bottom},
                                                       {"left", Anchor::left},
                                                       {"right", Anchor::right}};

// One of the names, or `otherwise` where there is none.
template <typename T, size_t kCount>
T choice_or(const Napi::Object& object, const char* name, const std::pair<const char*, T> (&names)[kCount],
            T otherwise) {
  const std::string given = text_or(object, name, "");
  if (given.empty()) return otherwise;
  for (const auto& [known, value] : names)
    if (given == known) return value;
  fail(Code::OPTION_RANGE, std::string("there is no ") + name + " called " + quoted(given),
       std::string("use ") + names[0].first, {{"option", name}});
}

// Places of vectors in a prompt, each a whole number of rows inside one of its chunks.
std::vector<PromptVectors> to_vectors(const Napi::Value& value, const PromptInput& in) {
  std::vector<PromptVectors> placed;
  if (value.IsUndefined()) return placed;
  const Napi::Array list = array_of(value, "vectors");
  const auto fits = [&](double at, double chunk, size_t count) {
    const size_t width = static_cast<size_t>(in.config->width);
    if (count == 0 || count % width || chunk < 0 || chunk >= static_cast<double>(in.chunks.size()) || at < 0)
      return false;
    const double tokens = static_cast<double>(in.chunks[static_cast<size_t>(chunk)].size());
    return at + static_cast<double>(count / width) <= tokens;
  };
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object o = object_of(list.Get(i), "vectors");
    const double chunk = number_of(o, "chunk"), at = number_of(o, "at");
    std::vector<float> numbers = to_floats(o.Get("data"), "data");
    if (!fits(at, chunk, numbers.size()))
      fail(Code::OPTION_RANGE, "vectors of a prompt do not fit its chunks or the text encoder's width",
           "use an embedding made for this model");
    placed.push_back({static_cast<size_t>(chunk), static_cast<size_t>(at), std::move(numbers)});
  }
  return placed;
}

// Runs of tokens must lie inside their chunks, the first and the last token outside.
std::vector<FadedPiece> faded_pieces(const Napi::Object& input, const std::vector<std::vector<float>>& chunks) {
  std::vector<FadedPiece> pieces;
  const Napi::Value value = input.Get("faded");
  if (value.IsUndefined()) return pieces;
  const Napi::Array list = array_of(value, "faded");
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object o = object_of(list.Get(i), "faded");
    FadedPiece& piece = pieces.emplace_back(number_of(o, "weight"));
    const Napi::Array runs = array_of(o.Get("runs"), "faded.runs");
    for (uint32_t k = 0; k < runs.Length(); ++k) {
      const Napi::Object run = object_of(runs.Get(k), "faded.runs");
      const double chunk = number_of(run, "chunk"), first = number_of(run, "first"), count = number_of(run, "count");
      const bool known = chunk >= 0 && chunk < static_cast<double>(chunks.size());
      if (!known || first < 1 || count < 1 ||
          first + count >= static_cast<double>(chunks[static_cast<size_t>(chunk)].size()))
        fail(Code::OPTION_RANGE, "a faded piece of a prompt lies outside its chunk", "pass places inside");
      piece.runs.push_back({static_cast<size_t>(chunk), static_cast<int64_t>(first), static_cast<int64_t>(count)});
    }
  }
  return pieces;
}

}  // namespace

Napi::Value EngineHandle::encode_text(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Array list = array_of(info[0], "inputs");
    const Emphasis emphasis = choice_or(object_of(info[1], "options"), "emphasis", kEmphases, Emphasis::none);
    std::vector<std::shared_ptr<Loaded>> encoders;
    std::vector<PromptInput> inputs;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const Napi::Object o = object_of(list.Get(i), "inputs");
      encoders.push_back(NetworkHandle::get(o.Get("network"), "network"));
      PromptInput in;
      in.network = &network_of(encoders.back(), NetworkKind::clip_text, "network");
      in.config = &encoders.back()->clip_text;
      in.chunks = to_float_lists(o.Get("chunks"), "chunks");
      in.weights = to_float_lists(o.Get("weights"), "weights");
      if (const Napi::Value empty = o.Get("empty"); !empty.IsUndefined()) in.empty = to_floats(empty, "empty");
      in.faded = faded_pieces(o, in.chunks);
      in.skip = static_cast<int>(number_of(o, "skip"));
      in.penultimate = text_of(o, "state") == "penultimate";
      in.pooled = flag_or(o, "pooled", false);
      const bool weights_fit = in.weights.empty() || in.weights.size() == in.chunks.size();
      if (in.chunks.empty() || !weights_fit || in.skip < 0 || in.skip + in.penultimate >= in.config->layers)
        fail(Code::OPTION_RANGE, "a prompt's chunks, weights and skipped layers do not fit the text encoder",
             "leave out fewer layers than the encoder has", {{"option", "clipSkip"}});
      for (size_t c = 0; c < in.chunks.size(); ++c)
        if (in.chunks[c].empty() || in.chunks[c].size() > static_cast<size_t>(in.config->positions) ||
            (!in.weights.empty() && in.weights[c].size() != in.chunks[c].size()))
          fail(Code::OPTION_RANGE, "a prompt chunk is longer than the text encoder's positions", "cut the prompt");
      in.vectors = to_vectors(o.Get("vectors"), in);
      for (const std::vector<float>& chunk : in.chunks)
        if (emphasis == Emphasis::from_empty && in.empty.size() != chunk.size())
          fail(Code::OPTION_TYPE, "Expected the chunk of an empty prompt, as long as the others", "pass empty");
      inputs.push_back(std::move(in));
    }
    if (inputs.empty()) fail(Code::OPTION_TYPE, "Expected at least one text encoder", "pass one");
    return post(info.Env(), info[1], info.Env().Undefined(),
                [encoders, inputs = std::move(inputs), emphasis](Job& job) -> Finish {
                  auto out = std::make_shared<PromptEncoding>(encode_prompt(inputs, emphasis, job.stop()));
                  return [out](Napi::Env env) -> Napi::Value {
                    Napi::Object object = Napi::Object::New(env);
                    object.Set("context", from_tensor(env, out->context));
                    if (!out->pooled.data.empty()) object.Set("pooled", from_tensor(env, out->pooled));
                    return object;
                  };
                });
  });
}

Napi::Value EngineHandle::encode_images(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = NetworkHandle::get(info[0], "network");
    network_of(loaded, NetworkKind::clip_vision, "network");
    const Napi::Array list = array_of(info[1], "images");
    const Napi::Object options = object_of(info[2], "options");
    const Napi::Array masks =
        options.Get("masks").IsUndefined() ? Napi::Array::New(info.Env()) : array_of(options.Get("masks"), "masks");
    if (masks.Length() != 0 && masks.Length() != list.Length())
      fail(Code::OPTION_RANGE, "Expected one mask per picture", "pass as many masks as pictures",
           {{"option", "masks"}});
    std::vector<Picture> pictures(list.Length());
    for (uint32_t i = 0; i < list.Length(); ++i) {
      if (!list.Get(i).IsNull()) pictures[i].pixels = to_image(list.Get(i), "images");
      if (i < masks.Length() && !masks.Get(i).IsNull()) pictures[i].mask = grey(to_image(masks.Get(i), "masks"));
    }
    const std::string output = text_of(options, "output") == "image_embeds" ? "image_embeds" : "hidden";
    ClipPreprocess how;
    how.size = how.shortest_edge = static_cast<int>(number_of(options, "size"));
    how.mean = three(options.Get("mean"), "mean");
    how.std = three(options.Get("std"), "std");
    how.fit = choice_or(options, "fit", kFits, how.fit);
    how.anchor = choice_or(options, "anchor", kAnchors, how.anchor);
    return post(info.Env(), options, info.Env().Undefined(),
                [loaded, pictures = std::move(pictures), output, how](Job& job) -> Finish {
                  auto out = std::make_shared<std::vector<Tensor>>(
                      ipa::encode_images(*loaded->network, loaded->clip_vision, pictures, output, how, job.stop()));
                  return [out](Napi::Env env) -> Napi::Value { return from_tensors(env, *out); };
                });
  });
}

Napi::Value EngineHandle::negative_noise(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object o = object_of(info[1], "options");
    ClipPreprocess how;
    how.size = how.shortest_edge = static_cast<int>(number_of(o, "size"));
    const std::string name = text_of(o, "noise");
    const std::optional<NoiseKind> kind = noise_kind_of(name);
    const double strength = number_of(o, "strength"), blur = number_of(o, "blur");
    if (!kind || strength < 0 || strength > 1 || blur < 0 || blur > 1024)
      fail(Code::OPTION_RANGE, "there is no noise " + quoted(name) + " of this strength and blur",
           "use fade, dissolve, gaussian or shuffle, a strength of 0 to 1 and a blur of 0 to 1024 pixels",
           {{"option", "negative"}});
    const NoiseRule rule{*kind, static_cast<float>(strength), static_cast<int>(blur)};
    check_size(how.size, how.size);
    Image8 image = info[0].IsNull() ? Image8(how.size, how.size, 3) : to_image(info[0], "image");
    return post(info.Env(), o, info.Env().Undefined(), [image = std::move(image), how, rule](Job&) -> Finish {
      auto out = std::make_shared<Image8>(ipa::negative_noise(clip_square(image, how), rule));
      return [out](Napi::Env env) -> Napi::Value { return from_image(env, *out); };
    });
  });
}

Napi::Value EngineHandle::project(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = NetworkHandle::get(info[0], "adapter");
    network_of(loaded, NetworkKind::adapter, "adapter");
    const Napi::Object o = object_of(info[1], "inputs");
    ProjectInput in{to_tensors(o.Get("features"), "features"), to_float_lists(o.Get("identities"), "identities"), {}};
    if (!o.Get("structureScale").IsUndefined()) in.structure_scale = static_cast<float>(number_of(o, "structureScale"));
    if (in.features.empty() && in.identities.empty())
      fail(Code::OPTION_TYPE, "Expected features or identities to project", "pass at least one");
    return post(info.Env(), info[2], info.Env().Undefined(), [loaded, in = std::move(in)](Job& job) -> Finish {
      auto out = std::make_shared<Tensor>(ipa::project(*loaded->network, loaded->adapter, in, job.stop()));
      return [out](Napi::Env env) -> Napi::Value { return from_tensor(env, *out); };
    });
  });
}

Napi::Value EngineHandle::combine(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::vector<Tensor> tensors = to_tensors(info[0], "tensors");
    const Napi::Object o = object_of(info[1], "options");
    std::vector<float> weights = to_floats(o.Get("weights"), "weights");
    const std::string name = text_of(o, "how");
    const std::optional<Combine> how = combine_of(name);
    if (!how)
      fail(Code::OPTION_RANGE, "there is no way to combine called " + quoted(name), "use average",
           {{"option", "combine"}});
    const bool renormalise = o.Get("renormalize").ToBoolean();
    if (tensors.empty() || weights.size() != tensors.size())
      fail(Code::OPTION_RANGE, "Expected one weight per tensor", "pass as many weights as pictures",
           {{"option", "weights"}});
    for (const Tensor& t : tensors)
      if (t.shape != tensors[0].shape)
        fail(Code::OPTION_RANGE, "tensors of different shapes cannot be combined", "pass tensors of one shape");
    return post(info.Env(), info[1], info.Env().Undefined(),
                [tensors = std::move(tensors), weights = std::move(weights), how = *how, renormalise](Job&) -> Finish {
                  auto out = std::make_shared<Tensor>(ipa::combine(how, tensors, weights, renormalise));
                  return [out](Napi::Env env) -> Napi::Value { return from_tensor(env, *out); };
                });
  });
}

}  // namespace ipa::binding
