#pragma once
// The values of a pickle while it is read: what each opcode makes, its limits, and what a "call" means for the few
// functions that are understood. Used by pickle.cpp only.
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/pickle.h"

namespace ipa {

class PickleBuilder {
 public:
  explicit PickleBuilder(const std::string& label) : label_(label) {}

  PickleId value(PickleValue::Kind kind);
  PickleId boolean(bool value);
  PickleId integer(int64_t value);
  PickleId text(PickleValue::Kind kind, std::string text);
  PickleId container(PickleValue::Kind kind, std::vector<PickleId> items);
  void extend(PickleValue::Kind kind, PickleId container, const std::vector<PickleId>& items);
  PickleId global(std::string_view module, std::string_view name);
  PickleId named_global(PickleId module, PickleId name);
  PickleId storage(PickleId persistent_id);
  PickleId reduce(PickleId callee, PickleId arguments);
  // BUILD: only plain containers may have a state. It is dropped, but of a ParameterDict the parameters are kept.
  void set_state(PickleId target, PickleId state);

  [[noreturn]] void refuse(const std::string& what, Code code = Code::MODEL_HEADER_INVALID) const;
  [[noreturn]] void refuse_call(std::string_view module, std::string_view name) const;
  [[noreturn]] void truncated(uint64_t wanted, uint64_t left) const;
  [[noreturn]] void limit(const std::string& what) const { refuse(what, Code::MODEL_LIMIT); }

  Pickle pickle;
  size_t at = 0;  // byte of the opcode that is being read

 private:
  const PickleValue& get(PickleId id) const { return pickle.values[id]; }
  PickleId add(PickleValue value);
  void grow(size_t bytes);
  void deepen(PickleValue& parent, const std::vector<PickleId>& items) const;
  const PickleValue& argument(const PickleValue& arguments, size_t i, PickleValue::Kind kind, const char* what) const;
  int64_t count(const PickleValue& arguments, size_t i, const char* what) const;
  Dims counts(const PickleValue& arguments, size_t i, const char* what) const;
  PickleId rebuild_tensor(const PickleValue& arguments, bool typed);
  void add_parameters(PickleId target, const PickleValue& state);
  PickleId ordered_dict(const PickleValue& arguments);

  std::string label_;
  size_t memory_ = 0;  // bytes
};

}  // namespace ipa
