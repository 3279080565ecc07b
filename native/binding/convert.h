#pragma once
// JavaScript values <-> the core's. Everything is copied: a buffer that changes during a call has no effect.
#include <napi.h>

#include <string>
#include <vector>

#include "image/image.h"
#include "models/configs.h"
#include "runtime/network.h"

namespace ipa::binding {

// `what` names the argument in OPTION_TYPE errors.
Tensor to_tensor(const Napi::Value& value, const std::string& what);
Image8 to_image(const Napi::Value& value, const std::string& what);
std::vector<float> to_floats(const Napi::Value& value, const std::string& what);  // Float32Array or list of numbers
std::vector<double> to_doubles(const Napi::Value& value, const std::string& what);
ConfigFacts to_facts(const Napi::Value& value);  // a parsed config.json; undefined: none

// Lists; undefined: an empty one.
std::vector<Tensor> to_tensors(const Napi::Value& value, const char* what);
std::vector<std::vector<float>> to_float_lists(const Napi::Value& value, const char* what);

std::string text_of(const Napi::Object& object, const char* name);  // required
std::string text_or(const Napi::Object& object, const char* name, const std::string& otherwise);
double number_of(const Napi::Object& object, const char* name);  // required, finite
double number_or(const Napi::Object& object, const char* name, double otherwise);
bool flag_or(const Napi::Object& object, const char* name, bool otherwise);
Napi::Object object_of(const Napi::Value& value, const std::string& what);
Napi::Array array_of(const Napi::Value& value, const std::string& what);
Napi::Value optional_value(const Napi::Value& object, const char* name);  // undefined where there is none

Napi::Object from_tensor(Napi::Env env, const Tensor& tensor);
Napi::Object from_image(Napi::Env env, const Image8& image);
Napi::Array from_tensors(Napi::Env env, const std::vector<Tensor>& tensors);
Napi::Float32Array from_floats(Napi::Env env, const std::vector<float>& values);
template <typename T>
Napi::Array from_numbers(Napi::Env env, const std::vector<T>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i)
    array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(values[i])));
  return array;
}

}  // namespace ipa::binding
