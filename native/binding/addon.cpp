// The module: version, levels(), probe(), readTensors() and the classes. State hangs on the environment, nothing
// mutable is static.
#include <napi.h>

#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/handles.h"
#include "io/open.h"
#include "runtime/device.h"
#include "runtime/device_library.h"
#include "weights/tensor_values.h"

namespace ipa::binding {

namespace {

Napi::Value levels(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  uint32_t count = 0;
  for (const std::string& level : cpu_levels()) list.Set(count++, Napi::String::New(info.Env(), level));
  return list;
}

Napi::Value probe(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsString()) fail(Code::OPTION_TYPE, "Expected a path for library", "pass an absolute path");
    const std::vector<FoundDevice> found = OpenLibrary::open(info[0].ToString())->devices();
    Napi::Array list = Napi::Array::New(info.Env(), found.size());
    for (uint32_t i = 0; i < found.size(); ++i) {
      Napi::Object device = Napi::Object::New(info.Env());
      device.Set("id", "cuda:" + std::to_string(i));
      device.Set("name", static_cast<const char*>(found[i].name));
      device.Set("capability", capability_text(found[i].capability));
      device.Set("memory", static_cast<double>(found[i].memory));
      device.Set("driver", driver_text(found[i].driver));
      list.Set(i, device);
    }
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("devices", list);
    return out;
  });
}

// Tensors of a weight file whose bytes are in memory, small ones: all numbers are copied at once.
Napi::Value read_tensors(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    constexpr int64_t kMost = int64_t{64} << 20;  // numbers
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      fail(Code::OPTION_TYPE, "Expected a Uint8Array for bytes", "pass the bytes of a weight file");
    const Napi::Uint8Array bytes = info[0].As<Napi::Uint8Array>();
    const std::byte* first = reinterpret_cast<const std::byte*>(bytes.Data());
    const std::string name = info[1].ToString();
    const TensorSource source = open_weights_file(
        std::make_shared<const File>(name, std::vector<std::byte>(first, first + bytes.ByteLength())));
    int64_t all = 0;
    for (const auto& [tensor, facts] : source.index)
      if ((all += product(facts.dims)) > kMost)
        fail(Code::MODEL_LIMIT, quoted(name) + " holds more than " + std::to_string(kMost) + " numbers",
             "give a file of a few pictures");
    Napi::Array list = Napi::Array::New(info.Env(), source.index.size());
    uint32_t count = 0;
    for (const auto& [tensor, facts] : source.index) {
      Napi::Object row = Napi::Object::New(info.Env());
      row.Set("name", tensor);
      row.Set("shape", from_numbers(info.Env(), facts.dims));
      row.Set("data", from_floats(info.Env(), tensor_values(source, tensor)));
      list.Set(count++, row);
    }
    return list;
  });
}

Napi::Object define(Napi::Env env, Napi::Object exports) {
  auto* constructors = new Constructors;
  constructors->network = Napi::Persistent(NetworkHandle::define(env));
  constructors->lora = Napi::Persistent(LoraHandle::define(env));
  env.SetInstanceData(constructors);
  exports.Set("version", Napi::String::New(env, IPA_VERSION));  // of the package that it was built for
  exports.Set("levels", Napi::Function::New<levels>(env, "levels"));
  exports.Set("probe", Napi::Function::New<probe>(env, "probe"));
  exports.Set("readTensors", Napi::Function::New<read_tensors>(env, "readTensors"));
  exports.Set("Stop", define_stop(env));
  exports.Set("Engine", EngineHandle::define(env));
  return exports;
}

}  // namespace

}  // namespace ipa::binding

static Napi::Object initialise(Napi::Env env, Napi::Object exports) { return ipa::binding::define(env, exports); }

NODE_API_MODULE(node_ip_adapter, initialise)
