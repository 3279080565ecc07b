#include "cpu/steps.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "cpu/arguments.h"
#include "cpu/naive/naive.h"
#include "cpu/split.h"

namespace ipa::cpu {
namespace {

// One way to run an op. The first of its list that fits is taken; the naive twin stands last and fits always.
template <typename T>
struct Implementation {
  const char* name;
  bool (*fits)(const Site&, const T&);
  Step (*make)(const Site&, const T&);
};

template <typename T>
using Implementations = std::vector<Implementation<T>>;

template <typename T>
bool always(const Site&, const T&) {
  return true;
}

// ---- Ops with kernels --------------------------------------------------------------------------------------------

template <typename T>
Step matmul_kernel(const Site& s, const T& op) {
  const MatMulArgs args = matmul_args(s, op);
  return {[args, run = s.level.matmul](const Context& c) { run(args, c); }, s.level.matmul_scratch(args, s.threads)};
}

Implementations<Linear> implementations(const Linear&) {
  return {{"kernel", [](const Site& s, const Linear&) { return s.level.matmul != nullptr; }, matmul_kernel<Linear>},
          {"naive", always, [](const Site& s, const Linear& op) -> Step {
             const MatMulArgs args = matmul_args(s, op);
             return {[args, level = &s.level](const Context& c) { naive::matmul(*level, args, c); },
                     naive::matmul_scratch(args)};
           }}};
}

Step grouped_conv(const Site& s, const Conv2d& op) {
  return {[args = conv_args(s, op), groups = op.groups](const Context& c) { naive::grouped_conv(args, groups, c); }};
}

bool fits_winograd(const Site& s, const Conv2d& op) {
  return s.level.winograd != nullptr && op.groups == 1 && s.level.winograd_fits(conv_args(s, op));
}

Implementations<Conv2d> implementations(const Conv2d&) {
  return {
      {"matmul", [](const Site& s, const Conv2d& op) { return s.level.matmul != nullptr && is_matmul(op); },
       matmul_kernel<Conv2d>},
      {"few",
       [](const Site& s, const Conv2d& op) {
         return s.level.conv_few && op.groups == 1 && s.level.conv_few_fits(conv_args(s, op));
       },
       [](const Site& s, const Conv2d& op) -> Step {
         const ConvArgs args = conv_args(s, op);
         return {[args, run = s.level.conv_few](const Context& c) { run(args, c); },
                 s.level.conv_few_scratch(args, s.threads)};
       }},
      {"winograd", fits_winograd,
       [](const Site& s, const Conv2d& op) -> Step {
         const ConvArgs args = conv_args(s, op);
         return {[args, run = s.level.winograd](const Context& c) { run(args, c); },
                 s.level.winograd_scratch(args, s.threads)};
       }},
      {"kernel", [](const Site& s, const Conv2d& op) { return s.level.conv != nullptr && op.groups == 1; },
       [](const Site& s, const Conv2d& op) -> Step {
         const ConvArgs args = conv_args(s, op);
         return {[args, run = s.level.conv](const Context& c) { run(args, c); }, s.level.conv_scratch(args, s.threads)};
       }},
      {"naive", always, [](const Site& s, const Conv2d& op) -> Step {
         if (op.groups > 1) return grouped_conv(s, op);
         const ConvArgs args = conv_args(s, op);
         return {[args, level = &s.level](const Context& c) { naive::conv(*level, args, c); },
                 naive::conv_scratch(args)};
       }}};
}

Step attend(const Site& s, const Attend& op, void (*run)(const AttendArgs&, const Context&) noexcept,
            size_t (*scratch)(const AttendArgs&, int)) {
  std::vector<AttendTermArgs> terms = attend_terms(s, op);
  const AttendArgs args = attend_args(s, op, terms);
  const size_t bytes = scratch(args, s.threads);
  return {[args, run, terms = std::move(terms)](const Context& c) {
            AttendArgs now = args;
            now.terms = terms.data();
            run(now, c);
          },
          bytes};
}

Implementations<Attend> implementations(const Attend&) {
  return {{"kernel", [](const Site& s, const Attend&) { return s.level.attend != nullptr; },
           [](const Site& s, const Attend& op) { return attend(s, op, s.level.attend, s.level.attend_scratch); }},
          {"naive", always,
           [](const Site& s, const Attend& op) { return attend(s, op, naive::attend, naive::attend_scratch); }}};
}

Implementations<GroupNorm> implementations(const GroupNorm&) {
  return {{"kernel", [](const Site& s, const GroupNorm& op) { return s.level.group_norm && op.moments == kNone; },
           [](const Site& s, const GroupNorm& op) -> Step {
             const GroupNormArgs args = group_norm_args(s, op);
             return {[args, run = s.level.group_norm](const Context& c) { run(args, c); },
                     s.level.group_norm_scratch(args, s.threads)};
           }},
          {"naive", always, [](const Site& s, const GroupNorm& op) -> Step {
             return {[args = group_norm_args(s, op)](const Context& c) { naive::group_norm(args, c); }};
           }}};
}

Step layer_norm(const Site& s, const LayerNorm& op, void (*run)(const LayerNormArgs&, const Context&) noexcept) {
  return {[args = layer_norm_args(s, op), run](const Context& c) { run(args, c); }};
}

Implementations<LayerNorm> implementations(const LayerNorm&) {
  return {{"kernel", [](const Site& s, const LayerNorm&) { return s.level.layer_norm != nullptr; },
           [](const Site& s, const LayerNorm& op) { return layer_norm(s, op, s.level.layer_norm); }},
          {"naive", always, [](const Site& s, const LayerNorm& op) { return layer_norm(s, op, naive::layer_norm); }}};
}

// ---- Element ops: the kernel works on a run of elements, the loop over the pool is here ----------------------------

Step apply(const Site& s, const Apply& op, decltype(Level::apply) run) {
  return {[run, op, x = s.at(op.x), y = s.result(), n = s.shape(op.x).size()](const Context& c) {
    split(c, n, kGrain,
          [&](int64_t from, int64_t to) { run(op.function, x + from, op.alpha, op.beta, y + from, to - from); });
  }};
}

Implementations<Apply> implementations(const Apply&) {
  return {{"kernel", [](const Site& s, const Apply&) { return s.level.apply != nullptr; },
           [](const Site& s, const Apply& op) { return apply(s, op, s.level.apply); }},
          {"naive", always, [](const Site& s, const Apply& op) { return apply(s, op, naive::apply); }}};
}

Step geglu(const Site& s, const Geglu& op, decltype(Level::geglu) run) {
  const Shape& x = s.shape(op.x);
  return {[run, x = s.at(op.x), y = s.result(), rows = x.rows(), width = x.c / 2](const Context& c) {
    split_rows(c, rows, width,
               [&](int64_t from, int64_t to) { run(x + from * 2 * width, y + from * width, to - from, width); });
  }};
}

Implementations<Geglu> implementations(const Geglu&) {
  return {{"kernel", [](const Site& s, const Geglu&) { return s.level.geglu != nullptr; },
           [](const Site& s, const Geglu& op) { return geglu(s, op, s.level.geglu); }},
          {"naive", always, [](const Site& s, const Geglu& op) { return geglu(s, op, naive::geglu); }}};
}

Step add(const Site& s, const Add& op, decltype(Level::add) run) {
  const int64_t samples = s.shape(op.b).n == 1 ? s.shape(op.a).n : 1;  // b is repeated so many times
  return {[run, samples, a = s.at(op.a), b = s.at(op.b), y = s.result(),
           n = s.shape(op.a).size() / samples](const Context& c) {
    for (int64_t i = 0; i < samples; ++i)
      split(c, n, kGrain,
            [&](int64_t from, int64_t to) { run(a + i * n + from, b + from, y + i * n + from, to - from); });
  }};
}

Implementations<Add> implementations(const Add&) {
  return {{"kernel", [](const Site& s, const Add&) { return s.level.add != nullptr; },
           [](const Site& s, const Add& op) { return add(s, op, s.level.add); }},
          {"naive", always, [](const Site& s, const Add& op) { return add(s, op, naive::add); }}};
}

const float* scale_cell(const Site& s, const AddScaled& op) {
  return op.row == kNone ? nullptr : s.at(op.row) + op.cell;
}

Step add_scaled(const Site& s, const AddScaled& op, decltype(Level::add_scaled) run) {
  return {[run, scale = scale_cell(s, op), x = s.at(op.x), y = s.at(op.y), out = s.result(),
           n = s.shape(op.x).size()](const Context& c) {
    const float weight = scale ? *scale : 1;
    split(c, n, kGrain, [&](int64_t from, int64_t to) {
      if (weight == 0)
        std::copy(x + from, x + to, out + from);
      else
        run(x + from, y + from, weight, out + from, to - from);
    });
  }};
}

Step add_masked(const Site& s, const AddScaled& op) {
  const naive::Tensor x{s.at(op.x), s.shape(op.x)}, mask{s.at(op.mask), s.shape(op.mask)};
  return {[x, mask, scale = scale_cell(s, op), y = s.at(op.y), out = s.result()](const Context& c) {
    const float weight = scale ? *scale : 1;
    if (weight == 0)
      naive::copy_rows(x.data, x.shape.rows(), x.shape.c, x.shape.c, out, c);
    else
      naive::add_masked(x, y, weight, mask, out, c);
  }};
}

Implementations<AddScaled> implementations(const AddScaled&) {
  return {
      {"kernel", [](const Site& s, const AddScaled& op) { return s.level.add_scaled != nullptr && op.mask == kNone; },
       [](const Site& s, const AddScaled& op) { return add_scaled(s, op, s.level.add_scaled); }},
      {"naive", always, [](const Site& s, const AddScaled& op) {
         return op.mask == kNone ? add_scaled(s, op, naive::add_scaled) : add_masked(s, op);
       }}};
}

// ---- Ops with the naive twin alone ---------------------------------------------------------------------------------

naive::Tensor tensor(const Site& s, ValueId id) { return {s.at(id), s.shape(id)}; }

Step make(const Site& s, const Moments& op) {
  return {
      [x = tensor(s, op.x), groups = op.groups, y = s.result()](const Context& c) { naive::moments(x, groups, y, c); }};
}

Step make(const Site& s, const AddChannel& op) {
  return {[x = tensor(s, op.x), channel = tensor(s, op.channel), y = s.result()](const Context& c) {
    naive::add_channel(x, channel, y, c);
  }};
}

// What is laid side by side: the channels of a pixel, the pixels of a line, or the lines of a picture.
Step make(const Site& s, const Concat& op) {
  const auto width = [axis = op.axis](const Shape& x) { return x.c * (axis < 3 ? x.w : 1) * (axis < 2 ? x.h : 1); };
  std::vector<naive::Tensor> xs;
  for (ValueId x : op.xs) xs.push_back(tensor(s, x));
  return {[xs = std::move(xs), width, step = width(s.shape(s.node.output)), y = s.result()](const Context& c) {
    int64_t first = 0;
    for (const naive::Tensor& x : xs) {
      const int64_t w = width(x.shape);
      naive::copy_rows(x.data, x.shape.size() / w, w, step, y + first, c);
      first += w;
    }
  }};
}

Step make(const Site& s, const Upsample& op) {
  return {[op, x = tensor(s, op.x), y = s.result()](const Context& c) { naive::upsample(x, op.h, op.w, y, c); }};
}

Step make(const Site& s, const Embed& op) {
  const Dims& table = s.plan.weights[op.table].dims;  // [V, C]
  return {[ids = tensor(s, op.ids), from = s.weight(op.table), rows = table[0], width = table[1],
           y = s.result()](const Context&) { naive::embed(ids, from, rows, width, y); }};
}

Step make(const Site& s, const Parameter& op) {
  return {[from = s.weight(op.weight), shape = op.shape, y = s.result()](const Context&) {
    naive::parameter(from, shape, y);
  }};
}

Step make(const Site& s, const Sinusoid& op) {
  return {[op, x = tensor(s, op.x), y = s.result()](const Context&) { naive::sinusoid(op, x, y); }};
}

Step make(const Site& s, const TakeToken& op) {
  return {[x = tensor(s, op.x), index = s.at(op.index), y = s.result()](const Context&) {
    naive::take_token(x, index, y);
  }};
}

Step make(const Site& s, const Rearrange& op) {
  return {[op, x = s.at(op.x), y = s.result()](const Context& c) { naive::rearrange(op, x, y, c); }};
}

Step make(const Site& s, const Pad& op) {
  return {[op, x = s.at(op.x), y = s.result()](const Context& c) { naive::pad(op, x, y, c); }};
}

Step make(const Site& s, const Binary& op) {
  return {[op, a = s.at(op.a), b = s.at(op.b), y = s.result()](const Context& c) { naive::binary(op, a, b, y, c); }};
}

Step make(const Site& s, const Affine& op) {
  return {[x = tensor(s, op.x), scale = s.weight(op.scale), shift = s.weight(op.shift),
           y = s.result()](const Context& c) { naive::affine(x, scale, shift, y, c); }};
}

Step make(const Site& s, const Pool& op) {
  return {[op, x = tensor(s, op.x), y = s.result()](const Context& c) { naive::pool(op, x, y, c); }};
}

Step make(const Site& s, const Resize& op) {
  return {[op, x = tensor(s, op.x), y = s.result()](const Context& c) { naive::resize(op, x, y, c); }};
}

Step make(const Site& s, const Softmax& op) {
  return {[x = tensor(s, op.x), y = s.result()](const Context& c) {
    naive::softmax(x.data, x.shape.rows(), x.shape.c, y, c);
  }};
}

Step make(const Site& s, const Reduce& op) {
  return {[op, x = s.at(op.x), y = s.result()](const Context& c) { naive::reduce(op, x, y, c); }};
}

Step make(const Site& s, const MatMul& op) {
  return {[op, a = s.at(op.a), b = s.at(op.b), y = s.result()](const Context& c) {
    naive::batched_matmul(op, a, b, y, c);
  }};
}

template <typename T>
Implementations<T> implementations(const T&) {
  return {{"naive", always, make}};
}

template <typename T>
Step choose(const Site& s, const T& op, std::string_view preferred) {
  const Implementations<T> list = implementations(op);
  std::string names;
  for (const Implementation<T>& i : list) {
    if (preferred == i.name) {
      if (i.fits(s, op)) return i.make(s, op);
      preferred = {};
    }
    names += (names.empty() ? "" : ", ") + std::string(i.name);
  }
  if (!preferred.empty())
    fail(Code::OPTION_RANGE,
         "IPA_KERNEL: " + std::string(op_name(s.node.op)) + " has no implementation " + quoted(preferred),
         "choose from " + names, {{"expected", names}, {"found", std::string(preferred)}});
  return std::find_if(list.begin(), list.end(), [&](const auto& i) { return i.fits(s, op); })->make(s, op);
}

}  // namespace

Preferences preferences(const char* text) {
  Preferences list;
  std::string_view rest = text ? text : "";
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    const size_t colon = entry.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == entry.size())
      fail(Code::OPTION_RANGE, "IPA_KERNEL: cannot read " + quoted(entry),
           "write op:implementation, separated by commas, such as conv2d:naive,attend:naive",
           {{"expected", "op:implementation"}, {"found", std::string(entry)}});
    list.emplace_back(entry.substr(0, colon), entry.substr(colon + 1));
  }
  return list;
}

Step make_step(const Site& site, const Preferences& preferences) {
  std::string_view preferred;
  for (const auto& [place, name] : preferences)
    if (place == op_name(site.node.op) || place == site.node.path) preferred = name;
  return std::visit([&](const auto& op) { return choose(site, op, preferred); }, site.node.op);
}

}  // namespace ipa::cpu
