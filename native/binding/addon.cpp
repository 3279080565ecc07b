// The module: version, levels(), and the classes. State hangs on the environment, nothing mutable is static.
#include <napi.h>

#include "binding/engine.h"
#include "binding/handles.h"
#include "cpu/table.h"

namespace ipa::binding {

namespace {

Napi::Value levels(const Napi::CallbackInfo& info) {
  const auto& present = cpu::levels();
  Napi::Array list = Napi::Array::New(info.Env());
  uint32_t count = 0;
  for (const cpu::Level* level : present)
    if (std::string_view(level->name) != "naive") list.Set(count++, Napi::String::New(info.Env(), level->name));
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
