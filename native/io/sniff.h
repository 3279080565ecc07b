#pragma once
// What a file is, decided by its content and never by its name. Whatever is not a weight file is refused here with a
// sentence of its own.
#include "io/file.h"

namespace ipa {

enum class Format { safetensors, torch_zip, torch_legacy, onnx, shard_index };

const char* format_text(Format format) noexcept;  // "safetensors", "PyTorch checkpoint" ...

// MODEL_EMPTY, MODEL_TRUNCATED, MODEL_NOT_A_MODEL, MODEL_FORMAT_UNSUPPORTED for everything else.
Format sniff(const File& file);

}  // namespace ipa
