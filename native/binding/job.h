#pragma once
// One asynchronous call: its work runs on the engine thread, its progress and its end come back through one typed
// thread-safe function, in order, so that no event can arrive after the promise has settled.
#include <napi.h>

#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "core/error.h"
#include "core/stop.h"
#include "runtime/engine.h"

namespace ipa::binding {

// Makes a value on the JavaScript thread from what the work produced.
using Finish = std::function<Napi::Value(Napi::Env)>;

Napi::Error to_js(Napi::Env env, const std::exception& e);

// Runs `f`, turning every C++ exception into a JavaScript one. No exception of ours crosses the N-API boundary.
template <typename F>
Napi::Value guarded(Napi::Env env, F&& f) {
  try {
    return f();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& e) {
    throw to_js(env, e);
  }
}

class Job {
 public:
  // The event is made on the JavaScript thread and given to the listener, if there is one. From the engine thread.
  void emit(Finish event);
  const StopFlag& stop() const { return *stop_; }

 private:
  friend Napi::Value run(Napi::Env, Engine&, Napi::Value, Napi::Value, std::function<Finish(Job&)>);
  struct Message;
  static void deliver(Napi::Env env, Napi::Function listener, Job* job, Message* message);
  using Channel = Napi::TypedThreadSafeFunction<Job, Message, deliver>;

  void settle(Napi::Env env, const Message& message);  // the promise, by the last message

  Job(Napi::Env env, std::shared_ptr<StopFlag> stop) : deferred_(env), stop_(std::move(stop)) {}

  Napi::Promise::Deferred deferred_;
  std::shared_ptr<StopFlag> stop_;
  Napi::FunctionReference listener_;
  Channel channel_;
};

// Posts `work` to the engine and returns a promise. `stop`: a Stop object or undefined. `listener`: a function that
// takes events, or undefined; if it throws, the job is stopped and rejects with what was thrown.
Napi::Value run(Napi::Env env, Engine& engine, Napi::Value stop, Napi::Value listener,
                std::function<Finish(Job&)> work);

// class Stop { raise() }: what an AbortSignal is turned into.
Napi::Function define_stop(Napi::Env env);
std::shared_ptr<StopFlag> stop_of(Napi::Value value);

}  // namespace ipa::binding
