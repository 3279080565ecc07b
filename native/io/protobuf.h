#pragma once
// The wire format of protobuf, one message at a time. A message inside a message is another reader over its bytes.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/bytes.h"

namespace ipa {

class ProtoReader {
 public:
  // `path` is shown in messages: file name, then the fields that lead here, "det.onnx: graph.node[3]".
  ProtoReader(std::span<const std::byte> bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}

  // Next field or false at the end of the message. Groups and unknown wire types are refused.
  bool next() {
    if (at_ == bytes_.size()) return false;
    const uint64_t tag = raw_varint();
    field_ = static_cast<uint32_t>(tag >> 3);
    wire_ = static_cast<uint32_t>(tag & 7);
    if (tag >> 32 || field_ == 0) fail("has a field with an impossible number");
    if (wire_ != kVarint && wire_ != kFixed64 && wire_ != kBytes && wire_ != kFixed32)
      fail("field " + std::to_string(field_) + " has wire type " + std::to_string(wire_));
    return true;
  }
  uint32_t field() const noexcept { return field_; }

  int64_t varint() {
    expect(kVarint);
    return static_cast<int64_t>(raw_varint());
  }
  float f32() {
    expect(kFixed32);
    return load<float>(take(4).data());
  }
  std::span<const std::byte> bytes() {
    expect(kBytes);
    return take(raw_varint());
  }
  std::string text() {
    const std::span<const std::byte> b = bytes();
    return std::string(reinterpret_cast<const char*>(b.data()), b.size());
  }
  ProtoReader message(const std::string& name) { return ProtoReader(bytes(), path_ + "." + name); }
  void skip() {
    if (wire_ == kVarint) raw_varint();
    if (wire_ == kFixed64) take(8);
    if (wire_ == kFixed32) take(4);
    if (wire_ == kBytes) take(raw_varint());
  }

  // Repeated numbers, packed or one by one, appended.
  void varints(std::vector<int64_t>& to) {
    if (wire_ == kVarint) return to.push_back(varint());
    ProtoReader packed(bytes(), path_);
    while (packed.at_ < packed.bytes_.size()) to.push_back(static_cast<int64_t>(packed.raw_varint()));
  }
  template <typename T>
  void fixed(std::vector<T>& to) {
    if (wire_ == (sizeof(T) == 4 ? kFixed32 : kFixed64)) return to.push_back(load<T>(take(sizeof(T)).data()));
    const std::span<const std::byte> packed = bytes();
    if (packed.size() % sizeof(T)) fail("field " + std::to_string(field_) + " is cut inside a number");
    const size_t before = to.size();
    to.resize(before + packed.size() / sizeof(T));
    if (!packed.empty()) std::memcpy(to.data() + before, packed.data(), packed.size());
  }

  [[noreturn]] void fail(const std::string& what) const {
    ipa::fail(Code::MODEL_ONNX_INVALID, path_ + " " + what + " at byte " + std::to_string(at_) + " of the message",
              "export the model again, or use the file that the adapter's authors name");
  }
  const std::string& path() const noexcept { return path_; }

 private:
  enum : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  void expect(uint32_t wire) const {
    if (wire_ != wire)
      fail("field " + std::to_string(field_) + " has wire type " + std::to_string(wire_) + " instead of " +
           std::to_string(wire));
  }
  std::span<const std::byte> take(uint64_t length) {
    if (length > bytes_.size() - at_)
      fail("field " + std::to_string(field_) + " wants " + std::to_string(length) + " of " +
           std::to_string(bytes_.size() - at_) + " bytes");
    const std::span<const std::byte> piece = bytes_.subspan(at_, length);
    at_ += length;
    return piece;
  }
  uint64_t raw_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(take(1)[0]);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail("has a number of more than 64 bits");
  }

  std::span<const std::byte> bytes_;
  std::string path_;
  size_t at_ = 0;
  uint32_t field_ = 0, wire_ = 0;
};

}  // namespace ipa
