#include "binding/job.h"

#include <new>
#include <optional>

namespace ipa::binding {

Napi::Error to_js(Napi::Env env, const std::exception& e) {
  Napi::Error error = Napi::Error::New(env, e.what());
  Napi::Object details = Napi::Object::New(env);
  const char* code = "INTERNAL";
  std::string hint = "report this with what you called";
  if (const auto* own = dynamic_cast<const ipa::Error*>(&e)) {
    code = code_text(own->code);
    hint = own->hint;
    for (const auto& [name, value] : own->details) details.Set(name, value);
  } else if (dynamic_cast<const std::bad_alloc*>(&e)) {
    code = "HOST_OUT_OF_MEMORY";
    hint = "close other programs, make the picture smaller, or use a machine with more memory";
  }
  error.Set("code", Napi::String::New(env, code));
  error.Set("hint", Napi::String::New(env, hint));
  error.Set("details", details);
  return error;
}

struct Job::Message {
  Finish make;               // an event, or the result
  std::exception_ptr error;  // set: the job failed
  bool last = false;
};

void Job::settle(Napi::Env env, const Message& message) {
  try {
    if (message.error) std::rethrow_exception(message.error);
    deferred_.Resolve(message.make(env));
  } catch (const Napi::Error& e) {
    deferred_.Reject(e.Value());
  } catch (const std::exception& e) {
    deferred_.Reject(to_js(env, e).Value());
  } catch (...) {
    deferred_.Reject(Napi::Error::New(env, "unknown native error").Value());
  }
}

// `listener` is unused: the function reference lives in the job, since a job without listener needs the channel too.
void Job::deliver(Napi::Env env, Napi::Function, Job* job, Message* raw) {
  const std::unique_ptr<Message> message(raw);
  if (env == nullptr) {  // the environment is going away: nobody waits any more
    if (message->last) {
      job->listener_.SuppressDestruct();
      delete job;
    }
    return;
  }
  const Napi::HandleScope scope(env);
  if (!message->last) {
    if (job->listener_.IsEmpty()) return;
    try {
      job->listener_.Call({message->make(env)});
    } catch (const Napi::Error&) {
      // A listener that throws fails the job. Its error is kept by the JavaScript side, which wraps every listener;
      // here the run only has to end.
      job->stop_->raise();
    }
    return;
  }
  try {
    job->settle(env, *message);
  } catch (const Napi::Error&) {
    // trap: the worker thread is being terminated, so no value can be made and nobody waits any more
  }
  job->channel_.Release();
  delete job;
}

void Job::emit(Finish event) {
  Message* message = new Message{std::move(event), nullptr, false};
  if (channel_.NonBlockingCall(message) != napi_ok) delete message;
}

Napi::Value run(Napi::Env env, Engine& engine, Napi::Value stop, Napi::Value listener,
                std::function<Finish(Job&)> work) {
  std::shared_ptr<StopFlag> flag = stop.IsObject() ? stop_of(stop) : std::make_shared<StopFlag>();
  Job* job = new Job(env, flag);
  if (listener.IsFunction()) job->listener_ = Napi::Persistent(listener.As<Napi::Function>());
  job->channel_ = Job::Channel::New(env, "node-ip-adapter job", 0, 1, job);
  const Napi::Promise promise = job->deferred_.Promise();

  const auto end = [job](Finish result, std::exception_ptr error) {
    Job::Message* message = new Job::Message{std::move(result), std::move(error), true};
    if (job->channel_.BlockingCall(message) != napi_ok) delete message;
  };
  engine.post(
      flag,
      [job, work = std::move(work), end](const StopFlag& raised) {
        try {
          if (raised.raised()) fail(Code::ABORTED, "the call was cancelled before it began", "call again");
          end(work(*job), nullptr);
        } catch (...) {
          end({}, std::current_exception());
        }
      },
      [end] { end({}, std::make_exception_ptr(Error(Code::CLOSED, "the engine was closed", "open another one"))); });
  return promise;
}

namespace {

class Stop : public Napi::ObjectWrap<Stop> {
 public:
  explicit Stop(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Stop>(info) {}
  void raise(const Napi::CallbackInfo&) { flag->raise(); }
  std::shared_ptr<StopFlag> flag = std::make_shared<StopFlag>();
};

}  // namespace

Napi::Function define_stop(Napi::Env env) {
  return Stop::DefineClass(env, "Stop", {Stop::InstanceMethod<&Stop::raise>("raise")});
}

std::shared_ptr<StopFlag> stop_of(Napi::Value value) { return Stop::Unwrap(value.As<Napi::Object>())->flag; }

}  // namespace ipa::binding
