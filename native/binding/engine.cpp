// The class Engine: its methods by name, its life, and the posting of jobs. The methods are in engine_*.cpp.
#include "binding/engine.h"

#include <utility>

#include "binding/convert.h"
#include "core/error.h"

namespace ipa::binding {

namespace {

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
  out.Set("dtype", compute_text(compute_));
  return out;
}

}  // namespace ipa::binding
