// Calls of Engine about faces: finding, aligning, identifying.
#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/handles.h"
#include "core/error.h"
#include "runtime/faces.h"

namespace ipa::binding {

namespace {

Landmarks to_landmarks(const Napi::Value& value) {
  const std::vector<double> v = to_doubles(value, "landmarks");
  if (v.size() != 10) fail(Code::OPTION_TYPE, "Expected five points for landmarks", "pass x and y of five points");
  Landmarks landmarks;
  for (size_t i = 0; i < 5; ++i) landmarks[i] = {v[2 * i], v[2 * i + 1]};
  return landmarks;
}

}  // namespace

Napi::Value EngineHandle::detect_faces(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = NetworkHandle::get(info[0], "detector");
    onnx_of(loaded);
    const Napi::Object o = object_of(info[2], "options");
    const DetectOptions options{static_cast<int>(number_of(o, "size")), static_cast<float>(number_of(o, "threshold")),
                                static_cast<float>(number_of(o, "nms"))};
    if (options.size < 32 || options.size > 8192 || options.size % 32 != 0)
      fail(Code::OPTION_RANGE,
           "Expected a multiple of 32 from 32 to 8192 for detSize but received " + std::to_string(options.size),
           "pass a multiple of 32", {{"option", "detSize"}});
    return post(info.Env(), o, info.Env().Undefined(),
                [loaded, image = to_image(info[1], "image"), options](Job& job) -> Finish {
                  auto faces = std::make_shared<std::vector<Detection>>(
                      ipa::detect_faces(*loaded->onnx, image, options, job.stop()));
                  return [faces](Napi::Env env) -> Napi::Value {
                    Napi::Array list = Napi::Array::New(env, faces->size());
                    for (size_t i = 0; i < faces->size(); ++i) {
                      const Detection& face = (*faces)[i];
                      Napi::Object object = Napi::Object::New(env);
                      object.Set("score", face.score);
                      object.Set("box", from_numbers<float>(env, {face.x1, face.y1, face.x2, face.y2}));
                      std::vector<double> points;
                      for (const Point& p : face.landmarks) points.push_back(p.x), points.push_back(p.y);
                      object.Set("landmarks", from_numbers(env, points));
                      list.Set(static_cast<uint32_t>(i), object);
                    }
                    return list;
                  };
                });
  });
}

Napi::Value EngineHandle::align_face(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int size = static_cast<int>(info[2].ToNumber().DoubleValue());
    return post(info.Env(), info[3], info.Env().Undefined(),
                [image = to_image(info[0], "image"), landmarks = to_landmarks(info[1]), size](Job&) -> Finish {
                  auto crop = std::make_shared<Image8>(face_crop(image, landmarks, size));
                  return [crop](Napi::Env env) -> Napi::Value { return from_image(env, *crop); };
                });
  });
}

Napi::Value EngineHandle::identify(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = NetworkHandle::get(info[0], "recognizer");
    onnx_of(loaded);
    return post(info.Env(), info[2], info.Env().Undefined(),
                [loaded, crop = to_image(info[1], "crop")](Job& job) -> Finish {
                  auto out = std::make_shared<std::vector<float>>(ipa::identify(*loaded->onnx, crop, job.stop()));
                  return [out](Napi::Env env) -> Napi::Value { return from_floats(env, *out); };
                });
  });
}

}  // namespace ipa::binding
