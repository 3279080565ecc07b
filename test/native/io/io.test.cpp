// Readers of weight files: files cut, flipped, replaced and disguised.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <random>

#include "../ranges.h"
#include "../test.h"
#include "hostile.h"
#include "io/json.h"
#include "io/open.h"

namespace ipa::test {
TEST("io: a file cut at any byte is truncated, never zeros") {
  const Folder folder;
  for (const char* name :
       {"files/simple.safetensors", "files/unaligned.safetensors", "files/adapter-legacy.pth", "files/adapter.bin"}) {
    const std::string whole = golden_bytes(name);
    for (size_t n = 0; n < whole.size(); ++n) {
      const std::string got = opening(folder.write("cut.bin", whole.substr(0, n)));
      if (got != (n == 0 ? "MODEL_EMPTY" : "MODEL_TRUNCATED"))
        failed(__FILE__, __LINE__, std::string(name) + " cut at " + std::to_string(n) + ": " + got);
    }
  }
  const std::string onnx = golden_bytes("onnx/conv-stride2.onnx");
  for (size_t n = 1; n < onnx.size(); ++n) {
    const std::string got = opening(folder.write("cut.onnx", onnx.substr(0, n)));
    if (got != "MODEL_TRUNCATED" && got != "MODEL_ONNX_INVALID")
      failed(__FILE__, __LINE__, "onnx cut at " + std::to_string(n) + ": " + got);
  }
}

TEST("io: flipped bits give an error or tensors, nothing worse") {
  const Folder folder;
  std::mt19937 random(7);
  const char* names[] = {
      "files/simple.safetensors", "files/views.bin", "files/adapter-legacy.pth", "files/checkpoint-with-callback.ckpt",
      "files/protocol4.bin",      "onnx/conv.onnx",  "onnx/shapes.onnx"};
  for (const char* name : names) {
    const std::string whole = golden_bytes(name);
    for (int trial = 0; trial < 600; ++trial) {
      std::string bytes = whole;
      for (uint32_t flips = 1 + random() % 3; flips > 0; --flips)
        bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8);
      opening(folder.write("flipped", bytes));
    }
  }
}

TEST("io: things that are not files answer at once") {
  const Folder folder;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(opening(folder("missing.bin")), "MODEL_NOT_FOUND");
  EXPECT_EQ(opening(""), "MODEL_NOT_FOUND");
  EXPECT_EQ(opening(std::string("a\0b", 3)), "MODEL_NOT_FOUND");
  EXPECT_EQ(opening(folder("")), "MODEL_IO");
  EXPECT_EQ(opening("/dev/zero"), "MODEL_IO");
  EXPECT_EQ(mkfifo(folder("pipe").c_str(), 0600), 0);
  EXPECT_EQ(opening(folder("pipe")), "MODEL_IO");
  EXPECT_EQ(symlink("nowhere", folder("dangling").c_str()), 0);
  EXPECT_EQ(opening(folder("dangling")), "MODEL_NOT_FOUND");
  EXPECT(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}

TEST("io: a sparse file of 200 GB is refused from its header") {
  const Folder folder;
  for (const char* head : {"", "\x10\0\0\0\0\0\0\0{", "PK\3\4", "\x80\x02\x8a\x0a", "\x08\x07\x12\x02"}) {
    const std::string path = folder.write("sparse", std::string(head, head[0] == '\x10' ? 9 : std::strlen(head)));
    EXPECT_EQ(truncate(path.c_str(), off_t{200} << 30), 0);
    EXPECT(!opening(path).empty());
  }
}

TEST("io: each wrong kind of file has its own sentence") {
  const Folder folder;
  const std::string page = "<html><head><title>Log in</title></head></html>";
  std::string utf16 = "\xff\xfe";
  for (char c : page) utf16 += std::string{c, '\0'};
  std::string tar(512, '\0');
  tar.replace(0, 5, "a.bin").replace(257, 5, "ustar");
  const struct {
    std::string bytes, code, says;
  } rows[] = {
      {page, "MODEL_NOT_A_MODEL", "web page (title: \"Log in\")"},
      {"\n  \t" + page, "MODEL_NOT_A_MODEL", "web page (title: \"Log in\")"},
      {"\xef\xbb\xbf" + page, "MODEL_NOT_A_MODEL", "web page (title: \"Log in\")"},
      {utf16, "MODEL_NOT_A_MODEL", "web page (title: \"Log in\")"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 44642768\n", "MODEL_NOT_A_MODEL",
       "of 71 bytes to a file of 44642768 bytes"},
      {"{\"error\":\"Repository is gated\"}", "MODEL_NOT_A_MODEL", "Repository is gated"},
      {"{\"error\":{\"message\":\"no\",\"code\":[1,{}]}}", "MODEL_NOT_A_MODEL", "says \"no\""},
      {"{\"_class_name\": \"StableDiffusionPipeline\"}", "MODEL_FORMAT_UNSUPPORTED", "diffusers"},
      {std::string("\x1f\x8b\x08\0\0\0\0\0\0\0", 10), "MODEL_FORMAT_UNSUPPORTED", "gzip"},
      {std::string("\xfd"
                   "7zXZ\0\0\0\0",
                   9),
       "MODEL_FORMAT_UNSUPPORTED", "xz"},
      {"\x28\xb5\x2f\xfd 1234567", "MODEL_FORMAT_UNSUPPORTED", "zstd"},
      {"7z\xbc\xaf\x27\x1c 1234567", "MODEL_FORMAT_UNSUPPORTED", "7z"},
      {"Rar!\x1a\x07 1234567", "MODEL_FORMAT_UNSUPPORTED", "rar"},
      {tar, "MODEL_FORMAT_UNSUPPORTED", "tar"},
      {"GGUF\x03 1234567", "MODEL_FORMAT_UNSUPPORTED", "GGUF"},
      {"\x89HDF\r\n\x1a\n 1234567", "MODEL_FORMAT_UNSUPPORTED", "Keras"},
      {"%PDF-1.7 1234567", "MODEL_NOT_A_MODEL", "PDF"},
      {"\xff\xd8\xff\xe0 1234567", "MODEL_NOT_A_MODEL", "JPEG"},
      {"\x7f"
       "ELF 1234567",
       "MODEL_NOT_A_MODEL", "program"},
      {"\x80\x04\x95 1234567", "MODEL_FORMAT_UNSUPPORTED", "bare pickle"},
  };
  for (const auto& row : rows) {
    const std::string path = folder.write("model.safetensors", row.bytes);
    EXPECT_EQ(opening(path), row.code);
    if (message(path).find(row.says) == std::string::npos)
      failed(__FILE__, __LINE__, "does not say '" + row.says + "': " + message(path));
  }
}

TEST("io: safetensors headers that two readers could read differently are refused") {
  const std::string f32 = R"("dtype":"F32","shape":[1],"data_offsets":)";
  const auto one = [](const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const struct {
    const char* name;
    std::string header, code;
    size_t data;
  } rows[] = {
      {"sound", one("[1]", "[0,4]"), "", 4},
      {"trailing blanks", one("[1]", "[0,4]") + "   ", "", 4},
      {"leading blanks", "  " + one("[1]", "[0,4]"), "", 4},
      {"empty tensor", one("[0,9007199254740992]", "[0,0]"), "", 0},
      {"scalar", one("[]", "[0,4]"), "", 4},
      {"unknown field", R"({"a":{"more":{"b":[]},)" + f32 + "[0,4]}}", "", 4},
      {"prototype names", R"({"__metadata__":{"__proto__":"x"},"constructor":{)" + f32 + "[0,4]}}", "", 4},
      {"the same range twice", "{\"a\":{" + f32 + "[0,4]},\"a\":{" + f32 + "[0,4]}}", "MODEL_HEADER_INVALID", 4},
      {"twice through an escape", "{\"a\":{" + f32 + "[0,4]},\"\\u0061\":{" + f32 + "[4,8]}}", "MODEL_HEADER_INVALID",
       8},
      {"overlap", "{\"a\":{" + f32 + "[0,4]},\"b\":{" + f32 + "[2,6]}}", "MODEL_HEADER_INVALID", 6},
      {"hole", "{\"a\":{" + f32 + "[0,4]},\"b\":{" + f32 + "[8,12]}}", "MODEL_HEADER_INVALID", 12},
      {"trailing byte", one("[1]", "[0,4]"), "MODEL_HEADER_INVALID", 5},
      {"begin after end", one("[1]", "[4,0]"), "MODEL_HEADER_INVALID", 4},
      {"wrong size", one("[2]", "[0,4]"), "MODEL_HEADER_INVALID", 4},
      {"product overflows beside a zero", one("[0,9007199254740992,9007199254740992]", "[0,0]"), "MODEL_HEADER_INVALID",
       0},
      {"negative", one("[-1]", "[0,4]"), "MODEL_HEADER_INVALID", 4},
      {"minus zero", one("[1]", "[-0,4]"), "MODEL_HEADER_INVALID", 4},
      {"fraction", one("[1.0]", "[0,4]"), "MODEL_HEADER_INVALID", 4},
      {"exponent", one("[1e0]", "[0,4]"), "MODEL_HEADER_INVALID", 4},
      {"string", one("[\"1\"]", "[0,4]"), "MODEL_HEADER_INVALID", 4},
      {"above 2^53", one("[9007199254740993]", "[0,4]"), "MODEL_HEADER_INVALID", 4},
      {"above 2^64", one("[18446744073709551617]", "[0,4]"), "MODEL_HEADER_INVALID", 4},
      {"three offsets", one("[1]", "[0,4,4]"), "MODEL_HEADER_INVALID", 4},
      {"rank 9", one("[1,1,1,1,1,1,1,1,1]", "[0,4]"), "MODEL_LIMIT", 4},
      {"long name", "{\"" + std::string(1025, 'n') + "\":{" + f32 + "[0,4]}}", "MODEL_LIMIT", 4},
      {"comma at the end", "{\"a\":{" + f32 + "[0,4]},}", "MODEL_HEADER_INVALID", 4},
      {"comment", "{/**/\"a\":{" + f32 + "[0,4]}}", "MODEL_HEADER_INVALID", 4},
      {"NUL", std::string("{\"a\":{\0", 7) + f32 + "[0,4]}}", "MODEL_HEADER_INVALID", 4},
      {"lone surrogate", "{\"\\ud800\":{" + f32 + "[0,4]}}", "MODEL_HEADER_INVALID", 4},
      {"text after the end", one("[1]", "[0,4]") + "{}", "MODEL_HEADER_INVALID", 4},
      {"metadata twice", R"({"__metadata__":{},"__metadata__":{}})", "MODEL_HEADER_INVALID", 0},
      {"exotic type that nobody reads", R"({"a":{"dtype":"F8_E8M0","shape":[4],"data_offsets":[0,4]}})", "TENSOR_DTYPE",
       4},
  };
  const Folder folder;
  for (const auto& row : rows) {
    const std::string got = opening(folder.write("a.safetensors", safetensors(row.header, row.data)));
    if (got != row.code) failed(__FILE__, __LINE__, std::string(row.name) + ": " + (got.empty() ? "loaded" : got));
  }
  const TensorSource exotic = open_weights(folder("a.safetensors"));  // opens; only reading the tensor fails
  EXPECT_EQ(exotic.index.size(), size_t{1});
  std::string many = "{";
  for (int i = 0; i < 200'001; ++i)
    many += (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  expect_outcome("many.safetensors", safetensors(many + "}", 0), "MODEL_LIMIT");
  expect_outcome("deep.safetensors", safetensors("{\"a\":" + std::string(100'000, '['), 0), "MODEL_LIMIT");
  expect_outcome("zero.safetensors", u64(0) + "          ", "MODEL_HEADER_INVALID");
}

TEST("io: a misleading name is a warning, not a reason") {
  const Folder folder;
  const auto warned = [](const TensorSource& s) {
    for (const auto& [code, sentence] : s.warnings)
      if (code == "FILE_NAME_MISLEADING") return true;
    return false;
  };
  const std::string torch = golden_bytes("files/simple.bin"), legacy = golden_bytes("files/simple-legacy.bin"),
                    safe = golden_bytes("files/simple.safetensors");
  EXPECT(warned(open_weights(folder.write("a.safetensors", torch))));
  EXPECT(warned(open_weights(folder.write("b.safetensors", legacy))));
  EXPECT(warned(open_weights(folder.write("c.bin", safe))));
  EXPECT(warned(open_weights(folder.write("d.ckpt", safe))));
  EXPECT(warned(open_weights(folder.write("e.Safetensors", safe))));
  EXPECT(!warned(open_weights(folder.write("f.safetensors", safe))));
  EXPECT(!warned(open_weights(folder.write("g.pth", legacy))));
  EXPECT(!warned(open_weights(folder.write("h", torch))));
}

TEST("io: training left-overs are announced and the nesting can be opened") {
  const TensorSource source = open_weights(golden_path("files/checkpoint-with-callback.ckpt"));
  EXPECT_EQ(source.warnings.size(), size_t{1});
  EXPECT(source.warnings.at(0).second.find("ModelCheckpoint") != std::string::npos);
  EXPECT_EQ(source.nesting, "state_dict.");
  const Contents nested = read_every(source), opened = read_every(without_nesting(source));
  EXPECT(opened.contains("w") && opened.at("w") == nested.at("state_dict.w"));
}

TEST("io: a file that changes under an open source is noticed") {
  const Folder folder;
  const std::string bytes = golden_bytes("files/simple.safetensors");
  const std::string path = folder.write("a.safetensors", bytes);
  {
    const TensorSource source = open_weights(path);
    folder.write("b.safetensors", bytes);
    EXPECT_EQ(rename(folder("b.safetensors").c_str(), path.c_str()), 0);
    EXPECT_EQ(outcome("renamed over", [&] { read_every(source); }), "");  // the old file is read to its end
  }
  for (const off_t size : {static_cast<off_t>(bytes.size()) - 40, static_cast<off_t>(bytes.size()) + 1}) {
    folder.write("a.safetensors", bytes);
    const TensorSource source = open_weights(path);
    EXPECT_EQ(truncate(path.c_str(), size), 0);
    EXPECT_EQ(outcome("resized", [&] { read_every(source); }), "MODEL_CHANGED");
  }
  folder.write("a.safetensors", bytes);
  const TensorSource source = open_weights(path);
  usleep(20'000);  // longer than the clock of the file system ticks
  folder.rewrite("a.safetensors", bytes);
  EXPECT_EQ(outcome("rewritten", [&] { read_every(source); }), "MODEL_CHANGED");
}

// Its time of change is that of the links then, and the other time can be set.
TEST("io: a file that lost a name and was written under another is noticed by its beginning") {
  const Folder folder;
  const std::string bytes = golden_bytes("files/simple.safetensors");
  for (const size_t changed : {size_t{10}, bytes.size()}) {
    const std::string path = folder.write("a.safetensors", bytes), other = folder("b.safetensors");
    std::filesystem::create_hard_link(path, other);
    const TensorSource source = open_weights(path);
    const auto time = std::filesystem::last_write_time(path);
    std::filesystem::remove(path);
    std::string now = bytes;
    if (changed < now.size()) now[changed] ^= 1;
    folder.rewrite("b.safetensors", now);
    std::filesystem::last_write_time(other, time);
    EXPECT_EQ(outcome("written", [&] { read_every(source); }), changed < now.size() ? "MODEL_CHANGED" : "");
    std::filesystem::remove(other);
  }
}

TEST("io: any part of a tensor is that part of the whole, in every container") {
  size_t files = 0, scattered = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden_path("files"))) {
    if (entry.path().extension() == ".json") continue;
    const TensorSource source = open_weights(entry.path().string());
    expect_ranges(source);
    expect_ranges(without_nesting(source));
    ++files;
    for (const auto& [name, info] : source.index) scattered += info.scattered;
  }
  EXPECT(files > 10);
  EXPECT(scattered > 0);
  const TensorSource simple = open_weights(golden_path("files/simple.safetensors"));
  const auto& [name, info] = *simple.index.begin();
  std::vector<std::byte> out(dtype_size(info.dtype));
  EXPECT_CODE(simple.read(name, dtype_size(info.dtype) * static_cast<uint64_t>(product(info.dims)), out),
              Code::INTERNAL);
  EXPECT_CODE(simple.read(name, ~uint64_t{0}, out), Code::INTERNAL);
}

TEST("io: shards are plain names beside their index") {
  const Folder folder;
  const auto shard = [](const std::string& name) {
    return safetensors("{\"" + name + R"(":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2);
  };
  folder.write("s1.safetensors", shard("a"));
  folder.write("s2.safetensors", shard("b"));
  folder.write("s3.safetensors", shard("a"));
  EXPECT_EQ(symlink("/etc/passwd", folder("out.safetensors").c_str()), 0);
  const auto index = [&](const std::string& map) {
    return opening(
        folder.write("m.safetensors.index.json", R"({"metadata":{"total_size":4},"weight_map":)" + map + "}"));
  };
  EXPECT_EQ(index(R"({"a":"s1.safetensors","b":"s2.safetensors"})"), "");
  EXPECT_EQ(open_weights(folder("m.safetensors.index.json")).index.size(), size_t{2});
  expect_ranges(open_weights(folder("m.safetensors.index.json")));
  for (const char* map :
       {R"({"a":"../s1.safetensors"})", R"({"a":"/etc/passwd"})", R"({"a":"out.safetensors"})",
        R"({"a":"s9.safetensors"})", R"({"a":"s1.safetensors","b":"s3.safetensors"})",
        R"({"a":"s2.safetensors","b":"s1.safetensors"})", R"({"a":"s1.safetensors","c":"s2.safetensors"})",
        R"({"a":"s1.safetensors","a":"s1.safetensors"})", R"({"a":1})", R"({"a":"m.safetensors.index.json"})",
        R"({"a":""})", R"({"a":".."})"})
    if (const std::string got = index(map); got != "MODEL_HEADER_INVALID")
      failed(__FILE__, __LINE__, std::string(map) + ": " + got);
}

TEST("io: JSON is read exactly") {
  const ipa::Json v =
      parse_json(R"( {"a":[1,-2.5e1,9223372036854775807,true,null],"é":"\ud83d\ude00\n\u00e9","a":{}} )", "t");
  EXPECT_EQ(v.members.size(), size_t{3});  // a repeated key stays visible
  EXPECT_EQ(v.find("a")->items.at(2).integer, INT64_MAX);
  EXPECT_EQ(v.find("a")->items.at(1).real, -25.0);
  EXPECT_EQ(v.find("é")->text, "😀\né");
  for (const char* bad : {"", "{", "[1,]", "{\"a\"}", "01", "1.", "\"\\x\"", "\"a", "[1 2]", "nul", "{}x", "]",
                          "\"\xc0\x80\"", "-", "{\"a\":1,}", "[}"})
    EXPECT_CODE(parse_json(bad, "t"), Code::MODEL_HEADER_INVALID);
  EXPECT_CODE(parse_json(std::string(100, '['), "t", 64), Code::MODEL_LIMIT);
  EXPECT_CODE(parse_json("[1,2,3]", "t", 64, 2), Code::MODEL_LIMIT);
}

}  // namespace ipa::test
