// PyTorch files: pickles that want to run something, archives that lie, views against a slow oracle.
#include "io/torch.h"

#include <array>
#include <chrono>
#include <random>

#include "../ranges.h"
#include "../test.h"
#include "hostile.h"
#include "io/zip.h"

namespace ipa::test {
namespace {

std::string u16(size_t v) { return {static_cast<char>(v), static_cast<char>(v >> 8)}; }
std::string u32(size_t v) { return u16(v & 0xFFFF) + u16(v >> 16); }

struct Member {
  std::string name, bytes;
};

// A stored archive. `spoil` may change the two headers of each member and the end record before they are joined.
std::string zip(const std::vector<Member>& members,
                const std::function<void(std::string& local, std::string& central)>& spoil = {},
                const std::function<void(std::string& end)>& spoil_end = {}) {
  std::string archive, directory;
  for (const Member& m : members) {
    const std::string sums = u32(crc32(std::as_bytes(std::span(m.bytes)))) + u32(m.bytes.size()) + u32(m.bytes.size());
    const std::string common = u16(0) + u16(0) + u32(0) + sums + u16(m.name.size()) + u16(0);  // flags, method, time
    std::string local = "PK\3\4" + u16(20) + common + m.name;
    std::string central =
        "PK\1\2" + u16(20) + u16(20) + common + u16(0) + u16(0) + u16(0) + u32(0) + u32(archive.size()) + m.name;
    if (spoil) spoil(local, central);
    archive += local + m.bytes;
    directory += central;
  }
  std::string end = "PK\5\6" + u16(0) + u16(0) + u16(members.size()) + u16(members.size()) + u32(directory.size()) +
                    u32(archive.size()) + u16(0);
  if (spoil_end) spoil_end(end);
  return archive + directory + end;
}

std::string text_op(const std::string& s) { return "X" + u32(s.size()) + s; }
std::string int_op(int64_t v) { return "J" + u32(static_cast<uint32_t>(v)); }
std::string ints_op(const Dims& dims) {
  std::string s = "(";
  for (int64_t d : dims) s += int_op(d);
  return s + "t";
}
std::string tensor_op(const std::string& key, int64_t count, int64_t offset, const Dims& size, const Dims& stride) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text_op("storage") + "ctorch\nFloatStorage\n" + text_op(key) +
         text_op("cuda:7") + int_op(count) + "tQ" + int_op(offset) + ints_op(size) + ints_op(stride) +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}
std::string pickle(const std::string& ops) { return "\x80\x02" + ops + "."; }
std::string torch(const std::string& ops, const std::string& storage = "") {
  return zip({{"any root/data.pkl", pickle(ops)}, {"any root/data/0", storage}});
}
std::string dict(const std::string& key, const std::string& value) { return "}" + text_op(key) + value + "s"; }

const std::string kSound = dict("a", tensor_op("0", 4, 0, {4}, {1}));
const std::string kSixteen(16, 'x');

}  // namespace

TEST("io: torch: a ParameterDict is the dict of its parameters, and texts beside tensors are kept") {
  const std::string parameters = "ctorch.nn.modules.container\nParameterDict\n)\x81";
  const std::string state =
      dict("_parameters", "ccollections\nOrderedDict\n)R" + text_op("*") + tensor_op("0", 4, 0, {4}, {1}) + "s");
  const std::string two =
      "}(" + text_op("string_to_param") + parameters + state + "b" + text_op("name") + text_op("ink") + "u";
  Folder folder;
  const TensorSource source = open_torch(folder.write("words.pt", torch(two, kSixteen)));
  EXPECT_EQ(source.index.size(), size_t{1});
  EXPECT(source.index.contains("string_to_param.*"));
  EXPECT_EQ(source.metadata.at("name"), "ink");
  const std::string damaged = dict("string_to_param", parameters + ")b");
  EXPECT_CODE(open_torch(folder.write("damaged.pt", torch(damaged, kSixteen))), Code::MODEL_HEADER_INVALID);
}

TEST("io: torch: nothing that a pickle names is run") {
  const char* names[] = {"os system",
                         "posix system",
                         "nt system",
                         "subprocess Popen",
                         "subprocess check_output",
                         "builtins eval",
                         "builtins exec",
                         "builtins getattr",
                         "__builtin__ eval",
                         "__builtin__ apply",
                         "builtins __import__",
                         "builtins open",
                         "builtins print",
                         "torch load",
                         "torch.hub load",
                         "torch.utils.collect_env run",
                         "numpy load",
                         "numpy.core.multiarray fromfile",
                         "runpy run_path",
                         "runpy _run_code",
                         "ctypes CDLL",
                         "importlib import_module",
                         "pickle loads",
                         "_pickle loads",
                         "marshal loads",
                         "shutil rmtree",
                         "socket socket",
                         "webbrowser open",
                         "code InteractiveInterpreter",
                         "pty spawn",
                         "asyncio.unix_events _UnixSubprocessTransport.start",
                         "bdb Bdb",
                         "pdb run",
                         "timeit timeit",
                         "cProfile run",
                         "operator attrgetter",
                         "functools partial",
                         "codecs decode",
                         "_codecs decode",
                         "types CodeType",
                         "torch._utils _rebuild_qtensor",
                         "torch._utils __dict__",
                         "collections OrderedDict.fromkeys",
                         "collections abc.sys",
                         "pytorch_lightning os.system",
                         "pytorch_lightning.x system",
                         "omegaconf.x os",
                         "omegaconf X",
                         "sys modules",
                         "copyreg _reconstructor",
                         "logging config.listen",
                         "pip main",
                         "distutils.spawn spawn",
                         "torch._inductor.codecache compile_file",
                         "torch.jit.unsupported_tensor_ops execWrapper",
                         "",
                         " ",
                         "\xff \xfe"};
  for (const char* dotted : names) {
    std::string module = dotted, name;
    if (const size_t space = module.find(' '); space != std::string::npos)
      name = module.substr(space + 1), module.resize(space);
    const std::string line = module + "\n" + name + "\n", argument = text_op("id") + "\x85";
    const auto short_text = [](const std::string& s) {
      return "\x8c" + std::string(1, static_cast<char>(s.size())) + s;
    };
    for (const std::string& ops : {
             "c" + line + argument + "R",                       // GLOBAL REDUCE
             "c" + line + argument + "\x81",                    // NEWOBJ
             "c" + line + argument + "}\x92",                   // NEWOBJ_EX
             "(" + text_op("id") + "i" + line,                  // INST
             "(c" + line + text_op("id") + "o",                 // OBJ
             dict("a", "c" + line),                             // never called
             "c" + line + "q\x05" + "0h\x05" + argument + "R",  // through the memo
         }) {
      if (const std::string got = outcome(dotted,
                                          [&] {
                                            const Folder f;
                                            open_weights(f.write("x.bin", torch(ops)));
                                          });
          got != "MODEL_UNSAFE_PICKLE")
        failed(__FILE__, __LINE__, std::string(dotted) + ": " + got);
    }
    const std::string stacked = short_text(module) + short_text(name) + "\x93" + argument + "R";
    const std::string got = outcome(dotted, [&] {
      const Folder f;
      open_weights(f.write("x.bin", torch(stacked)));
    });
    if (got != "MODEL_UNSAFE_PICKLE" && !(got == "MODEL_HEADER_INVALID" && module == "\xff"))
      failed(__FILE__, __LINE__, std::string(dotted) + " on the stack: " + got);
  }
}

TEST("io: torch: every opcode is known or refused") {
  // The opcodes of pickletools that no checkpoint needs, EXT, PERSID, LONG4 and out-of-band buffers among them.
  using namespace std::string_literals;
  for (char op :
       "P\x82\x83\x84\x8b\x92\x96\x97\x98"
       "2FILSVdgilop\0\xff"s) {
    const Folder folder;
    const std::string got = opening(folder.write("x.bin", torch(std::string(1, op) + "aaaa\nbbbb\n")));
    if (got != "MODEL_HEADER_INVALID" && got != "MODEL_UNSAFE_PICKLE")
      failed(__FILE__, __LINE__, "opcode " + std::to_string(op) + ": " + got);
  }
  expect_outcome("long4", torch("\x8b" + u32(4) + "aaaa"), "MODEL_HEADER_INVALID");
  const std::string rows[][3] = {
      {"empty stack", "R", "MODEL_HEADER_INVALID"},
      {"no mark", "t", "MODEL_HEADER_INVALID"},
      {"memo", "h\x07", "MODEL_HEADER_INVALID"},
      {"odd items", "}(" + text_op("a") + "u", "MODEL_HEADER_INVALID"},
      {"append to a number", "NNa", "MODEL_HEADER_INVALID"},
      {"build a number", "NNb", "MODEL_HEADER_INVALID"},
      {"call a storage type", "ctorch\nFloatStorage\n)R", "MODEL_HEADER_INVALID"},
      {"call text", text_op("os.system") + ")R", "MODEL_HEADER_INVALID"},
      {"below the mark", "N(0", "MODEL_HEADER_INVALID"},
      {"long text", "\x8d" + u32(0) + u32(0x7fffffff), "MODEL_TRUNCATED"},
      {"long bytes", "\x8e" + u32(0xffffffff) + u32(0xffffffff), "MODEL_TRUNCATED"},
      {"long frame", "\x95" + u32(99) + u32(0), "MODEL_TRUNCATED"},
      {"text over 1 MiB", text_op(std::string((1 << 20) + 1, 'a')), "MODEL_LIMIT"},
      {"deep lists", std::string(200, ']') + std::string(199, 'a'), "MODEL_LIMIT"},
      {"a million tuples", ")" + std::string(1'000'000, '\x85'), "MODEL_LIMIT"},
      {"a stack of 70,000", std::string(70'000, 'N'), "MODEL_LIMIT"},
      {"a number", int_op(3), "ADAPTER_UNKNOWN"},
      {"texts only", dict("note", text_op("hi")), "ADAPTER_UNKNOWN"},
      {"number as key", "}" + int_op(3) + tensor_op("0", 4, 0, {4}, {1}) + "s", "ADAPTER_UNKNOWN"},
      {"inert in the used part", "}" + text_op("a") + "cargparse\nNamespace\n)Rs", "MODEL_FORMAT_UNSUPPORTED"},
      {"the same name twice",
       "}(" + text_op("a") + tensor_op("0", 4, 0, {4}, {1}) + text_op("a") + tensor_op("0", 4, 0, {4}, {1}) + "u",
       "MODEL_HEADER_INVALID"},
  };
  for (const auto& row : rows) expect_outcome(row[0], torch(row[1], kSixteen), row[2]);
}

TEST("io: torch: lists that hold themselves and dicts that double end soon") {
  const auto start = std::chrono::steady_clock::now();
  expect_outcome("self", torch("}q\x01" + text_op("a") + "h\x01s"), "MODEL_LIMIT");
  // Linked from outside in, so no list is deep when it is put into the next.
  std::string chain;
  for (int i = 0; i < 250; ++i) chain += "]q" + std::string(1, static_cast<char>(i)) + "0";
  for (int i = 0; i + 1 < 250; ++i)
    chain += "h" + std::string(1, static_cast<char>(i)) + "h" + std::string(1, static_cast<char>(i + 1)) + "a0";
  expect_outcome("chain", torch(chain + std::string("h\0", 2)), "MODEL_LIMIT");
  // 2^60 paths through 60 lists.
  std::string doubled = "]q" + std::string(1, '\0');
  for (int i = 1; i < 60; ++i) {
    const std::string before = "h" + std::string(1, static_cast<char>(i - 1));
    doubled += "](" + before + before + "eq" + std::string(1, static_cast<char>(i));
  }
  expect_outcome("doubled", torch(doubled), "MODEL_LIMIT");
  EXPECT(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

TEST("io: torch: archives that say two things are refused") {
  const std::vector<Member> sound = {{"r/data.pkl", pickle(kSound)}, {"r/data/0", kSixteen}};
  expect_outcome("sound", zip(sound), "");
  const auto poke = [](size_t local_at, size_t central_at) {
    return [=](std::string& local, std::string& central) {
      if (local_at) local[local_at] ^= 1;
      if (central_at) central[central_at] ^= 1;
    };
  };
  const struct {
    const char* name;
    size_t local, central;
  } headers[] = {{"local name", 30, 0},          {"local size", 22, 0},     {"local packed size", 18, 0},
                 {"local method", 8, 0},         {"local flags", 7, 0},     {"local crc", 14, 0},
                 {"both flags encrypted", 6, 8}, {"both methods", 8, 10},   {"central size", 0, 24},
                 {"central name", 0, 46},        {"central offset", 0, 42}, {"both crcs", 14, 16}};
  for (const auto& h : headers) expect_outcome(h.name, zip(sound, poke(h.local, h.central)), "MODEL_ZIP_INVALID");
  for (size_t at : {4, 8, 10, 12, 16, 20}) {
    const std::string bytes = zip(sound, {}, [at](std::string& end) { end[at] ^= 1; });
    expect_outcome("end record at " + std::to_string(at), bytes, "MODEL_ZIP_INVALID");
  }
  expect_outcome("bytes after the end", zip(sound) + "x", "MODEL_ZIP_INVALID");
  expect_outcome("two archives", zip(sound) + zip(sound), "MODEL_ZIP_INVALID");
  expect_outcome("duplicate", zip({sound[0], sound[1], sound[1]}), "MODEL_ZIP_INVALID");
  expect_outcome("two pickles", zip({sound[0], sound[1], {"s/data.pkl", sound[0].bytes}}), "MODEL_ZIP_INVALID");
  for (const char* name : {"../x", "r/../../x", "/x", "r\\x", "c:x", ""})
    expect_outcome("name", zip({sound[0], sound[1], {name, "x"}}), "MODEL_ZIP_INVALID");
  expect_outcome("NUL in a name", zip({sound[0], sound[1], {std::string("r\0x", 3), "x"}}), "MODEL_ZIP_INVALID");
  // Two records of the directory for the same bytes.
  size_t members = 0;
  const std::string overlapping = zip({sound[0], sound[1], sound[1]}, [&](std::string& local, std::string& central) {
    if (++members == 3)
      central = central.substr(0, 42) + u32(30 + sound[0].name.size() + sound[0].bytes.size()) + central.substr(46),
      local.clear();
  });
  expect_outcome("overlap", overlapping, "MODEL_ZIP_INVALID");
  expect_outcome("big-endian", zip({sound[0], sound[1], {"r/byteorder", "big"}}), "MODEL_FORMAT_UNSUPPORTED");
  expect_outcome("nested folders", zip({{"a/b/data.pkl", sound[0].bytes}, {"a/b/data/0", kSixteen}}), "");
  expect_outcome("wrapped", zip({{"model.safetensors", kSixteen}}), "MODEL_FORMAT_UNSUPPORTED");
  expect_outcome("program", zip({sound[0], sound[1], {"r/code/x.py", ""}}), "MODEL_FORMAT_UNSUPPORTED");
}

TEST("io: torch: random views equal a slow oracle or lie outside") {
  const Folder folder;
  std::mt19937 random(11);
  std::array<float, 24> stored;
  for (size_t i = 0; i < stored.size(); ++i) stored[i] = static_cast<float>(i);
  const std::string storage(reinterpret_cast<const char*>(stored.data()), sizeof stored);
  int inside = 0;
  for (int trial = 0; trial < 400; ++trial) {
    Dims size, stride;
    const int64_t offset = random() % 12;
    for (size_t d = random() % 4; d > 0; --d) size.push_back(random() % 4), stride.push_back(random() % 8);
    int64_t last = offset;
    bool empty = false;
    for (size_t d = 0; d < size.size(); ++d) last += (size[d] - 1) * stride[d], empty |= size[d] == 0;
    const bool sound = empty || last < 24;
    const std::string path = folder.write("v.bin", torch(dict("v", tensor_op("0", 24, offset, size, stride)), storage));
    EXPECT_EQ(opening(path), sound ? "" : "MODEL_HEADER_INVALID");
    if (!sound) continue;
    ++inside;
    const TensorSource source = open_torch(path);
    expect_ranges(source);
    const std::vector<std::byte> bytes = read_all(source, "v");
    for (size_t i = 0; i * sizeof(float) < bytes.size(); ++i) {
      int64_t rest = static_cast<int64_t>(i), at = offset;
      for (size_t d = size.size(); d-- > 0; rest /= size[d]) at += rest % size[d] * stride[d];
      float value;
      std::memcpy(&value, bytes.data() + i * sizeof(float), sizeof value);
      if (value != static_cast<float>(at))
        failed(__FILE__, __LINE__, text(size) + " " + text(stride) + " element " + std::to_string(i));
    }
  }
  EXPECT(inside > 100);
  const std::string outside[] = {tensor_op("0", 24, 0, {4, 1 << 30, 1 << 30, 1 << 30, 1 << 30}, {1, 1, 1, 1, 1}),
                                 tensor_op("0", 24, -1, {2}, {1}), tensor_op("0", 24, 0, {2}, {-1}),
                                 tensor_op("0", 24, 0, {-2}, {1}), tensor_op("0", 24, 0, {2}, {1, 1})};
  for (const std::string& op : outside)
    expect_outcome("outside", torch(dict("v", op), storage), "MODEL_HEADER_INVALID");
  expect_outcome("expanded to 4 GiB", torch(dict("v", tensor_op("0", 24, 0, {1 << 30}, {0})), storage), "MODEL_LIMIT");
  expect_outcome("short storage", torch(dict("v", tensor_op("0", 25, 0, {2}, {1})), storage), "MODEL_TRUNCATED");
  expect_outcome("no storage", torch(dict("v", tensor_op("1", 24, 0, {2}, {1})), storage), "MODEL_ZIP_INVALID");
}

TEST("io: torch: lists of tensors and a lone tensor have names") {
  const Folder folder;
  const std::string tensor = tensor_op("0", 4, 0, {4}, {1});
  EXPECT(open_weights(folder.write("a.ipadpt", torch("](" + tensor + tensor + "e", kSixteen))).index.contains("1"));
  EXPECT(open_weights(folder.write("b.ipadpt", torch(tensor, kSixteen))).index.contains("tensor"));
  const TensorSource parallel =
      open_weights(folder.write("c.pt", torch("}" + text_op("model") + dict("module.a", tensor) + "s", kSixteen)));
  EXPECT_EQ(parallel.nesting, "model.");
  EXPECT(without_nesting(parallel).index.contains("a"));
}

}  // namespace ipa::test
