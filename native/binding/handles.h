#pragma once
// Handles that JavaScript holds on loaded networks and LoRA files. A call in progress keeps what it uses alive.
#include <napi.h>

#include <memory>

#include "runtime/load.h"
#include "weights/lora.h"

namespace ipa::binding {

class NetworkHandle : public Napi::ObjectWrap<NetworkHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object make(Napi::Env env, std::shared_ptr<Loaded> loaded);
  // Throws CLOSED for a disposed one, OPTION_TYPE for anything else.
  static std::shared_ptr<Loaded> get(const Napi::Value& value, const char* what);

  explicit NetworkHandle(const Napi::CallbackInfo& info);

 private:
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value runs(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value digest(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<Loaded> loaded_;
  int64_t reported_ = 0;  // bytes told to the garbage collector
};

class LoraHandle : public Napi::ObjectWrap<LoraHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object make(Napi::Env env, std::shared_ptr<Lora> lora);
  static std::shared_ptr<Lora> get(const Napi::Value& value);  // null when it is no LoRA handle

  explicit LoraHandle(const Napi::CallbackInfo& info);

 private:
  Napi::Value info(const Napi::CallbackInfo& info);

  std::shared_ptr<Lora> lora_;
};

// Per environment: the constructors that make() needs. Worker threads load the addon more than once.
struct Constructors {
  Napi::FunctionReference network, lora;
};

// The network behind a handle; OPTION_TYPE when it is of another kind.
Network& network_of(const std::shared_ptr<Loaded>& loaded, NetworkKind kind, const char* what);
OnnxNetwork& onnx_of(const std::shared_ptr<Loaded>& loaded);

Napi::Object network_info(Napi::Env env, const Loaded& loaded);
Napi::Object adapter_info(Napi::Env env, const AdapterInfo& adapter);
Napi::Array warnings_of(Napi::Env env, const std::vector<std::pair<std::string, std::string>>& warnings);

}  // namespace ipa::binding
