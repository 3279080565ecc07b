// Calls of Engine about a picture that a run begins with: where it is painted anew, its latents, and its way back.
#include <cmath>
#include <string>

#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/handles.h"
#include "core/error.h"
#include "image/init_picture.h"
#include "runtime/autoencoder.h"
#include "runtime/upscale.h"

namespace ipa::binding {

namespace {

constexpr int kMostSide = 65536;  // pixels

int whole_of(const Napi::Object& o, const char* name, int least, int most) {
  const double v = number_of(o, name);
  if (v < least || v > most || v != std::floor(v))
    fail(Code::OPTION_RANGE,
         "Expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) + " for " + name +
             " but received " + std::to_string(v),
         "pass a number in that range", {{"option", name}});
  return static_cast<int>(v);
}

Napi::Object from_region(Napi::Env env, const Region& r) {
  Napi::Object o = Napi::Object::New(env);
  o.Set("left", r.left);
  o.Set("top", r.top);
  o.Set("width", r.width());
  o.Set("height", r.height());
  return o;
}

Napi::Uint8Array from_bytes(Napi::Env env, const std::vector<uint8_t>& bytes) {
  Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
  std::copy(bytes.begin(), bytes.end(), array.Data());
  return array;
}

// One byte a pixel.
std::optional<Image8> optional_grey(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  const std::string what = "mask";
  const Napi::Object o = object_of(value, what);
  Image8 image(whole_of(o, "width", 1, kMostSide), whole_of(o, "height", 1, kMostSide), 1);
  const Napi::Value data = o.Get("data");
  if (!data.IsTypedArray() || data.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array ||
      data.As<Napi::Uint8Array>().ElementLength() != image.data.size())
    fail(Code::OPTION_TYPE, "Expected a Uint8Array of one byte a pixel for " + what, "pass grey values",
         {{"option", what}});
  const auto bytes = data.As<Napi::Uint8Array>();
  image.data.assign(bytes.Data(), bytes.Data() + bytes.ElementLength());
  return image;
}

std::optional<Region> to_region(const Napi::Value& value, const Image8& within) {
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object o = object_of(value, "region");
  const int left = whole_of(o, "left", 0, within.width - 1), top = whole_of(o, "top", 0, within.height - 1);
  return Region{left, top, left + whole_of(o, "width", 1, within.width - left),
                top + whole_of(o, "height", 1, within.height - top)};
}

}  // namespace

Napi::Value EngineHandle::prepare_init(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object o = object_of(info[1], "options");
    InitPicture init{to_image(info[0], "image"), optional_grey(o.Get("mask"))};
    InitSize size{whole_of(o, "width", 1, kMostSide), whole_of(o, "height", 1, kMostSide), whole_of(o, "factor", 1, 64),
                  std::nullopt};
    if (!o.Get("padding").IsUndefined()) size.padding = whole_of(o, "padding", 0, kMostSide);
    const bool blurred = flag_or(o, "blurred", false);
    return post(info.Env(), o, info.Env().Undefined(), [init = std::move(init), size, blurred](Job&) -> Finish {
      auto out = std::make_shared<PreparedInit>(prepare(init, size, blurred));
      return [out, size](Napi::Env env) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("picture", from_image(env, out->picture));
        if (out->region) object.Set("region", from_region(env, *out->region));
        if (out->hidden.empty()) return object;
        object.Set("hidden", from_bytes(env, out->hidden));
        const Shape shape{1, size.height / size.factor, size.width / size.factor, 1};
        object.Set("mask", from_tensor(env, {shape, out->mask}));
        return object;
      };
    });
  });
}

Napi::Value EngineHandle::finish_init(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object o = object_of(info[2], "options");
    InitPicture init{to_image(info[1], "image"), optional_grey(o.Get("mask"))};
    const FinishRule rule{to_region(o.Get("region"), init.image), whole_of(o, "soft", 0, kMostSide),
                          flag_or(o, "colorMatch", false)};
    return post(info.Env(), o, info.Env().Undefined(),
                [painted = to_image(info[0], "painted"), init = std::move(init), rule](Job&) -> Finish {
                  auto out = std::make_shared<Image8>(finish(painted, init, rule));
                  return [out](Napi::Env env) -> Napi::Value { return from_image(env, *out); };
                });
  });
}

Napi::Value EngineHandle::upscale(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object o = object_of(info[1], "options");
    const int width = whole_of(o, "width", 1, kMostSide), height = whole_of(o, "height", 1, kMostSide);
    return post(info.Env(), o, info.Env().Undefined(),
                [latents = to_tensor(info[0], "latents"), width, height](Job&) -> Finish {
                  auto out = std::make_shared<Tensor>(upscaled(latents, height, width));
                  return [out](Napi::Env env) -> Napi::Value { return from_tensor(env, *out); };
                });
  });
}

Napi::Value EngineHandle::ellipse(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object o = object_of(info[0], "options");
    const int width = whole_of(o, "width", 1, kMostSide), height = whole_of(o, "height", 1, kMostSide);
    const Ellipse of{number_of(o, "x"), number_of(o, "y"), number_of(o, "across"), number_of(o, "down")};
    if (of.across <= 0 || of.down <= 0)
      fail(Code::OPTION_RANGE, "Expected an ellipse with two half axes above 0", "pass them in pixels");
    return post(info.Env(), o, info.Env().Undefined(), [width, height, of](Job&) -> Finish {
      auto out = std::make_shared<Image8>(ellipse_mask(width, height, of));
      return [out](Napi::Env env) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("width", out->width);
        object.Set("height", out->height);
        object.Set("data", from_bytes(env, out->data));
        return object;
      };
    });
  });
}

Napi::Value EngineHandle::encode(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto vae = NetworkHandle::get(info[0], "vae");
    network_of(vae, NetworkKind::vae, "vae");
    const Napi::Object o = object_of(info[2], "options");
    Image8 image = to_image(info[1], "image");
    const int factor = vae->tiny ? TinyAutoencoderConfig::kFactor : vae->vae.factor();
    if (vae->tiny && !vae->tiny->encodes)
      fail(Code::MODEL_FORMAT_UNSUPPORTED, "the tiny autoencoder that was loaded has a decoder alone",
           "begin with noise, or load the file that has both halves", {{"option", "init"}});
    if (image.width % factor != 0 || image.height % factor != 0)
      fail(Code::OPTION_RANGE,
           "Expected sides that are multiples of " + std::to_string(factor) + " but received " +
               std::to_string(image.width) + " x " + std::to_string(image.height),
           "resize the picture", {{"option", "image"}});
    std::vector<uint8_t> hidden;
    if (const Napi::Value value = o.Get("hidden"); !value.IsUndefined()) {
      const size_t pixels = image.data.size() / 3;
      if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array ||
          value.As<Napi::Uint8Array>().ElementLength() != pixels)
        fail(Code::OPTION_TYPE, "Expected a Uint8Array of one byte a pixel for hidden", "pass what prepareInit gave");
      const auto bytes = value.As<Napi::Uint8Array>();
      hidden.assign(bytes.Data(), bytes.Data() + pixels);
    }
    return post(info.Env(), o, info.Env().Undefined(),
                [vae, image = std::move(image), hidden = std::move(hidden),
                 scaling = number_of(o, "scalingFactor")](Job& job) -> Finish {
                  auto out = std::make_shared<Posterior>(ipa::encode(*vae, image, hidden, scaling, job.stop()));
                  return [out](Napi::Env env) -> Napi::Value {
                    Napi::Object object = Napi::Object::New(env);
                    object.Set("mean", from_tensor(env, out->mean));
                    object.Set("spread", from_tensor(env, out->spread));
                    return object;
                  };
                });
  });
}

}  // namespace ipa::binding
