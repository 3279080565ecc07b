#pragma once
// class Engine: a device and the thread that works on it. Every method unwraps its arguments on the JavaScript thread,
// posts one job and wraps the result; see lib/native/types.ts for the shapes.
#include <napi.h>

#include <functional>
#include <memory>
#include <string>

#include "binding/job.h"
#include "runtime/device.h"
#include "runtime/engine.h"
#include "runtime/load.h"

namespace ipa::binding {

// By its name in calls: "unet" ...
NetworkKind network_kind(const std::string& text);
// Tells a job's listener of bytes.
std::function<void(uint64_t bytes, uint64_t total)> progress_of(Job& job);

class EngineHandle : public Napi::ObjectWrap<EngineHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit EngineHandle(const Napi::CallbackInfo& info);
  ~EngineHandle();

 private:
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value need(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value encode_text(const Napi::CallbackInfo& info);
  Napi::Value encode_images(const Napi::CallbackInfo& info);
  Napi::Value negative_noise(const Napi::CallbackInfo& info);
  Napi::Value project(const Napi::CallbackInfo& info);
  Napi::Value combine(const Napi::CallbackInfo& info);
  Napi::Value detect_faces(const Napi::CallbackInfo& info);
  Napi::Value align_face(const Napi::CallbackInfo& info);
  Napi::Value identify(const Napi::CallbackInfo& info);
  Napi::Value set_loras(const Napi::CallbackInfo& info);
  Napi::Value open_lora(const Napi::CallbackInfo& info);
  Napi::Value same_deltas(const Napi::CallbackInfo& info);
  Napi::Value sample(const Napi::CallbackInfo& info);
  Napi::Value decode(const Napi::CallbackInfo& info);
  Napi::Value encode(const Napi::CallbackInfo& info);
  Napi::Value prepare_init(const Napi::CallbackInfo& info);
  Napi::Value finish_init(const Napi::CallbackInfo& info);
  Napi::Value upscale(const Napi::CallbackInfo& info);
  Napi::Value ellipse(const Napi::CallbackInfo& info);
  Napi::Value inspect(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  // Posts `work`; `options` may hold `stop`, `listener` may be undefined.
  Napi::Value post(Napi::Env env, const Napi::Value& options, const Napi::Value& listener,
                   std::function<Finish(Job&)> work);
  void shut_down();

  std::shared_ptr<Device> device_;  // none after close()
  Compute compute_ = Compute::f32;  // of UNet, VAE decoder and CLIP encoders, by option dtype (load.cpp)
  std::string id_, name_, level_;
  int threads_ = 0;
  std::shared_ptr<Engine> engine_;  // shared with the clean-up hook
};

}  // namespace ipa::binding
