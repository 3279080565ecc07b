// The class Engine: its methods by name, its life, and the posting of jobs. The methods are in engine_*.cpp.
#include "binding/engine.h"

#include <utility>

#include "binding/convert.h"
#include "core/error.h"

namespace ipa::binding {

namespace {

Compute compute_of(const std::string& dtype, const Device& device) {
  if (dtype == "auto") return device.backend.fastest;
  std::string known = "auto";
  for (const Compute compute : {Compute::f32, Compute::bf16, Compute::f16}) {
    if (!computes_with(device.backend, compute)) continue;
    if (dtype == compute_text(compute)) return compute;
    known += std::string(", ") + compute_text(compute);
  }
  const std::string who = device.name.empty() ? "the level " + device.level + " of this CPU"
                                              : quoted(device.name) + " (" + device.level + ")";
  fail(Code::DEVICE_UNSUPPORTED, who + " has no " + dtype + " kernels", "use one of these as dtype: " + known,
       {{"option", "dtype"}, {"found", dtype}, {"expected", known}});
}

std::shared_ptr<Device> device_of(const Napi::Object& options, int threads) {
  const std::string id = text_or(options, "device", "cpu"), level = text_or(options, "level", "");
  return id == "cpu" ? cpu_device(level, threads) : open_device(id, text_of(options, "library"), level, threads);
}

Offload offload_of(const std::string& text) {
  if (text == "auto") return Offload::automatic;
  if (text == "always") return Offload::always;
  if (text == "never") return Offload::never;
  fail(Code::OPTION_RANGE, "there is no memory.offload " + quoted(text), "pass auto, always or never",
       {{"option", "memory.offload"}, {"found", text}});
}

}  // namespace

Napi::Function EngineHandle::define(Napi::Env env) {
  return DefineClass(env, "Engine",
                     {InstanceAccessor<&EngineHandle::info>("info"),
                      InstanceMethod<&EngineHandle::load>("load"),
                      InstanceMethod<&EngineHandle::read>("read"),
                      InstanceMethod<&EngineHandle::need>("need"),
                      InstanceMethod<&EngineHandle::encode_text>("encodeText"),
                      InstanceMethod<&EngineHandle::encode_images>("encodeImages"),
                      InstanceMethod<&EngineHandle::negative_noise>("negativeNoise"),
                      InstanceMethod<&EngineHandle::project>("project"),
                      InstanceMethod<&EngineHandle::combine>("combine"),
                      InstanceMethod<&EngineHandle::detect_faces>("detectFaces"),
                      InstanceMethod<&EngineHandle::align_face>("alignFace"),
                      InstanceMethod<&EngineHandle::identify>("identify"),
                      InstanceMethod<&EngineHandle::set_loras>("setLoras"),
                      InstanceMethod<&EngineHandle::open_lora>("openLora"),
                      InstanceMethod<&EngineHandle::same_deltas>("sameDeltas"),
                      InstanceMethod<&EngineHandle::sample>("sample"),
                      InstanceMethod<&EngineHandle::decode>("decode"),
                      InstanceMethod<&EngineHandle::inspect>("inspect"),
                      InstanceMethod<&EngineHandle::encode>("encode"),
                      InstanceMethod<&EngineHandle::prepare_init>("prepareInit"),
                      InstanceMethod<&EngineHandle::finish_init>("finishInit"),
                      InstanceMethod<&EngineHandle::upscale>("upscale"),
                      InstanceMethod<&EngineHandle::ellipse>("ellipse"),
                      InstanceMethod<&EngineHandle::save>("save"),
                      InstanceMethod<&EngineHandle::run>("run"),
                      InstanceMethod<&EngineHandle::close>("close")});
}

EngineHandle::EngineHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(info.Env());
    const double threads = number_or(options, "threads", 0);
    if (threads < 0 || threads > 1024)
      fail(Code::OPTION_RANGE, "Expected 1 to 1024 threads but received " + std::to_string(threads),
           "pass a number of threads, or none", {{"option", "threads"}});
    device_ = device_of(options, static_cast<int>(threads));
    const double budget = number_or(options, "budget", 0);
    if (!(budget >= 0 && budget < 0x1p63))
      fail(Code::OPTION_RANGE, "Expected bytes for memory.budget but received " + std::to_string(budget),
           "pass a number of bytes, or none", {{"option", "memory.budget"}});
    device_->residency.set_budget(static_cast<uint64_t>(budget));
    device_->residency.set_offload(offload_of(text_or(options, "offload", "auto")));
    compute_ = compute_of(text_or(options, "dtype", "auto"), *device_);
    id_ = device_->id;
    name_ = device_->name;
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
                      [device = device_, work = std::move(work)](Job& job) {
                        const Residency::Running running(device->residency, job.stop());
                        return work(job);
                      });
}

Napi::Value EngineHandle::info(const Napi::CallbackInfo& info) {
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("device", id_);
  if (!name_.empty()) out.Set("name", name_);
  out.Set("level", level_);
  out.Set("threads", threads_);
  out.Set("dtype", compute_text(compute_));
  return out;
}

}  // namespace ipa::binding
