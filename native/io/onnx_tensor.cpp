#include "io/onnx_parts.h"

#include <cstring>

#include "io/checked.h"
#include "io/safetensors.h"

namespace ipa {

namespace {

// Numbers of one field, each cut to its element's width.
template <typename T>
std::vector<std::byte> narrowed(const std::vector<int64_t>& numbers) {
  std::vector<std::byte> bytes(numbers.size() * sizeof(T));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const T value = static_cast<T>(numbers[i]);
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

template <typename T>
std::vector<std::byte> as_bytes(const std::vector<T>& numbers) {
  const auto bytes = std::as_bytes(std::span(numbers));
  return {bytes.begin(), bytes.end()};
}

struct Typed {
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<int64_t> int32s, int64s, uint64s;

  // source: onnx.proto, which field holds which type
  std::vector<std::byte> bytes(DType dtype) const {
    switch (dtype) {
      case DType::f32:
      case DType::c64:
        return as_bytes(floats);
      case DType::f64:
        return as_bytes(doubles);
      case DType::i64:
        return as_bytes(int64s);
      case DType::u64:
        return as_bytes(uint64s);
      case DType::u32:
        return narrowed<uint32_t>(uint64s);
      case DType::i32:
        return narrowed<int32_t>(int32s);
      case DType::f16:
      case DType::bf16:
      case DType::u16:
      case DType::i16:
        return narrowed<uint16_t>(int32s);
      default:
        return narrowed<uint8_t>(int32s);
    }
  }
};

}  // namespace

DType onnx_dtype(int64_t elem_type) noexcept {
  // source: onnx.proto TensorProto.DataType
  switch (elem_type) {
    case 1:
      return DType::f32;
    case 2:
      return DType::u8;
    case 3:
      return DType::i8;
    case 4:
      return DType::u16;
    case 5:
      return DType::i16;
    case 6:
      return DType::i32;
    case 7:
      return DType::i64;
    case 9:
      return DType::boolean;
    case 10:
      return DType::f16;
    case 11:
      return DType::f64;
    case 12:
      return DType::u32;
    case 13:
      return DType::u64;
    case 14:
      return DType::c64;
    case 16:
      return DType::bf16;
    case 17:
      return DType::f8_e4m3;
    case 19:
      return DType::f8_e5m2;
    default:
      return DType::unknown;
  }
}

OnnxTensor read_onnx_tensor(ProtoReader proto, OnnxModel& model, std::string& name) {
  OnnxTensor tensor;
  Typed typed;
  int64_t elem_type = 0;
  bool raw = false;
  while (proto.next()) {
    switch (proto.field()) {
      case 1:
        proto.varints(tensor.info.dims);
        break;
      case 2:
        elem_type = proto.varint();
        break;
      case 3:
        proto.fail("is a segment of a tensor");
      case 4:
        proto.fixed(typed.floats);
        break;
      case 5:
        proto.varints(typed.int32s);
        break;
      case 6:
        proto.fail("holds strings");
      case 7:
        proto.varints(typed.int64s);
        break;
      case 8:
        name = proto.text();
        break;
      case 9:
        raw = true;
        tensor.bytes = proto.bytes();
        break;
      case 10:
        proto.fixed(typed.doubles);
        break;
      case 11:
        proto.varints(typed.uint64s);
        break;
      case 13:
        proto.fail("keeps its data in another file");
      case 14:
        if (proto.varint() != 0) proto.fail("keeps its data in another file");
        break;
      default:
        proto.skip();
    }
  }
  const std::string shown = "tensor " + quoted(name) + " ";
  tensor.info.dtype = onnx_dtype(elem_type);
  if (tensor.info.dtype == DType::unknown) proto.fail(shown + "has element type " + std::to_string(elem_type));
  if (tensor.info.dims.size() > kMostDimensions) proto.fail(shown + "has more than 8 dimensions");
  const auto bytes = checked_bytes(tensor.info.dims, dtype_size(tensor.info.dtype));
  if (!bytes) proto.fail(shown + "has the impossible shape " + text(tensor.info.dims));
  if (!raw) {
    model.storage.push_back(std::make_shared<const std::vector<std::byte>>(typed.bytes(tensor.info.dtype)));
    tensor.bytes = *model.storage.back();
  }
  if (*bytes != tensor.bytes.size())
    proto.fail(shown + "of shape " + text(tensor.info.dims) + " needs " + std::to_string(*bytes) + " bytes but has " +
               std::to_string(tensor.bytes.size()));
  return tensor;
}

}  // namespace ipa
