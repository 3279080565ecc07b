#pragma once
// Instruction vectors as text, one case a line, and what the emulator makes of them:
//   {"wrapper": "multiply_k16_f16", "source": "where from", "in": [32 texts], "out": [32 texts]}
// A text has the words of one lane in hexadecimal, between blanks; which words, vector_wrappers.h says. Bits must
// agree; approximate functions of the card may differ by the limit there.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/json.h"
#include "vector_wrappers.h"
#include "warp.h"

namespace ipa::cuda::vectors {

struct Wrapper {
  const char* name;
  size_t inputs, outputs;  // words of a lane
  double limit;
  Draw draw;
  void (*run)(const uint32_t* in, uint32_t* out, uint32_t* own);
};

// clang-format off
#define IPA_WRAPPER_ROW(name, inputs, outputs, limit, draw, ...) \
  {#name, inputs, outputs, limit, Draw::draw,                    \
   []([[maybe_unused]] const uint32_t* in, uint32_t* out, [[maybe_unused]] uint32_t* own) { __VA_ARGS__; }},
inline const Wrapper kWrappers[] = {IPA_WRAPPERS(IPA_WRAPPER_ROW) IPA_BF16_WRAPPERS(IPA_WRAPPER_ROW)};
#undef IPA_WRAPPER_ROW
// clang-format on

struct Vector {
  std::string wrapper;
  std::vector<uint32_t> in, out;  // lane after lane
};

inline std::vector<uint32_t> words(const Json* lanes, size_t of_a_lane, const std::string& where) {
  std::vector<uint32_t> all;
  if (!lanes || lanes->items.size() != 32) throw std::runtime_error(where + ": expected 32 lanes");
  for (const Json& lane : lanes->items) {
    std::istringstream text(lane.text);
    size_t count = 0;
    for (std::string word; text >> word; ++count) {
      size_t end = 0;
      if (word.size() == 8) all.push_back(static_cast<uint32_t>(std::stoul(word, &end, 16)));
      if (end != 8) throw std::runtime_error(where + ": \"" + word + "\" is no word of 8 hexadecimal digits");
    }
    if (count != of_a_lane) throw std::runtime_error(where + ": a lane has " + std::to_string(count) + " words");
  }
  return all;
}

inline const Wrapper& wrapper_named(const std::string& name, const std::string& where) {
  for (const Wrapper& wrapper : kWrappers)
    if (name == wrapper.name) return wrapper;
  throw std::runtime_error(where + ": no wrapper is called \"" + name + "\"");
}

inline Vector vector_from(const std::string& line, const std::string& where) {
  const Json record = parse_json(line, where);
  const Json* const name = record.find("wrapper");
  Vector v;
  v.wrapper = name ? name->text : "";
  const Wrapper& wrapper = wrapper_named(v.wrapper, where);
  v.in = words(record.find("in"), wrapper.inputs, where + " in");
  v.out = words(record.find("out"), wrapper.outputs, where + " out");
  return v;
}

inline std::string line_of(const Vector& v, const std::string& source) {
  const auto lanes = [](const std::vector<uint32_t>& words) {
    const size_t of_a_lane = words.size() / 32;
    std::string text;
    for (size_t i = 0; i < words.size(); ++i) {
      char word[12];
      std::snprintf(word, sizeof word, "%08x", words[i]);
      text += i % of_a_lane > 0 ? " " : i > 0 ? "\", \"" : "[\"";
      text += word;
    }
    return text + "\"]";
  };
  return R"({"wrapper": ")" + v.wrapper + R"(", "source": ")" + source + R"(", "in": )" + lanes(v.in) + R"(, "out": )" +
         lanes(v.out) + "}";
}

// What the emulator makes of the inputs.
inline std::vector<uint32_t> emulated(const Vector& v) {
  const Wrapper& wrapper = wrapper_named(v.wrapper, v.wrapper);
  struct alignas(16) Own {
    uint32_t words[4];
  };
  std::vector<Own> own(32);
  std::vector<uint32_t> out(32 * wrapper.outputs);
  run_warp(
      [&](uint32_t lane) { wrapper.run(&v.in[lane * wrapper.inputs], &out[lane * wrapper.outputs], own[lane].words); },
      kSharedBytes);
  return out;
}

// Empty, or where the emulator differs.
inline std::string difference(const Vector& v) {
  const Wrapper& wrapper = wrapper_named(v.wrapper, v.wrapper);
  const std::vector<uint32_t> out = emulated(v);
  for (size_t i = 0; i < out.size(); ++i) {
    const double got = float_of(out[i]), expected = float_of(v.out[i]);
    if (out[i] == v.out[i] || (wrapper.limit > 0 && std::abs(got - expected) <= wrapper.limit * std::abs(expected)))
      continue;
    char text[96];
    std::snprintf(text, sizeof text, "lane %zu, word %zu is %08x, expected %08x", i / wrapper.outputs,
                  i % wrapper.outputs, out[i], v.out[i]);
    return v.wrapper + ": " + text;
  }
  return {};
}

}  // namespace ipa::cuda::vectors
