#include "binding/convert.h"

#include <cmath>
#include <cstring>

#include "core/error.h"

namespace ipa::binding {

namespace {

[[noreturn]] void wrong_type(const std::string& what, const std::string& expected) {
  fail(Code::OPTION_TYPE, "Expected " + expected + " for " + what, "pass " + expected, {{"option", what}});
}

double finite(const Napi::Value& value, const std::string& what) {
  if (!value.IsNumber()) wrong_type(what, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number))
    fail(Code::OPTION_RANGE, "Expected a finite number for " + what, "pass a finite number", {{"option", what}});
  return number;
}

}  // namespace

Napi::Object object_of(const Napi::Value& value, const std::string& what) {
  if (!value.IsObject()) wrong_type(what, "an object");
  return value.As<Napi::Object>();
}

Napi::Array array_of(const Napi::Value& value, const std::string& what) {
  if (!value.IsArray()) wrong_type(what, "a list");
  return value.As<Napi::Array>();
}

Napi::Value optional_value(const Napi::Value& object, const char* name) {
  return object.IsObject() ? object.As<Napi::Object>().Get(name) : object.Env().Undefined();
}

std::vector<float> to_floats(const Napi::Value& value, const std::string& what) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array) {
    const auto array = value.As<Napi::Float32Array>();
    return {array.Data(), array.Data() + array.ElementLength()};
  }
  const std::vector<double> numbers = to_doubles(value, what);
  return {numbers.begin(), numbers.end()};
}

std::vector<double> to_doubles(const Napi::Value& value, const std::string& what) {
  const Napi::Array array = array_of(value, what);
  std::vector<double> numbers(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) numbers[i] = finite(array.Get(i), what);
  return numbers;
}

Tensor to_tensor(const Napi::Value& value, const std::string& what) {
  const Napi::Object object = object_of(value, what);
  const std::vector<double> dims = to_doubles(object.Get("shape"), what + ".shape");
  if (dims.size() != 4) wrong_type(what + ".shape", "four sizes");
  for (double d : dims)
    if (d < 1 || d > 0x1p31 || d != std::floor(d)) wrong_type(what + ".shape", "four sizes from 1 up");
  Tensor tensor{{static_cast<int64_t>(dims[0]), static_cast<int64_t>(dims[1]), static_cast<int64_t>(dims[2]),
                 static_cast<int64_t>(dims[3])},
                to_floats(object.Get("data"), what + ".data")};
  if (dims[0] * dims[1] * dims[2] * dims[3] != static_cast<double>(tensor.data.size()))
    wrong_type(what + ".data", "as many numbers as its shape " + ipa::text(tensor.shape) + " says");
  return tensor;
}

Image8 to_image(const Napi::Value& value, const std::string& what) {
  const Napi::Object object = object_of(value, what);
  const double width = number_of(object, "width"), height = number_of(object, "height");
  const Napi::Value data = object.Get("data");
  if (!data.IsTypedArray() || data.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    wrong_type(what + ".data", "a Uint8Array of RGB pixels");
  const auto bytes = data.As<Napi::Uint8Array>();
  if (width < 1 || height < 1 || width * height * 3 != static_cast<double>(bytes.ElementLength()))
    wrong_type(what + ".data", "width x height x 3 bytes");
  Image8 image(static_cast<int>(width), static_cast<int>(height), 3);
  std::memcpy(image.data.data(), bytes.Data(), bytes.ElementLength());
  return image;
}

ConfigFacts to_facts(const Napi::Value& value) {
  ConfigFacts facts;
  if (!value.IsObject()) return facts;
  const Napi::Object object = value.As<Napi::Object>();
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).ToString();
    const Napi::Value v = object.Get(name);
    const auto number = [](const Napi::Value& n) {
      return n.IsBoolean() ? (n.As<Napi::Boolean>().Value() ? 1.0 : 0.0) : n.As<Napi::Number>().DoubleValue();
    };
    if (v.IsString()) {
      facts.texts[name] = v.As<Napi::String>();
    } else if (v.IsNumber() || v.IsBoolean()) {
      facts.numbers[name] = {number(v)};
    } else if (v.IsArray()) {
      const Napi::Array list = v.As<Napi::Array>();
      std::vector<double> numbers;
      for (uint32_t k = 0; k < list.Length(); ++k) {
        const Napi::Value item = list.Get(k);
        if (item.IsNumber() || item.IsBoolean()) numbers.push_back(number(item));
      }
      if (numbers.size() == list.Length() && !numbers.empty()) facts.numbers[name] = numbers;
    }
  }
  return facts;
}

std::string text_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) wrong_type(name, "a text");
  return value.As<Napi::String>();
}

std::string text_or(const Napi::Object& object, const char* name, const std::string& otherwise) {
  return object.Get(name).IsUndefined() ? otherwise : text_of(object, name);
}

double number_of(const Napi::Object& object, const char* name) { return finite(object.Get(name), name); }

double number_or(const Napi::Object& object, const char* name, double otherwise) {
  return object.Get(name).IsUndefined() ? otherwise : number_of(object, name);
}

bool flag_or(const Napi::Object& object, const char* name, bool otherwise) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return otherwise;
  if (!value.IsBoolean()) wrong_type(name, "true or false");
  return value.As<Napi::Boolean>();
}

Napi::Float32Array from_floats(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  std::memcpy(array.Data(), values.data(), values.size() * sizeof(float));
  return array;
}

Napi::Object from_tensor(Napi::Env env, const Tensor& tensor) {
  Napi::Object object = Napi::Object::New(env);
  const Shape& s = tensor.shape;
  object.Set("shape", from_numbers<int64_t>(env, {s.n, s.h, s.w, s.c}));
  object.Set("data", from_floats(env, tensor.data));
  return object;
}

Napi::Object from_image(Napi::Env env, const Image8& image) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("width", image.width);
  object.Set("height", image.height);
  Napi::Uint8Array data = Napi::Uint8Array::New(env, image.data.size());
  std::memcpy(data.Data(), image.data.data(), image.data.size());
  object.Set("data", data);
  return object;
}

Napi::Array from_tensors(Napi::Env env, const std::vector<Tensor>& tensors) {
  Napi::Array list = Napi::Array::New(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) list.Set(static_cast<uint32_t>(i), from_tensor(env, tensors[i]));
  return list;
}

std::vector<Tensor> to_tensors(const Napi::Value& value, const char* what) {
  std::vector<Tensor> tensors;
  if (value.IsUndefined()) return tensors;
  const Napi::Array array = array_of(value, what);
  for (uint32_t i = 0; i < array.Length(); ++i) tensors.push_back(to_tensor(array.Get(i), what));
  return tensors;
}

std::vector<std::vector<float>> to_float_lists(const Napi::Value& value, const char* what) {
  std::vector<std::vector<float>> lists;
  if (value.IsUndefined()) return lists;
  const Napi::Array array = array_of(value, what);
  for (uint32_t i = 0; i < array.Length(); ++i) lists.push_back(to_floats(array.Get(i), what));
  return lists;
}

}  // namespace ipa::binding
