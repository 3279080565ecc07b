#include "binding/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "binding/convert.h"
#include "binding/handles.h"
#include "binding/sample_spec.h"
#include "core/error.h"
#include "runtime/decode.h"
#include "runtime/faces.h"
#include "runtime/image_prompt.h"
#include "runtime/inspect.h"
#include "runtime/prompt.h"
#include "weights/synthetic.h"

namespace ipa::binding {

namespace {

NetworkKind kind_of(const std::string& text) {
  static constexpr const char* kNames[] = {"unet", "vae", "clip_text", "clip_vision", "adapter", "onnx"};
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (text == kNames[i]) return static_cast<NetworkKind>(i);
  fail(Code::OPTION_RANGE, "no kind of network is called " + quoted(text),
       "pass unet, vae, clip_text, clip_vision, "
       "adapter or onnx",
       {{"option", "kind"}});
}

Network& network_of(const std::shared_ptr<Loaded>& loaded, NetworkKind kind, const char* what) {
  if (loaded->kind != kind || !loaded->network)
    fail(Code::OPTION_TYPE, std::string("Expected another kind of network for ") + what, "pass the right handle");
  return *loaded->network;
}

OnnxNetwork& onnx_of(const std::shared_ptr<Loaded>& loaded) {
  if (!loaded->onnx) fail(Code::OPTION_TYPE, "Expected an ONNX network", "pass a network loaded from .onnx");
  return *loaded->onnx;
}

TensorSource generated(const Napi::Object& source) {
  const Napi::Object tensors = object_of(source.Get("tensors"), "tensors");
  TensorIndex index;
  const Napi::Array names = tensors.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).ToString();
    TensorInfo info;
    for (double d : to_doubles(tensors.Get(name), name)) info.dims.push_back(static_cast<int64_t>(d));
    index[name] = info;
  }
  std::vector<std::pair<std::string, float>> factors;
  if (const Napi::Value value = source.Get("factors"); value.IsObject()) {
    const Napi::Object object = value.As<Napi::Object>();
    const Napi::Array ends = object.GetPropertyNames();
    for (uint32_t i = 0; i < ends.Length(); ++i) {
      const std::string end = ends.Get(i).ToString();
      factors.emplace_back(end, static_cast<float>(number_of(object, end.c_str())));
    }
  }
  return synthetic(text_of(source, "synthetic"), std::move(index), std::move(factors));
}

std::array<float, 3> three(const Napi::Value& value, const char* what) {
  const std::vector<float> v = to_floats(value, what);
  if (v.size() != 3) fail(Code::OPTION_TYPE, std::string("Expected three numbers for ") + what, "pass three numbers");
  return {v[0], v[1], v[2]};
}

Landmarks to_landmarks(const Napi::Value& value) {
  const std::vector<double> v = to_doubles(value, "landmarks");
  if (v.size() != 10) fail(Code::OPTION_TYPE, "Expected five points for landmarks", "pass x and y of five points");
  Landmarks landmarks;
  for (size_t i = 0; i < 5; ++i) landmarks[i] = {v[2 * i], v[2 * i + 1]};
  return landmarks;
}

Napi::Array from_tensors(Napi::Env env, const std::vector<Tensor>& tensors) {
  Napi::Array list = Napi::Array::New(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) list.Set(static_cast<uint32_t>(i), from_tensor(env, tensors[i]));
  return list;
}

std::vector<std::vector<float>> to_float_lists(const Napi::Value& value, const char* what) {
  std::vector<std::vector<float>> lists;
  if (value.IsUndefined()) return lists;
  const Napi::Array array = array_of(value, what);
  for (uint32_t i = 0; i < array.Length(); ++i) lists.push_back(to_floats(array.Get(i), what));
  return lists;
}

std::vector<Tensor> to_tensors(const Napi::Value& value, const char* what) {
  std::vector<Tensor> tensors;
  if (value.IsUndefined()) return tensors;
  const Napi::Array array = array_of(value, what);
  for (uint32_t i = 0; i < array.Length(); ++i) tensors.push_back(to_tensor(array.Get(i), what));
  return tensors;
}

Compute compute_of(const std::string& dtype, const Device& device) {
  if (dtype == "auto") return device.backend.fastest;
  if (dtype != "bf16") return Compute::f32;
  if (device.backend.fastest != Compute::bf16)
    fail(Code::DEVICE_UNSUPPORTED, "the level " + device.level + " of this CPU has no bf16 kernels",
         "use dtype \"auto\" or \"f32\"", {{"option", "dtype"}, {"found", dtype}, {"expected", "auto, f32"}});
  return Compute::bf16;
}

}  // namespace

Napi::Function EngineHandle::define(Napi::Env env) {
  return DefineClass(
      env, "Engine",
      {InstanceAccessor<&EngineHandle::info>("info"), InstanceMethod<&EngineHandle::load>("load"),
       InstanceMethod<&EngineHandle::encode_text>("encodeText"),
       InstanceMethod<&EngineHandle::encode_images>("encodeImages"), InstanceMethod<&EngineHandle::project>("project"),
       InstanceMethod<&EngineHandle::average>("average"), InstanceMethod<&EngineHandle::detect_faces>("detectFaces"),
       InstanceMethod<&EngineHandle::align_face>("alignFace"), InstanceMethod<&EngineHandle::identify>("identify"),
       InstanceMethod<&EngineHandle::set_loras>("setLoras"), InstanceMethod<&EngineHandle::open_lora>("openLora"),
       InstanceMethod<&EngineHandle::sample>("sample"), InstanceMethod<&EngineHandle::decode>("decode"),
       InstanceMethod<&EngineHandle::inspect>("inspect"), InstanceMethod<&EngineHandle::run>("run"),
       InstanceMethod<&EngineHandle::close>("close")});
}

EngineHandle::EngineHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(info.Env());
    const double threads = number_or(options, "threads", 0);
    if (threads < 0 || threads > 1024)
      fail(Code::OPTION_RANGE, "Expected 1 to 1024 threads but received " + std::to_string(threads),
           "pass a number of threads, or none", {{"option", "threads"}});
    device_ = cpu_device(text_or(options, "level", ""), static_cast<int>(threads));
    compute_ = compute_of(text_or(options, "dtype", "auto"), *device_);
    level_ = device_->level;
    threads_ = device_->pool.threads();
    engine_ = std::make_shared<Engine>();
    return info.Env().Undefined();
  });
  // A worker thread or the whole environment may end in mid-job: the hook stops the job and joins the thread.
  info.Env().AddCleanupHook(
      [](std::shared_ptr<Engine>* engine) {
        (*engine)->shut_down();
        delete engine;
      },
      new std::shared_ptr<Engine>(engine_));
}

EngineHandle::~EngineHandle() { shut_down(); }

void EngineHandle::shut_down() {
  if (engine_) engine_->shut_down();
}

// The pool's threads end now, not when the object is collected: each load that fails has made an engine.
void EngineHandle::close(const Napi::CallbackInfo&) {
  shut_down();
  device_.reset();
}

Napi::Value EngineHandle::post(Napi::Env env, const Napi::Value& options, const Napi::Value& listener,
                               std::function<Finish(Job&)> work) {
  // `device_` outlives the job through the copy in its closure.
  return binding::run(env, *engine_, optional_value(options, "stop"), listener,
                      [device = device_, work = std::move(work)](Job& job) { return work(job); });
}

Napi::Value EngineHandle::info(const Napi::CallbackInfo& info) {
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("level", level_);
  out.Set("threads", threads_);
  out.Set("dtype", compute_ == Compute::bf16 ? "bf16" : "f32");
  return out;
}

Napi::Value EngineHandle::load(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object spec = object_of(info[0], "load");
    const Napi::Object source = object_of(spec.Get("source"), "source");
    auto request = std::make_shared<LoadRequest>();
    request->kind = kind_of(text_of(spec, "kind"));
    request->path = text_or(source, "path", "");
    if (request->path.empty()) request->generated = generated(source);
    request->ldm = text_or(source, "dialect", "diffusers") == "ldm";
    request->compute = compute_;
    request->encoder = static_cast<int>(number_or(spec, "encoder", 0));
    request->facts = to_facts(spec.Get("config"));
    request->options.allow_nonfinite = flag_or(spec, "allowNonFinite", false);
    std::shared_ptr<Loaded> unet;
    if (!spec.Get("unet").IsUndefined()) unet = NetworkHandle::get(spec.Get("unet"), "unet");
    return post(info.Env(), spec, info[1], [device = device_, request, unet](Job& job) -> Finish {
      request->unet = unet.get();
      request->options.stop = &job.stop();
      request->options.progress = [&job](uint64_t bytes, uint64_t total) {
        job.emit([bytes, total](Napi::Env env) -> Napi::Value {
          Napi::Object event = Napi::Object::New(env);
          event.Set("bytes", static_cast<double>(bytes));
          event.Set("totalBytes", static_cast<double>(total));
          return event;
        });
      };
      std::shared_ptr<Loaded> loaded = ipa::load(device, std::move(*request));
      return [loaded](Napi::Env env) -> Napi::Value { return NetworkHandle::make(env, loaded); };
    });
  });
}

Napi::Value EngineHandle::encode_text(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Array list = array_of(info[0], "inputs");
    const std::string how = text_of(object_of(info[1], "options"), "emphasis");
    const Emphasis emphasis = how == "original"  ? Emphasis::original
                              : how == "no-norm" ? Emphasis::no_norm
                                                 : Emphasis::none;
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
    std::vector<std::optional<Image8>> images;
    for (uint32_t i = 0; i < list.Length(); ++i)
      images.push_back(list.Get(i).IsNull() ? std::nullopt : std::optional(to_image(list.Get(i), "images")));
    const std::string output = text_of(options, "output") == "image_embeds" ? "image_embeds" : "hidden";
    ClipPreprocess how;
    how.size = how.shortest_edge = static_cast<int>(number_of(options, "size"));
    how.mean = three(options.Get("mean"), "mean");
    how.std = three(options.Get("std"), "std");
    return post(info.Env(), options, info.Env().Undefined(),
                [loaded, images = std::move(images), output, how](Job& job) -> Finish {
                  auto out = std::make_shared<std::vector<Tensor>>(
                      ipa::encode_images(*loaded->network, loaded->clip_vision, images, output, how, job.stop()));
                  return [out](Napi::Env env) -> Napi::Value { return from_tensors(env, *out); };
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

Napi::Value EngineHandle::average(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::vector<Tensor> tensors = to_tensors(info[0], "tensors");
    std::vector<float> weights = to_floats(info[1], "weights");
    const bool renormalise = info[2].ToBoolean();
    if (tensors.empty() || weights.size() != tensors.size())
      fail(Code::OPTION_RANGE, "Expected one weight per tensor", "pass as many weights as pictures",
           {{"option", "weights"}});
    for (const Tensor& t : tensors)
      if (t.shape != tensors[0].shape)
        fail(Code::OPTION_RANGE, "tensors of different shapes cannot be averaged", "pass tensors of one shape");
    return post(info.Env(), info[3], info.Env().Undefined(),
                [tensors = std::move(tensors), weights = std::move(weights), renormalise](Job&) -> Finish {
                  auto out = std::make_shared<Tensor>(ipa::average(tensors, weights, renormalise));
                  return [out](Napi::Env env) -> Napi::Value { return from_tensor(env, *out); };
                });
  });
}

Napi::Value EngineHandle::detect_faces(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = NetworkHandle::get(info[0], "detector");
    onnx_of(loaded);
    const Napi::Object o = object_of(info[2], "options");
    const DetectOptions options{static_cast<int>(number_of(o, "size")), static_cast<float>(number_of(o, "threshold")),
                                static_cast<float>(number_of(o, "nms"))};
    if (options.size < 32 || options.size > 8192 || options.size % 32 != 0)
      fail(Code::OPTION_RANGE,
           "Expected a multiple of 32 from 32 to 8192 for detSize but received " + std::to_string(options.size),
           "pass a multiple of 32", {{"option", "detSize"}});
    return post(info.Env(), o, info.Env().Undefined(),
                [loaded, image = to_image(info[1], "image"), options](Job& job) -> Finish {
                  auto faces = std::make_shared<std::vector<Detection>>(
                      ipa::detect_faces(*loaded->onnx, image, options, job.stop()));
                  return [faces](Napi::Env env) -> Napi::Value {
                    Napi::Array list = Napi::Array::New(env, faces->size());
                    for (size_t i = 0; i < faces->size(); ++i) {
                      const Detection& face = (*faces)[i];
                      Napi::Object object = Napi::Object::New(env);
                      object.Set("score", face.score);
                      object.Set("box", from_numbers<float>(env, {face.x1, face.y1, face.x2, face.y2}));
                      std::vector<double> points;
                      for (const Point& p : face.landmarks) points.push_back(p.x), points.push_back(p.y);
                      object.Set("landmarks", from_numbers(env, points));
                      list.Set(static_cast<uint32_t>(i), object);
                    }
                    return list;
                  };
                });
  });
}

Napi::Value EngineHandle::align_face(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int size = static_cast<int>(info[2].ToNumber().DoubleValue());
    return post(info.Env(), info[3], info.Env().Undefined(),
                [image = to_image(info[0], "image"), landmarks = to_landmarks(info[1]), size](Job&) -> Finish {
                  auto crop = std::make_shared<Image8>(face_crop(image, landmarks, size));
                  return [crop](Napi::Env env) -> Napi::Value { return from_image(env, *crop); };
                });
  });
}

Napi::Value EngineHandle::identify(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = NetworkHandle::get(info[0], "recognizer");
    onnx_of(loaded);
    return post(info.Env(), info[2], info.Env().Undefined(),
                [loaded, crop = to_image(info[1], "crop")](Job& job) -> Finish {
                  auto out = std::make_shared<std::vector<float>>(ipa::identify(*loaded->onnx, crop, job.stop()));
                  return [out](Napi::Env env) -> Napi::Value { return from_floats(env, *out); };
                });
  });
}

Napi::Value EngineHandle::set_loras(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto unet = NetworkHandle::get(info[0], "network");
    network_of(unet, NetworkKind::unet, "network");
    const Napi::Array list = array_of(info[1], "loras");
    struct Active {
      std::shared_ptr<const Lora> lora;
      float strength;
    };
    std::vector<Active> active;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const Napi::Object o = object_of(list.Get(i), "loras");
      std::shared_ptr<const Lora> lora = LoraHandle::get(o.Get("lora"));
      if (!lora) {
        const auto adapter = NetworkHandle::get(o.Get("lora"), "lora");
        lora = {adapter, &adapter->inner_lora};
      }
      active.push_back({std::move(lora), static_cast<float>(number_of(o, "strength"))});
    }
    return post(info.Env(), info[2], info.Env().Undefined(), [unet, active](Job&) -> Finish {
      std::vector<ActiveLora> loras;
      for (const Active& a : active) loras.push_back({a.lora.get(), a.strength});
      const size_t changed = ipa::set_loras(*unet, loras);
      return [changed](Napi::Env env) -> Napi::Value {
        Napi::Object out = Napi::Object::New(env);
        out.Set("changed", static_cast<double>(changed));
        return out;
      };
    });
  });
}

Napi::Value EngineHandle::open_lora(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = info[0].ToString();
    const auto unet = NetworkHandle::get(info[1], "network");
    network_of(unet, NetworkKind::unet, "network");
    return post(info.Env(), info[2], info.Env().Undefined(), [path, unet](Job&) -> Finish {
      auto lora = std::make_shared<Lora>(read_lora(path, *unet));
      return [lora](Napi::Env env) -> Napi::Value { return LoraHandle::make(env, lora); };
    });
  });
}

Napi::Value EngineHandle::sample(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto spec = std::make_shared<SampleSpec>(to_sample_spec(info[0]));
    return post(info.Env(), info[0], info[1], [spec](Job& job) -> Finish {
      auto steps = std::make_shared<std::vector<Tensor>>();
      SampleEvents events;
      events.stepped = [&job](int row, int step) {
        job.emit([row, step](Napi::Env env) -> Napi::Value {
          Napi::Object event = Napi::Object::New(env);
          event.Set("row", row);
          event.Set("step", step);
          return event;
        });
      };
      if (spec->keep_steps) events.latents = [steps](const Tensor& latents) { steps->push_back(latents); };
      auto latents = std::make_shared<Tensor>(
          ipa::sample(*spec->unet->network, spec->unet->unet, spec->request, events, job.stop()));
      return [latents, steps, keep = spec->keep_steps](Napi::Env env) -> Napi::Value {
        Napi::Object out = Napi::Object::New(env);
        out.Set("latents", from_tensor(env, *latents));
        if (keep) out.Set("steps", from_tensors(env, *steps));
        return out;
      };
    });
  });
}

Napi::Value EngineHandle::decode(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto vae = NetworkHandle::get(info[0], "vae");
    network_of(vae, NetworkKind::vae, "vae");
    const double factor = number_of(object_of(info[2], "options"), "scalingFactor");
    return post(info.Env(), info[2], info.Env().Undefined(),
                [vae, latents = to_tensor(info[1], "latents"), factor](Job& job) -> Finish {
                  auto image = std::make_shared<Image8>(ipa::decode(*vae->network, latents, factor, job.stop()));
                  return [image](Napi::Env env) -> Napi::Value { return from_image(env, *image); };
                });
  });
}

Napi::Value EngineHandle::inspect(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = info[0].ToString();
    return post(info.Env(), info[1], info.Env().Undefined(), [path](Job&) -> Finish {
      auto found = std::make_shared<Inspection>(ipa::inspect(path));
      return [found](Napi::Env env) -> Napi::Value {
        Napi::Object out = Napi::Object::New(env);
        out.Set("format", found->format);
        out.Set("kind", found->kind);
        out.Set("bytes", static_cast<double>(found->bytes));
        Napi::Object metadata = Napi::Object::New(env);
        for (const auto& [key, value] : found->source.metadata) metadata.Set(key, value);
        out.Set("metadata", metadata);
        Napi::Array tensors = Napi::Array::New(env, found->source.index.size());
        uint32_t i = 0;
        for (const auto& [name, tensor] : found->source.index) {
          Napi::Object row = Napi::Object::New(env);
          row.Set("name", name);
          row.Set("dtype", dtype_text(tensor.dtype));
          row.Set("shape", from_numbers(env, tensor.dims));
          tensors.Set(i++, row);
        }
        out.Set("tensors", tensors);
        out.Set("warnings", warnings_of(env, found->source.warnings));
        if (found->adapter) out.Set("adapter", adapter_info(env, *found->adapter));
        return out;
      };
    });
  });
}

Napi::Value EngineHandle::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = NetworkHandle::get(info[0], "network");
    if (!loaded->network) fail(Code::OPTION_TYPE, "ONNX networks run through detectFaces and identify", "use these");
    const std::string plan = info[1].ToString();
    const Napi::Object given = object_of(info[2], "inputs");
    const Napi::Object options = object_of(info[3], "options");
    Tensors inputs;
    const Napi::Array names = given.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); ++i) {
      const std::string name = names.Get(i).ToString();
      inputs[name] = to_tensor(given.Get(name), name);
    }
    std::map<std::string, double> numbers;
    if (const Napi::Value value = options.Get("numbers"); value.IsObject()) {
      const Napi::Object object = value.As<Napi::Object>();
      const Napi::Array keys = object.GetPropertyNames();
      for (uint32_t i = 0; i < keys.Length(); ++i) {
        const std::string key = keys.Get(i).ToString();
        numbers[key] = number_of(object, key.c_str());
      }
    }
    std::set<std::string, std::less<>> taps;
    if (const Napi::Value value = options.Get("taps"); value.IsArray()) {
      const Napi::Array list = value.As<Napi::Array>();
      for (uint32_t i = 0; i < list.Length(); ++i) taps.insert(list.Get(i).ToString());
    }
    return post(info.Env(), options, info.Env().Undefined(),
                [loaded, plan, inputs = std::move(inputs), numbers, taps](Job& job) -> Finish {
                  auto out = std::make_shared<Tensors>(loaded->network->run(plan, inputs, numbers, taps, job.stop()));
                  return [out](Napi::Env env) -> Napi::Value {
                    Napi::Object object = Napi::Object::New(env);
                    for (const auto& [name, tensor] : *out) object.Set(name, from_tensor(env, tensor));
                    return object;
                  };
                });
  });
}

}  // namespace ipa::binding
