#pragma once
// Tiny networks of the goldens written as ONNX graphs, with inputs and what the naive twins make of them.
#include <filesystem>

namespace ipa::golden {

// Every network of the table in to_onnx.cpp, as recorded and folded, in a folder of its own below `out`; prints one
// line "name TAB form TAB folder" each. What is in a folder: to_onnx/writer.h.
void networks_to_onnx(const std::filesystem::path& out);

}  // namespace ipa::golden
