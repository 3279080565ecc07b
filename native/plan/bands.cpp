// Where a picture's values have no room, in bands: some of its rows after the other, so that what is large is never
// there as a whole.
//
// A plan can be cut wherever one value carries everything from the nodes before to those after. Of the parts between
// cuts, those of convolutions and group norms alone are repeated for every band: on the band's rows of the value at the
// part's start, and on as many more on either side as its convolutions reach. At inner edges a convolution sees zeros
// where the picture goes on; what follows from that stays among those more, which are left out in the end.
//
// A group norm counts all rows before it changes the first. So every norm of a part is a pass over all bands of what
// stands before it, which leaves moments alone, and the last pass makes the value at the part's end: the first layers
// of a part with n norms run n + 1 times. That is the price; parts are therefore as short as the room allows, and whole
// where they have it. The numbers are those of the whole plan but for the order in which moments are summed.
#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "plan/plan.h"

namespace ipa {

namespace {

constexpr int64_t kMostBands = 16;

struct Part {
  size_t first, end;  // nodes
  ValueId from, to;   // the value before it and the one it makes; from is kNone where several are before it
  bool fits;          // it could be in bands
  int64_t bands = 0;  // 1: it stays whole; 0: not known yet
};

size_t index(ValueId id) { return static_cast<size_t>(id); }

// Rows of the picture that a convolution reads beyond those it makes, on either side.
int64_t reach(const Conv2d& op, int64_t rows) {
  const int64_t extent = int64_t{op.dilation_h} * (op.kernel_h - 1) + 1;
  return rows * op.stride_h + std::max<int64_t>({op.pad_top, extent - op.stride_h - op.pad_top, 0});
}

class Bands {
 public:
  Bands(const Plan& plan, const std::function<int64_t(const Plan&)>& bytes, int64_t room)
      : plan_(plan), bytes_(bytes), room_(room) {}

  std::optional<Plan> run() {
    std::vector<Part> parts = cut();
    for (size_t i = 0; i < parts.size();) {
      if (parts[i].bands == 0) parts[i].bands = bands_of(parts[i]);
      if (parts[i].bands > 0) {
        ++i;
        continue;
      }
      // The values at its ends are too large: a longer part has one of them in bands too.
      const bool before = i > 0 && parts[i].fits && parts[i - 1].fits;
      const bool after = i + 1 < parts.size() && parts[i].fits && parts[i + 1].fits;
      if (!before && !after) return std::nullopt;
      if (before && (!after || size(parts[i].from) > size(parts[i].to))) --i;
      parts[i].end = parts[i + 1].end, parts[i].to = parts[i + 1].to;
      parts[i].fits = in_proportion(parts[i]), parts[i].bands = 0;
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
    return written(parts, plan_.inputs, plan_.outputs);
  }

 private:
  const Shape& shape(ValueId id) const { return plan_.values[index(id)].shape; }
  int64_t size(ValueId id) const { return shape(id).size(); }
  ValueId root(ValueId id) const {
    const ValueId alias = plan_.values[index(id)].alias;
    return alias == kNone ? id : alias;
  }

  // ---- parts ----

  std::vector<Part> cut() const {
    std::vector<size_t> last_read(plan_.values.size());  // node, by value
    for (size_t i = 0; i < plan_.nodes.size(); ++i)
      for_each_input(plan_.nodes[i].op, [&](ValueId id) { last_read[index(root(id))] = i; });
    size_t open = 0;  // the last node that reads what was made, but for the newest value
    for (const auto& [name, id] : plan_.inputs) open = std::max(open, last_read[index(id)]);
    std::vector<Part> parts;
    size_t first = 0;
    ValueId from = plan_.inputs.size() == 1 ? plan_.inputs.begin()->second : kNone;
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const ValueId made = plan_.nodes[i].output;
      if (open <= i || i + 1 == plan_.nodes.size()) {
        Part part{first, i + 1, from, made, false};
        part.fits = in_proportion(part);
        parts.push_back(part);
        first = i + 1, from = made;
      }
      open = std::max(open, last_read[index(made)]);
    }
    return parts;
  }

  bool is_output(ValueId id) const {
    return std::any_of(plan_.outputs.begin(), plan_.outputs.end(),
                       [&](const auto& output) { return root(output.second) == id; });
  }

  // Whether any rows of the value at a part's start give the same rows of all its values: convolutions and norms alone,
  // and nothing between them that is read elsewhere.
  bool in_proportion(const Part& part) const {
    if (part.from == kNone) return false;
    std::set<ValueId> known = {part.from};
    for (size_t i = part.first; i < part.end; ++i) {
      const Node& node = plan_.nodes[i];
      bool fits = node.output == part.to || !is_output(node.output);
      for_each_input(node.op, [&](ValueId id) { fits = fits && known.contains(id); });  // no view either
      known.insert(node.output);
      if (const auto* conv = std::get_if<Conv2d>(&node.op)) {
        const int64_t rows = shape(conv->x).h, seen = conv->virtual_h ? conv->virtual_h : rows;
        const int64_t extent = int64_t{conv->dilation_h} * (conv->kernel_h - 1) + 1;
        const int64_t more =
            conv->pad_top + conv->pad_bottom - extent + conv->stride_h;  // below a stride: rows / stride
        fits = fits && seen % rows == 0 && seen % conv->stride_h == 0 && more >= 0 && more < conv->stride_h &&
               conv->epilogue.channel == kNone;
      } else if (const auto* norm = std::get_if<GroupNorm>(&node.op)) {
        fits = fits && norm->moments == kNone;
      } else {
        fits = false;
      }
      if (!fits) return false;
    }
    return true;
  }

  // The fewest with which a part has room, 0 where it never has.
  int64_t bands_of(Part part) const {
    const auto has_room = [&](int64_t bands) {
      part.bands = bands;
      std::map<std::string, ValueId> inputs = plan_.inputs;  // which stay from run to run
      if (part.from != kNone) inputs.emplace("from", part.from);
      return bytes_(written({part}, std::move(inputs), {{"to", part.to}})) <= room_;
    };
    if (has_room(1)) return 1;
    for (int64_t bands = 2; part.fits && bands <= std::min(kMostBands, shape(part.from).h / unit(part)); bands *= 2)
      if (has_room(bands)) return bands;
    return 0;
  }

  // So many rows of the value at its start are whole rows of all others.
  int64_t unit(const Part& part) const {
    const int64_t rows = shape(part.from).h;
    int64_t all = 1;
    for (size_t i = part.first; i < part.end; ++i)
      all = std::lcm(all, rows / std::gcd(rows, shape(plan_.nodes[i].output).h));
    return all;
  }

  // ---- the plan in bands ----

  // Of one part: `rows` are of the value at its start.
  struct Rows {
    int64_t first, end;
  };

  Plan written(const std::vector<Part>& parts, std::map<std::string, ValueId> inputs,
               std::map<std::string, ValueId> outputs) const {
    Plan to{{}, plan_.values, plan_.weights, std::move(inputs), std::move(outputs), plan_.compute};
    for (const Part& part : parts)
      if (part.bands == 1)
        to.nodes.insert(to.nodes.end(), plan_.nodes.begin() + static_cast<std::ptrdiff_t>(part.first),
                        plan_.nodes.begin() + static_cast<std::ptrdiff_t>(part.end));
      else
        write(part, to);
    return to;
  }

  void write(const Part& part, Plan& to) const {
    std::map<ValueId, ValueId> moments;  // by what a norm makes
    for (size_t i = part.first; i < part.end; ++i) {
      const auto* norm = std::get_if<GroupNorm>(&plan_.nodes[i].op);
      if (!norm) continue;
      const std::string path = plan_.nodes[i].path + ".moments";
      const auto count = [&](ValueId x) {
        const Shape& s = to.values[index(x)].shape;
        return add(to, Moments{x, norm->groups}, {s.n, s.h, 1, 2 * norm->groups}, path);
      };
      if (norm->x == part.from) {
        moments[plan_.nodes[i].output] = count(part.from);
        continue;
      }
      const Shape& x = shape(norm->x);
      moments[plan_.nodes[i].output] =
          add(to, pass(part, i, norm->x, moments, to, path, count), {x.n, x.h, 1, 2 * norm->groups}, path);
    }
    const std::string path = plan_.nodes[part.end - 1].path + ".bands";
    Concat whole = pass(part, part.end, part.to, moments, to, path, [](ValueId x) { return x; });
    to.nodes.push_back({std::move(whole), part.to, path});
  }

  // What `last` makes of `target`, a value of the nodes before `end`: the rows of every band, to be joined.
  template <typename Last>
  Concat pass(const Part& part, size_t end, ValueId target, const std::map<ValueId, ValueId>& moments, Plan& to,
              const std::string& path, const Last& last) const {
    const int64_t all = shape(part.from).h, step = unit(part), more = margin(part, end, target);
    const auto scaled = [&](int64_t rows) { return rows * shape(target).h / all; };
    Concat join{{}, 1};
    for (int64_t band = 0; band < part.bands; ++band) {
      const Rows wanted{all / step * band / part.bands * step, all / step * (band + 1) / part.bands * step};
      const Rows read{std::max<int64_t>(wanted.first - more, 0), std::min(wanted.end + more, all)};
      const ValueId made = last(repeat(part, end, target, read, moments, to));
      join.xs.push_back(rows(to, made, {scaled(wanted.first - read.first), scaled(wanted.end - read.first)}, path));
    }
    return join;
  }

  // How many rows of the value at a part's start `target` depends on, beyond its own and on either side.
  int64_t margin(const Part& part, size_t end, ValueId target) const {
    std::map<ValueId, int64_t> needed = {{target, 0}};
    for (size_t i = end; i-- > part.first;) {
      const auto at = needed.find(plan_.nodes[i].output);
      if (at == needed.end()) continue;
      const int64_t rows = at->second;
      const auto* conv = std::get_if<Conv2d>(&plan_.nodes[i].op);
      for_each_input(plan_.nodes[i].op, [&](ValueId id) {
        int64_t more = rows;
        if (conv && id == conv->x) {
          const int64_t factor = conv->virtual_h ? conv->virtual_h / shape(id).h : 1;
          more = (reach(*conv, rows) + factor - 1) / factor;
        }
        needed[id] = std::max(needed[id], more);
      });
    }
    const int64_t step = unit(part);
    return (needed[part.from] + step - 1) / step * step;
  }

  // The nodes before `end` that `target` needs, of some rows.
  ValueId repeat(const Part& part, size_t end, ValueId target, const Rows& read,
                 const std::map<ValueId, ValueId>& moments, Plan& to) const {
    std::map<ValueId, ValueId> made;
    std::vector<bool> needed(end - part.first);
    for (size_t i = end; i-- > part.first;) {
      const Node& node = plan_.nodes[i];
      needed[i - part.first] = node.output == target || made.contains(node.output);
      if (needed[i - part.first]) for_each_input(node.op, [&](ValueId id) { made.emplace(id, kNone); });
    }
    const int64_t all = shape(part.from).h;
    made[part.from] = rows(to, part.from, read, plan_.nodes[part.first].path + ".rows");
    for (size_t i = part.first; i < end; ++i) {
      const Node& node = plan_.nodes[i];
      if (!needed[i - part.first]) continue;
      Op op = node.op;
      if (auto* conv = std::get_if<Conv2d>(&op))
        if (conv->virtual_h) conv->virtual_h = conv->virtual_h * (read.end - read.first) / all;
      for_each_input(op, [&](ValueId& id) { id = made.at(id); });
      if (auto* norm = std::get_if<GroupNorm>(&op)) norm->moments = moments.at(node.output);
      Shape some = shape(node.output);
      some.h = some.h * (read.end - read.first) / all;
      made[node.output] = add(to, std::move(op), some, node.path);
    }
    return made.at(target);
  }

  static ValueId rows(Plan& to, ValueId x, const Rows& which, const std::string& path) {
    const Shape s = to.values[index(x)].shape;
    if (which.first == 0 && which.end == s.h) return x;
    Shape some = s;
    some.h = which.end - which.first;
    const int64_t line = s.w * s.c;
    return add(to, Rearrange{x, {s.n, some.h * line}, {s.h * line, 1}, which.first * line, some}, some, path);
  }

  static ValueId add(Plan& to, Op op, const Shape& shape, const std::string& path) {
    const ValueId id = static_cast<ValueId>(to.values.size());
    to.values.push_back({shape, {}, kNone});
    to.nodes.push_back({std::move(op), id, path});
    return id;
  }

  const Plan& plan_;
  const std::function<int64_t(const Plan&)>& bytes_;
  const int64_t room_;
};

}  // namespace

std::optional<Plan> in_bands(const Plan& plan, int64_t room, const std::function<int64_t(const Plan&)>& bytes) {
  for (int64_t less = room;;) {
    std::optional<Plan> banded = Bands(plan, bytes, less).run();
    const int64_t taken = banded ? bytes(*banded) : 0;
    if (taken <= room) return banded;
    // The parts fit, one behind the other they do not: outputs of early ones, gaps between values.
    less -= taken - room;
  }
}

}  // namespace ipa
