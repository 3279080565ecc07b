#include "io/pickle.h"

#include <unordered_map>

#include "core/error.h"
#include "io/bytes.h"
#include "io/pickle_build.h"
#include "io/utf8.h"

namespace ipa {

namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMostOpcodes = 5'000'000, kMostStack = 65'536, kMostMemo = 1'000'000;
constexpr uint64_t kLongestText = uint64_t{1} << 20;  // bytes
constexpr size_t kLongestName = 1'024;                // bytes of a global's line

// source: pickletools of CPython, the opcodes that torch.save writes and their protocol 4 relatives
enum Op : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kEmptyDict = '}',
  kAppends = 'e',
  kBinGet = 'h',
  kInst = 'i',
  kLongBinGet = 'j',
  kEmptyList = ']',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBinFloat = 'G',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

class Machine {
 public:
  Machine(std::string_view bytes, const std::string& label) : bytes_(bytes), build_(label) {}

  Pickle run() {
    for (size_t count = 0;; ++count) {
      if (count == kMostOpcodes) build_.limit("has more than 5,000,000 opcodes");
      build_.at = at_;
      const uint8_t op = number<uint8_t>();
      if (op == kStop) break;
      step(op);
    }
    build_.pickle.root = pop();
    build_.pickle.length = at_;
    return std::move(build_.pickle);
  }

 private:
  std::string_view take(uint64_t length) {
    if (length > bytes_.size() - at_) build_.truncated(length, bytes_.size() - at_);
    const std::string_view piece = bytes_.substr(at_, length);
    at_ += length;
    return piece;
  }
  template <typename T>
  T number() {
    return load<T>(take(sizeof(T)).data());
  }
  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) build_.truncated(1, 0);
    if (end - at_ > kLongestName) build_.limit("mentions a name of more than 1,024 bytes");
    const std::string_view text = take(end - at_);
    ++at_;
    return text;
  }

  void push(PickleId id) {
    if (stack_.size() == kMostStack) build_.limit("needs a stack of more than 65,536 values");
    stack_.push_back(id);
  }
  PickleId pop() {
    if (stack_.size() <= floor()) build_.refuse("takes a value from an empty stack");
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }
  PickleId top() {
    if (stack_.size() <= floor()) build_.refuse("takes a value from an empty stack");
    return stack_.back();
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::vector<PickleId> pop_mark() {
    if (marks_.empty()) build_.refuse("looks for a mark that was never set");
    std::vector<PickleId> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  void push_text(uint64_t length, Kind kind) {
    const std::string_view text = take(length);
    if (length > kLongestText)
      build_.limit("holds a string of " + std::to_string(length) + " bytes; the limit is 1 MiB");
    if (kind == Kind::text && utf8_prefix(text) != text.size()) build_.refuse("holds a string that is not UTF-8");
    push(build_.text(kind, std::string(text)));
  }
  // Text of Python 2: bytes without an encoding, kept as they are when they happen to be UTF-8.
  void push_old_text(uint64_t length) {
    const std::string_view text = bytes_.substr(at_, length);
    push_text(length, utf8_prefix(text) == text.size() ? Kind::text : Kind::bytes);
  }
  void push_long(size_t length) {
    const std::string_view digits = take(length);
    if (length > 8) return push(build_.value(Kind::real));  // seeds and the like; no size or offset is that long
    uint64_t value = length > 0 && (digits.back() & 0x80) ? ~uint64_t{0} : 0;
    std::memcpy(&value, digits.data(), length);
    push(build_.integer(static_cast<int64_t>(value)));
  }
  void push_tuple(size_t count) {
    std::vector<PickleId> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    push(build_.container(Kind::tuple, std::move(items)));
  }
  void push_memo(uint32_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) build_.refuse("reads memo slot " + std::to_string(slot) + ", which was never written");
    push(found->second);
  }
  void memoize(uint32_t slot) {
    if (memo_.size() >= kMostMemo) build_.limit("has a memo of more than 1,000,000 values");
    memo_[slot] = top();
  }

  void step(uint8_t op);

  std::string_view bytes_;
  size_t at_ = 0;
  PickleBuilder build_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, PickleId> memo_;
};

void Machine::step(uint8_t op) {
  switch (op) {
    case kProto:
      if (number<uint8_t>() > 5) build_.refuse("has an unknown protocol");
      return;
    case kFrame:
      if (const uint64_t length = number<uint64_t>(); length > bytes_.size() - at_)
        build_.truncated(length, bytes_.size() - at_);
      return;
    case kMark:
      if (marks_.size() == kMostStack) build_.limit("sets more than 65,536 marks");
      return marks_.push_back(stack_.size());
    case kPop:
      pop();
      return;
    case kPopMark:
      pop_mark();
      return;
    case kNone:
      return push(build_.value(Kind::none));
    case kNewTrue:
    case kNewFalse:
      return push(build_.boolean(op == kNewTrue));
    case kBinInt:
      return push(build_.integer(number<int32_t>()));
    case kBinInt1:
      return push(build_.integer(number<uint8_t>()));
    case kBinInt2:
      return push(build_.integer(number<uint16_t>()));
    case kLong1:
      return push_long(number<uint8_t>());
    case kBinFloat:
      take(8);  // no weight is spelled as a Python float
      return push(build_.value(Kind::real));
    case kBinUnicode:
      return push_text(number<uint32_t>(), Kind::text);
    case kShortBinUnicode:
      return push_text(number<uint8_t>(), Kind::text);
    case kBinUnicode8:
      return push_text(number<uint64_t>(), Kind::text);
    case kBinString:
      return push_old_text(number<uint32_t>());
    case kShortBinString:
      return push_old_text(number<uint8_t>());
    case kBinBytes:
      return push_text(number<uint32_t>(), Kind::bytes);
    case kShortBinBytes:
      return push_text(number<uint8_t>(), Kind::bytes);
    case kBinBytes8:
      return push_text(number<uint64_t>(), Kind::bytes);
    case kEmptyTuple:
      return push(build_.container(Kind::tuple, {}));
    case kTuple1:
    case kTuple2:
    case kTuple3:
      return push_tuple(static_cast<size_t>(op - kTuple1 + 1));
    case kTuple:
      return push(build_.container(Kind::tuple, pop_mark()));
    case kEmptyList:
      return push(build_.container(Kind::list, {}));
    case kEmptyDict:
      return push(build_.container(Kind::dict, {}));
    case kEmptySet:
      return push(build_.container(Kind::set, {}));
    case kFrozenSet:
      return push(build_.container(Kind::set, pop_mark()));
    case kAppend: {
      const PickleId item = pop();
      return build_.extend(Kind::list, top(), {item});
    }
    case kAppends: {
      const std::vector<PickleId> items = pop_mark();
      return build_.extend(Kind::list, top(), items);
    }
    case kAddItems: {
      const std::vector<PickleId> items = pop_mark();
      return build_.extend(Kind::set, top(), items);
    }
    case kSetItem: {
      const PickleId item = pop(), key = pop();
      return build_.extend(Kind::dict, top(), {key, item});
    }
    case kSetItems: {
      const std::vector<PickleId> items = pop_mark();
      if (items.size() % 2) build_.refuse("sets a key without a value");
      return build_.extend(Kind::dict, top(), items);
    }
    case kBinGet:
      return push_memo(number<uint8_t>());
    case kLongBinGet:
      return push_memo(number<uint32_t>());
    case kBinPut:
      return memoize(number<uint8_t>());
    case kLongBinPut:
      return memoize(number<uint32_t>());
    case kMemoize:
      return memoize(static_cast<uint32_t>(memo_.size()));
    case kGlobal: {
      const std::string_view module = line();
      return push(build_.global(module, line()));
    }
    case kInst: {  // names a global too, so that the refusal can quote it
      const std::string_view module = line();
      build_.refuse_call(module, line());
    }
    case kStackGlobal: {
      const PickleId name = pop(), module = pop();
      return push(build_.named_global(module, name));
    }
    case kReduce:
    case kNewObj: {
      const PickleId arguments = pop(), callee = pop();
      return push(build_.reduce(callee, arguments));
    }
    case kBuild: {
      const PickleId state = pop();
      return build_.set_state(top(), state);
    }
    case kBinPersId:
      return push(build_.storage(pop()));
    default:
      build_.refuse("uses opcode " + std::to_string(op) + ", which no weight file needs");
  }
}

}  // namespace

Pickle read_pickle(std::string_view bytes, const std::string& label) { return Machine(bytes, label).run(); }

}  // namespace ipa
