// The call of Engine that tells what networks take at work, before they are.
#include <algorithm>

#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/handles.h"
#include "core/error.h"
#include "runtime/need.h"

namespace ipa::binding {

Napi::Value EngineHandle::need(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Array list = array_of(info[0], "networks");
    std::vector<std::shared_ptr<Loaded>> networks;
    for (uint32_t i = 0; i < list.Length(); ++i) networks.push_back(NetworkHandle::get(list.Get(i), "networks"));
    const Napi::Object given = object_of(info[1], "picture");
    const auto whole = [&](const char* name) { return static_cast<int64_t>(number_of(given, name)); };
    PictureWork work{whole("width"), whole("height"), whole("batch"), whole("chunks"), whole("calls"), {}};
    for (const double tokens : to_doubles(given.Get("promptTokens"), "promptTokens"))
      work.prompt_tokens.push_back(static_cast<int>(tokens));
    if (std::min({work.width, work.height, work.batch, work.chunks, work.calls}) < 1)
      fail(Code::OPTION_RANGE, "Expected numbers from 1 on for picture", "pass the size of a picture");
    const double room = number_or(object_of(info[2], "options"), "room", 0);
    return post(info.Env(), info[2], info.Env().Undefined(), [networks, work, room](Job&) -> Finish {
      std::vector<Need> needs;
      for (const auto& network : networks) needs.push_back(need_of(*network, work, static_cast<uint64_t>(room)));
      return [needs](Napi::Env env) -> Napi::Value {
        Napi::Array out = Napi::Array::New(env, needs.size());
        for (uint32_t i = 0; i < needs.size(); ++i) {
          Napi::Object row = Napi::Object::New(env);
          row.Set("weights", static_cast<double>(needs[i].weights));
          row.Set("run", static_cast<double>(needs[i].run));
          out.Set(i, row);
        }
        return out;
      };
    });
  });
}

}  // namespace ipa::binding
