// The module: version, levels(), and the classes. State hangs on the environment, nothing mutable is static.
#include <napi.h>

#include "binding/engine.h"
#include "binding/handles.h"
#include "runtime/device.h"

namespace ipa::binding {

namespace {

Napi::Value levels(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  uint32_t count = 0;
  for (const std::string& level : cpu_levels()) list.Set(count++, Napi::String::New(info.Env(), level));
  return list;
}

Napi::Object define(Napi::Env env, Napi::Object exports) {
  auto* constructors = new Constructors;
  constructors->network = Napi::Persistent(NetworkHandle::define(env));
  constructors->lora = Napi::Persistent(LoraHandle::define(env));
  env.SetInstanceData(constructors);
  exports.Set("levels", Napi::Function::New<levels>(env, "levels"));
  exports.Set("Stop", define_stop(env));
  exports.Set("Engine", EngineHandle::define(env));
  return exports;
}

}  // namespace

}  // namespace ipa::binding

static Napi::Object initialise(Napi::Env env, Napi::Object exports) { return ipa::binding::define(env, exports); }

NODE_API_MODULE(node_ip_adapter, initialise)
