#include "io/pickle_globals.h"

namespace ipa {

namespace {

struct Row {
  std::string_view module, name;
  PickleGlobal what;
  DType dtype = DType::unknown;
};

using G = PickleGlobal;

constexpr Row kUnderstood[] = {
    {"collections", "OrderedDict", G::ordered_dict},
    {"torch._utils", "_rebuild_tensor", G::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v2", G::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v3", G::rebuild_tensor_v3},
    {"torch._utils", "_rebuild_parameter", G::rebuild_parameter},
    {"torch._utils", "_rebuild_parameter_with_state", G::rebuild_parameter},
    {"torch._tensor", "_rebuild_from_type_v2", G::rebuild_from_type},
    {"torch", "Size", G::size},
    {"torch", "device", G::device},
    {"torch", "Tensor", G::tensor_type},
    {"torch.nn.parameter", "Parameter", G::rebuild_parameter},
    {"torch.nn.parameter", "Buffer", G::tensor_type},
    {"torch.nn.modules.container", "ParameterDict", G::parameter_dict},
    {"_codecs", "encode", G::encode},
    {"builtins", "set", G::set},
    {"builtins", "bytearray", G::bytearray},
    {"builtins", "complex", G::complex},

    {"torch", "DoubleStorage", G::storage_type, DType::f64},
    {"torch", "FloatStorage", G::storage_type, DType::f32},
    {"torch", "HalfStorage", G::storage_type, DType::f16},
    {"torch", "BFloat16Storage", G::storage_type, DType::bf16},
    {"torch", "LongStorage", G::storage_type, DType::i64},
    {"torch", "IntStorage", G::storage_type, DType::i32},
    {"torch", "ShortStorage", G::storage_type, DType::i16},
    {"torch", "CharStorage", G::storage_type, DType::i8},
    {"torch", "ByteStorage", G::storage_type, DType::u8},
    {"torch", "BoolStorage", G::storage_type, DType::boolean},
    {"torch", "ComplexFloatStorage", G::storage_type, DType::c64},
    {"torch", "UntypedStorage", G::untyped_storage, DType::u8},
    {"torch.storage", "UntypedStorage", G::untyped_storage, DType::u8},
    {"torch.storage", "TypedStorage", G::untyped_storage, DType::u8},

    {"torch", "float64", G::dtype, DType::f64},
    {"torch", "float32", G::dtype, DType::f32},
    {"torch", "float16", G::dtype, DType::f16},
    {"torch", "bfloat16", G::dtype, DType::bf16},
    {"torch", "float8_e4m3fn", G::dtype, DType::f8_e4m3},
    {"torch", "float8_e5m2", G::dtype, DType::f8_e5m2},
    {"torch", "int64", G::dtype, DType::i64},
    {"torch", "int32", G::dtype, DType::i32},
    {"torch", "int16", G::dtype, DType::i16},
    {"torch", "int8", G::dtype, DType::i8},
    {"torch", "uint64", G::dtype, DType::u64},
    {"torch", "uint32", G::dtype, DType::u32},
    {"torch", "uint16", G::dtype, DType::u16},
    {"torch", "uint8", G::dtype, DType::u8},
    {"torch", "bool", G::dtype, DType::boolean},
    {"torch", "complex64", G::dtype, DType::c64},
};

// Seen in training checkpoints. The plain types are the factories of defaultdict and the fields of configurations.
constexpr Row kInert[] = {
    {"numpy.core.multiarray", "scalar", G::inert},
    {"numpy._core.multiarray", "scalar", G::inert},
    {"numpy.core.multiarray", "_reconstruct", G::inert},
    {"numpy._core.multiarray", "_reconstruct", G::inert},
    {"numpy", "dtype", G::inert},
    {"numpy", "ndarray", G::inert},
    {"collections", "defaultdict", G::inert},
    {"argparse", "Namespace", G::inert},
    {"typing", "Any", G::inert},
    {"builtins", "int", G::inert},
    {"builtins", "float", G::inert},
    {"builtins", "bool", G::inert},
    {"builtins", "str", G::inert},
    {"builtins", "list", G::inert},
    {"builtins", "dict", G::inert},
    {"builtins", "tuple", G::inert},
};

// Classes of these packages are inert whatever their name: callbacks and configuration objects.
constexpr std::string_view kInertPackages[] = {"pytorch_lightning.", "lightning.", "lightning_fabric.", "omegaconf."};

bool is_class_name(std::string_view name) {
  if (name.empty() || name[0] < 'A' || name[0] > 'Z') return false;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

}  // namespace

std::optional<KnownGlobal> known_global(std::string_view module, std::string_view name) {
  if (module == "__builtin__") module = "builtins";
  for (const Row& row : kUnderstood)
    if (row.module == module && row.name == name) return KnownGlobal{row.what, row.dtype};
  for (const Row& row : kInert)
    if (row.module == module && row.name == name) return KnownGlobal{row.what};
  for (std::string_view package : kInertPackages)
    if (module.starts_with(package) && is_class_name(name)) return KnownGlobal{G::inert};
  return std::nullopt;
}

}  // namespace ipa
