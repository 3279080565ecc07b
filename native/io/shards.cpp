#include "io/shards.h"

#include <map>
#include <vector>

#include "io/json.h"
#include "io/open.h"
#include "io/safetensors.h"
#include "io/system.h"

namespace ipa {

namespace {

using Token = JsonReader::Token;

constexpr uint64_t kLongestIndex = uint64_t{32} << 20;  // bytes
constexpr size_t kMostShards = 1'000;
constexpr const char* kFetch = "download the index and all its shards again, from one place";

using WeightMap = std::map<std::string, std::string>;  // tensor → shard

WeightMap read_weight_map(const File& index) {
  if (index.size() > kLongestIndex) index.fail(Code::MODEL_LIMIT, "is an index of more than 32 MiB", kFetch);
  const std::string text = index.read_text(0, index.size());
  index.check_unchanged();
  JsonReader json(text, index.name(), 8);
  WeightMap map;
  bool seen = false;
  if (json.next() != Token::begin_object) json.fail("the index must be an object");
  while (json.next() == Token::key) {
    if (json.text() != "weight_map") {
      json.skip(json.next());
      continue;
    }
    if (seen) json.fail("\"weight_map\" stands twice in the index");
    seen = true;
    if (json.next() != Token::begin_object) json.fail("\"weight_map\" must be an object");
    while (json.next() == Token::key) {
      std::string tensor = json.take_text();
      if (json.next() != Token::text) json.fail("the shard of " + quoted(tensor) + " must be a file name");
      if (map.size() == kMostTensors) json.fail("more than 200,000 tensors", Code::MODEL_LIMIT);
      if (!map.emplace(tensor, json.take_text()).second)
        json.fail("tensor " + quoted(tensor) + " stands twice in the index");
    }
  }
  json.next();
  return map;
}

std::string parent(const std::string& path) {
  const size_t slash = path.find_last_of(system::kSeparators);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

// A shard is a plain name beside the index. A link may lead to another folder only where the index's own link leads
// too: download caches keep all files of a model in one folder and link to them.
std::string shard_path(const File& index, const std::string& tensor, const std::string& shard) {
  const auto refuse = [&](const std::string& why) {
    index.fail(Code::MODEL_HEADER_INVALID, "shard " + quoted(shard) + " of tensor " + quoted(tensor) + " " + why,
               kFetch);
  };
  if (shard.empty() || shard == "." || shard == ".." ||
      shard.find_first_of(std::string("/\\:\0", 4)) != std::string::npos)
    refuse("is not a plain file name");
  const std::string folder = parent(index.path()), path = folder + "/" + shard;
  const auto real = system::resolved(path), home = system::resolved(folder), itself = system::resolved(index.path());
  if (!real) refuse("is missing");
  if (parent(*real) != home && parent(*real) != parent(itself.value_or(""))) refuse("is a link that leads elsewhere");
  return path;
}

}  // namespace

TensorSource open_shards(const File& index) {
  const WeightMap map = read_weight_map(index);
  auto shards = std::make_shared<std::map<std::string, TensorSource>>();
  TensorSource source;
  source.label = index.name();
  auto home = std::make_shared<std::map<std::string, const TensorSource*, std::less<>>>();
  for (const auto& [tensor, shard] : map) {
    if (shards->contains(shard)) continue;
    if (shards->size() == kMostShards) index.fail(Code::MODEL_LIMIT, "names more than 1,000 shards", kFetch);
    auto file = std::make_shared<const File>(shard_path(index, tensor, shard));
    const TensorSource& opened = shards->emplace(shard, open_weights_file(std::move(file))).first->second;
    for (const auto& [name, info] : opened.index) {
      if (!source.index.emplace(name, info).second)
        index.fail(Code::MODEL_HEADER_INVALID,
                   "tensor " + quoted(name) + " is in shard " + quoted(shard) + " and in another", kFetch);
      (*home)[name] = &opened;
    }
    source.metadata.insert(opened.metadata.begin(), opened.metadata.end());
    source.warnings.insert(source.warnings.end(), opened.warnings.begin(), opened.warnings.end());
  }
  for (const auto& [tensor, shard] : map) {
    const auto found = home->find(tensor);
    if (found == home->end() || found->second != &shards->at(shard))
      index.fail(Code::MODEL_HEADER_INVALID, "tensor " + quoted(tensor) + " is not in its shard " + quoted(shard),
                 kFetch);
  }
  source.read = [shards, home, label = source.label](const std::string& name, uint64_t first,
                                                     std::span<std::byte> out) {
    const auto found = home->find(name);
    if (found == home->end())
      fail(Code::TENSOR_MISSING, quoted(label) + ": has no tensor " + quoted(name),
           "check that this is the right file");
    found->second->read(name, first, out);
  };
  return source;
}

}  // namespace ipa
