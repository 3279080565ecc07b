// Offsets in the arena. A plan is played on a memory that knows, per block of 64 bytes, whose bytes it holds: whatever
// an op reads must still be there, and must survive the op's own result being written.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plan/builder.h"
#include "random_plan.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

constexpr int64_t kBlock = 64;  // bytes

class Memory {
 public:
  Memory(const Plan& plan, const Layout& layout)
      : plan_(plan), layout_(layout), owner_(static_cast<size_t>(layout.bytes / kBlock), kNone) {}

  ValueId root(ValueId id) const { return plan_.values[id].alias == kNone ? id : plan_.values[id].alias; }
  int64_t blocks(ValueId id) const {
    const int64_t bytes = plan_.values[id].shape.size() * static_cast<int64_t>(sizeof(float));
    return (bytes + kBlock - 1) / kBlock;
  }
  bool inside(ValueId id) const {
    const int64_t offset = layout_.offsets[id];
    return offset >= 0 && offset % kBlock == 0 && offset + blocks(root(id)) * kBlock <= layout_.bytes;
  }
  void write(ValueId id) {
    const auto first = owner_.begin() + layout_.offsets[id] / kBlock;
    std::fill(first, first + blocks(id), id);
  }
  bool holds(ValueId id) const {
    const auto first = owner_.begin() + layout_.offsets[id] / kBlock;
    return std::all_of(first, first + blocks(root(id)), [&](ValueId owner) { return owner == root(id); });
  }

 private:
  const Plan& plan_;
  const Layout& layout_;
  std::vector<ValueId> owner_;
};

// "" or what is wrong with the layout.
std::string fault(const Plan& plan, const Layout& layout) {
  Memory memory(plan, layout);
  const auto named = [](const char* what, ValueId id) { return std::string(what) + " value " + std::to_string(id); };
  for (const auto& [name, id] : plan.inputs) {
    if (!memory.inside(id)) return named("outside the arena: input", id);
    memory.write(id);
  }
  for (const Node& node : plan.nodes) {
    if (!memory.inside(node.output)) return node.path + named(": outside the arena:", node.output);
    std::string lost;
    const auto check = [&](ValueId id) {
      if (!memory.inside(id) || layout.offsets[id] != layout.offsets[memory.root(id)])
        lost = node.path + named(": misplaced", id);
      else if (!memory.holds(id))
        lost = node.path + named(": overwritten or not yet made:", id);
    };
    for_each_input(node.op, check);
    memory.write(node.output);
    for_each_input(node.op, check);
    if (!lost.empty()) return lost;
  }
  for (const auto& [name, id] : plan.outputs)
    if (!memory.inside(id) || !memory.holds(id)) return name + named(": an output did not live to the end:", id);
  for (const auto& [name, id] : plan.inputs)
    if (!memory.holds(id)) return name + named(": an input is not there for the next run:", id);
  return "";
}

// Bytes of all values if none shared memory.
int64_t separate(const Plan& plan) {
  std::set<ValueId> made;
  for (const auto& [name, id] : plan.inputs) made.insert(id);
  for (const Node& node : plan.nodes) made.insert(node.output);
  int64_t sum = 0;
  for (const ValueId id : made) sum += Memory(plan, {}).blocks(id) * kBlock;
  return sum;
}

TEST("place: in 400 random plans, recorded and folded, no two live values overlap") {
  int64_t shared = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Plan recorded = random_plan(seed);
    for (const Plan& plan : {recorded, fold(recorded)}) {
      const Layout layout = place(plan);
      const std::string wrong = fault(plan, layout);
      if (!wrong.empty()) failed(__FILE__, __LINE__, "seed " + std::to_string(seed) + ": " + wrong);
      EXPECT(layout.bytes <= separate(plan));
      shared += layout.bytes < separate(plan);
    }
  }
  EXPECT(shared > 400);  // else nothing was reused and the check above saw nothing
}

TEST("place: the check finds a layout with overlaps") {
  const Plan plan = random_plan(7);
  Layout layout = place(plan);
  for (int64_t& offset : layout.offsets)
    if (offset > 0) offset = 0;
  EXPECT(!fault(plan, layout).empty());
}

TEST("place: a chain lives in two buffers beside its input, which stays") {
  Builder b;
  Value x = b.input("x", {1, 4, 4, 16});
  for (int i = 0; i < 20; ++i) x = b.layer_norm("norm" + std::to_string(i), x);
  b.output("y", x);
  EXPECT_EQ(place(b.finish()).bytes, 3 * 4 * 4 * 16 * 4);
}

TEST("place: a backend says how large numbers are, which values are never there and which are read later") {
  Builder b;
  Value x = b.input("x", {1, 4, 4, 16});
  std::vector<Value> made;
  for (int i = 0; i < 4; ++i) made.push_back(x = b.layer_norm("norm" + std::to_string(i), x));
  b.output("y", x);
  const Plan plan = b.finish();
  constexpr int64_t kBytes = 4 * 4 * 16 * 4;
  std::vector<ValueMemory> values(plan.values.size());
  EXPECT_EQ(place(plan, values).bytes, 3 * kBytes);
  values[static_cast<size_t>(made[0].id)].number_bytes = values[static_cast<size_t>(made[1].id)].number_bytes = 2;
  EXPECT_EQ(place(plan, values).bytes, 3 * kBytes);  // the last two are whole
  values[static_cast<size_t>(made[2].id)].number_bytes = 0;
  EXPECT_EQ(place(plan, values).bytes, 2 * kBytes);
  values[static_cast<size_t>(made[0].id)].until = 3;
  const Layout layout = place(plan, values);
  EXPECT_EQ(layout.bytes, 5 * kBytes / 2);
  EXPECT_EQ(fault(plan, place(plan)), "");
}

TEST("place: offsets are multiples of 64 bytes, small values too") {
  Builder b;
  const Value x = b.input("x", {1, 1, 1, 1});
  b.output("a", b.silu(x));
  b.output("b", b.gelu(x));
  const Plan plan = b.finish();
  const Layout layout = place(plan);
  EXPECT_EQ(layout.bytes, 3 * 64);
  EXPECT_EQ(fault(plan, layout), "");
}

TEST("place: a view lies where its value lies and keeps it alive") {
  Builder b;
  const Value x = b.input("x", {1, 4, 4, 8});
  const Value y = b.silu(x);
  const Value view = b.reshape(y, {1, 1, 16, 8});
  Value z = b.gelu(b.silu(b.gelu(y)));  // room for y's bytes to be taken
  b.output("z", b.add(b.reshape(z, view.shape), view));
  const Plan plan = b.finish();
  const Layout layout = place(plan);
  EXPECT_EQ(layout.offsets[view.id], layout.offsets[y.id]);
  EXPECT_EQ(fault(plan, layout), "");
}

TEST("place: outputs, an early one and an input among them, live to the end") {
  Builder b;
  const Value x = b.input("x", {1, 4, 4, 8});
  Value y = b.silu(x);
  b.output("early", b.reshape(y, {1, 1, 16, 8}));
  b.output("same", x);
  for (int i = 0; i < 5; ++i) y = b.gelu(y);
  b.output("last", y);
  const Plan plan = b.finish();
  EXPECT_EQ(fault(plan, place(plan)), "");
}

TEST("place: values that folding removed get no offset") {
  Builder b;
  const Value h = b.conv2d("conv", b.input("x", {1, 4, 4, 8}), 8);
  b.output("y", b.silu(h));
  EXPECT_EQ(place(fold(b.finish())).offsets[h.id], -1);
}

}  // namespace
