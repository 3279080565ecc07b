// Calls of Engine that draw: the step loop, the decoder, and any plan by name.
#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/handles.h"
#include "binding/sample_spec.h"
#include "core/error.h"
#include "runtime/autoencoder.h"

namespace ipa::binding {

namespace {

Napi::Object step_event(Napi::Env env, int row, int step) {
  Napi::Object event = Napi::Object::New(env);
  event.Set("row", row);
  event.Set("step", step);
  return event;
}

// Decodes what a step shows. A preview that cannot be made is told of once, and ends no run.
std::function<void(int, int, const Tensor&)> previewing(const SampleSpec& spec, Job& job) {
  auto failed = std::make_shared<bool>(false);
  return [&spec, &job, failed](int row, int step, const Tensor& denoised) {
    if (*failed) return;
    try {
      auto image = std::make_shared<Image8>(ipa::decode(*spec.preview_vae, denoised, spec.preview_scaling, job.stop()));
      job.emit([row, step, image](Napi::Env env) -> Napi::Value {
        Napi::Object event = step_event(env, row, step);
        event.Set("preview", from_image(env, *image));
        return event;
      });
    } catch (const Error& e) {
      if (e.code == Code::ABORTED) throw;
      *failed = true;
      job.emit([row, step, message = std::string(e.what())](Napi::Env env) -> Napi::Value {
        Napi::Object event = step_event(env, row, step);
        event.Set("failed", message);
        return event;
      });
    }
  };
}

}  // namespace

Napi::Value EngineHandle::sample(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto spec = std::make_shared<SampleSpec>(to_sample_spec(info[0]));
    return post(info.Env(), info[0], info[1], [spec](Job& job) -> Finish {
      auto steps = std::make_shared<std::vector<Tensor>>();
      SampleEvents events;
      events.stepped = [&job](int row, int step) {
        job.emit([row, step](Napi::Env env) -> Napi::Value { return step_event(env, row, step); });
      };
      if (spec->preview_vae) events.previewed = previewing(*spec, job);
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
                  auto image = std::make_shared<Image8>(ipa::decode(*vae, latents, factor, job.stop()));
                  return [image](Napi::Env env) -> Napi::Value { return from_image(env, *image); };
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
