#pragma once
// The test harness: TEST registers itself, main.cpp runs all. An EXPECT that fails is printed and the test goes on;
// an exception, or SKIP, ends the test.
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace ipa::test {

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

struct Skipped {
  std::string reason;
};

// Failures of the test that runs now.
inline std::vector<std::string>& failures() {
  static std::vector<std::string> texts;
  return texts;
}

inline void failed(const char* file, int line, const std::string& text) {
  std::string place = file;
  if (const size_t slash = place.rfind('/'); slash != std::string::npos) place.erase(0, slash + 1);
  failures().push_back(place + ":" + std::to_string(line) + ": " + text);
}

template <typename T>
std::string shown(const T& value) {
  if constexpr (requires(std::ostringstream & s) { s << value; }) {
    std::ostringstream s;
    s.precision(9);
    s << value;
    return s.str();
  } else {
    return "(value)";
  }
}

template <typename A, typename B>
void expect_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (!(a == b)) failed(file, line, std::string(text) + ": " + shown(a) + " is not " + shown(b));
}

template <typename F>
void expect_code(F&& f, Code code, const char* text, const char* file, int line) {
  try {
    f();
  } catch (const Error& e) {
    if (e.code != code)
      failed(file, line,
             std::string(text) + ": threw " + code_text(e.code) + " (" + e.what() + "), expected " + code_text(code));
    else if (e.hint.empty())
      failed(file, line, std::string(text) + ": " + code_text(code) + " came without a hint");
    return;
  }
  failed(file, line, std::string(text) + ": threw nothing, expected " + code_text(code));
}

// max|a - b| <= limit, element by element; the worst element and its place are printed. NaN never passes.
template <typename A, typename B>
void expect_close(const A& a, const B& b, double limit, const std::string& what, const char* file, int line) {
  if (std::size(a) != std::size(b)) {
    failed(file, line, what + ": " + shown(std::size(a)) + " elements, expected " + shown(std::size(b)));
    return;
  }
  double worst = -1;
  size_t place = 0;
  for (size_t i = 0; i < std::size(a); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (difference <= worst) continue;
    worst = difference, place = i;
    if (std::isnan(difference)) break;
  }
  if (std::size(a) > 0 && !(worst <= limit))
    failed(file, line,
           what + ": element " + shown(place) + " is " + shown(+a[place]) + ", expected " + shown(+b[place]) +
               ", difference " + shown(worst) + " over " + shown(limit));
}

}  // namespace ipa::test

#define IPA_TEST_JOIN2(a, b) a##b
#define IPA_TEST_JOIN(a, b) IPA_TEST_JOIN2(a, b)
#define TEST(name)                                                                                                     \
  static void IPA_TEST_JOIN(test_, __LINE__)();                                                                        \
  static const ::ipa::test::Registration IPA_TEST_JOIN(registration_, __LINE__)(name, IPA_TEST_JOIN(test_, __LINE__)); \
  static void IPA_TEST_JOIN(test_, __LINE__)()

#define EXPECT(cond)                                                          \
  do {                                                                        \
    if (!(cond)) ::ipa::test::failed(__FILE__, __LINE__, "not true: " #cond); \
  } while (0)
#define EXPECT_EQ(a, b) ::ipa::test::expect_equal((a), (b), #a " == " #b, __FILE__, __LINE__)
#define EXPECT_CLOSE(a, b, limit, what) ::ipa::test::expect_close((a), (b), (limit), (what), __FILE__, __LINE__)
#define EXPECT_CODE(expr, code) ::ipa::test::expect_code([&] { (void)(expr); }, (code), #expr, __FILE__, __LINE__)
#define SKIP(reason) \
  throw ::ipa::test::Skipped { reason }
