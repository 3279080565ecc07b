#include "weights/lora_forms.h"

#include <array>
#include <limits>

#include "core/error.h"
#include "weights/lora_products.h"
#include "weights/tensor_values.h"

namespace ipa {

using enum LoraFactor;

// Tensors of one matrix: `whole`, or left · right, or with a core between them (Tucker form).
struct MatrixKeys {
  LoraFactor whole = none, left = none, right = none, core = none;
  bool left_lies = false;  // beside a core, left is [rank, outputs] and not [outputs, rank]
};

struct LoraForm {
  const char* name;
  bool of_bias;
  bool scaled;
  AddChange* add;
  std::array<LoraFactor, 2> ranked_by;  // the rows of the first that is there are the rank; without any it has none
  std::array<MatrixKeys, 2> matrices;   // `add` takes one where the second has no keys
};

namespace {

// source: LyCORIS (LoCon, LoHa, LoKr and their Tucker forms), PEFT (biases), kohya sd-scripts (differences)
constexpr LoraForm kForms[] = {
    {"LoRA", false, true, add_matrix, {down}, {{{none, up, down, mid}}}},
    {"LoHa",
     false,
     true,
     add_hadamard_product,
     {hada_w1_b},
     {{{none, hada_w1_a, hada_w1_b, hada_t1, true}, {none, hada_w2_a, hada_w2_b, hada_t2, true}}}},
    {"LoKr",
     false,
     true,
     add_kronecker_product,
     {lokr_w2_b, lokr_w1_b},
     {{{lokr_w1, lokr_w1_a, lokr_w1_b}, {lokr_w2, lokr_w2_a, lokr_w2_b, lokr_t2, true}}}},
    {"full difference", false, false, add_matrix, {}, {{{diff}}}},
    {"LoRA bias", true, true, add_matrix, {}, {{{up_bias}}}},
    {"full difference of a bias", true, false, add_matrix, {}, {{{diff_bias}}}},
};

size_t matrices_of(const LoraForm& form) { return form.add == add_matrix ? 1 : 2; }

std::string name_of(const LoraFactors& factors, LoraFactor factor) {
  const auto at = factor == none ? factors.end() : factors.find(factor);
  return at == factors.end() ? "" : at->second;
}

// A module's tensors in its file, while they are read.
struct Reader {
  const TensorSource& source;
  const std::string& module;
  const LoraFactors& factors;

  bool has(LoraFactor factor) const { return factor != none && factors.contains(factor); }
  bool has_any(const MatrixKeys& k) const { return has(k.whole) || has(k.left) || has(k.right) || has(k.core); }
  const Dims& dims(LoraFactor factor) const { return source.index.at(factors.at(factor)).dims; }
  [[noreturn]] void wrong(LoraFactor factor, const std::string& expected) const {
    misshapen(source, factors.at(factor), expected);
  }
  [[noreturn]] void clash(const std::string& one, const std::string& other) const {
    fail(Code::MODEL_FORMAT_UNSUPPORTED,
         source.label + ": " + quoted(module) + " has both " + one + " and " + other +
             ", of which only one can make the change",
         "fetch the file again, or merge it into the base model with the tool that made it",
         {{"tensor", module}, {"found", one + " and " + other}, {"path", source.label}});
  }
  void need(LoraFactor factor) const {
    if (has(factor)) return;
    fail(Code::TENSOR_MISSING, source.label + ": " + quoted(module) + " lacks its " + factor_text(factor) + " factor",
         "the file is damaged or cut short; fetch it again", {{"tensor", module}, {"path", source.label}});
  }
};

// Never the product of all: that of a change whose factors a file has room for may be beyond 2^63.
Dims flat(const Dims& dims) { return {dims[0], product({dims.begin() + 1, dims.end()})}; }

bool empty(const Dims& dims) { return dims.empty() || product(dims) <= 0; }

// Dimensions of one matrix of a form, with the window's where it has one.
Dims read_matrix(const Reader& r, const MatrixKeys& keys) {
  if (r.has(keys.whole)) {
    for (const LoraFactor other : {keys.left, keys.right, keys.core})
      if (r.has(other)) r.clash(factor_text(keys.whole), factor_text(other));
    if (empty(r.dims(keys.whole))) r.wrong(keys.whole, "a matrix");
    return r.dims(keys.whole);
  }
  if (keys.right == none || (keys.whole != none && !r.has_any(keys))) r.need(keys.whole);
  r.need(keys.left);
  r.need(keys.right);
  const Dims &right = r.dims(keys.right), &left = r.dims(keys.left);
  if (empty(right) || right.size() < 2) r.wrong(keys.right, "[rank, inputs]");
  const int64_t rank = right[0];
  const std::string n = std::to_string(rank);
  const bool core = r.has(keys.core), lies = core && keys.left_lies;
  if (empty(left) || left.size() < 2 || flat(left)[lies ? 0 : 1] != rank)
    r.wrong(keys.left, lies ? "[" + n + ", outputs]" : "[outputs, " + n + "]");
  Dims dims = right;
  dims[0] = flat(left)[lies ? 1 : 0];
  if (!core) return dims;
  const Dims& middle = r.dims(keys.core);
  if (empty(middle) || middle.size() != 4 || middle[0] != rank || middle[1] != rank)
    r.wrong(keys.core, "[" + n + ", " + n + ", h, w]");
  return {dims[0], flat(right)[1], middle[2], middle[3]};
}

// A tensor of the matrix, to name it by.
LoraFactor a_factor(const Reader& r, const MatrixKeys& keys) { return r.has(keys.whole) ? keys.whole : keys.right; }

// Dimensions of ΔW, flattened; `a` and `b` are those of its matrices.
Dims change_dims(const Reader& r, const LoraForm& form, const Dims& a, const Dims& b) {
  if (form.add == add_matrix) return flat(a);
  const Dims p = flat(a), q = flat(b);
  if (form.add == add_hadamard_product) {
    if (p != q) r.wrong(a_factor(r, form.matrices[1]), "factors of a matrix " + text(p) + " as the first pair makes");
    return p;
  }
  if (a.size() < 2 || p[1] != a[1]) r.wrong(a_factor(r, form.matrices[0]), "a matrix without a window");
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  if (p[0] > kMost / q[0] || p[1] > kMost / q[1]) r.wrong(a_factor(r, form.matrices[0]), "a smaller matrix");
  return {p[0] * q[0], p[1] * q[1]};
}

LoraDelta read_delta(const Reader& r, const LoraForm& form) {
  LoraDelta delta;
  delta.form = &form;
  const std::array<MatrixKeys, 2>& keys = form.matrices;
  if (keys[0].core != none && keys[1].core != none && r.has(keys[0].core) != r.has(keys[1].core))
    r.need(r.has(keys[0].core) ? keys[1].core : keys[0].core);
  Dims dims[2];
  for (size_t i = 0; i < matrices_of(form); ++i) dims[i] = read_matrix(r, keys[i]);
  for (const LoraFactor factor : form.ranked_by)
    if (delta.rank == 0 && r.has(factor)) delta.rank = r.dims(factor)[0];
  const Dims change = change_dims(r, form, dims[0], dims[1]);
  delta.rows = change[0], delta.columns = change[1];
  for (const MatrixKeys& k : keys)
    for (const LoraFactor factor : {k.whole, k.left, k.right, k.core})
      if (r.has(factor)) delta.tensors.emplace(factor, r.factors.at(factor));
  return delta;
}

LoraMatrix load_matrix(const TensorSource& source, const LoraFactors& tensors, const MatrixKeys& keys) {
  const auto values = [&](LoraFactor factor) { return tensor_values(source, tensors.at(factor)); };
  if (keys.whole != none && tensors.contains(keys.whole)) {
    const Dims dims = flat(source.index.at(tensors.at(keys.whole)).dims);
    return {{}, values(keys.whole), static_cast<size_t>(dims[0]), 0, static_cast<size_t>(dims[1])};
  }
  LoraMatrix m{values(keys.left), values(keys.right), 0, 0, 0};
  m.rank = static_cast<size_t>(source.index.at(tensors.at(keys.right)).dims[0]);
  m.rows = m.left.size() / m.rank;
  if (keys.core != none && tensors.contains(keys.core)) {
    if (keys.left_lies) m.left = transposed(m.left, m.rank, m.rows);
    m.right = with_core(values(keys.core), m.right, m.rank);
  }
  m.columns = m.right.size() / m.rank;
  return m;
}

// The DoRA vector of a change, "" for none.
std::string magnitude_of(const LoraFactors& factors) {
  const std::string scale = name_of(factors, dora_scale);
  return scale.empty() ? name_of(factors, magnitude) : scale;
}

}  // namespace

void misshapen(const TensorSource& source, const std::string& tensor, const std::string& expected) {
  const std::string found = text(source.index.at(tensor).dims);
  fail(Code::TENSOR_SHAPE, source.label + ": " + tensor + ": expected " + expected + ", file has " + found,
       "the file is damaged; fetch it again",
       {{"tensor", tensor}, {"expected", expected}, {"found", found}, {"path", source.label}});
}

LoraModule read_module(const TensorSource& source, const std::string& module, const LoraFactors& factors) {
  const Reader r{source, module, factors};
  LoraModule out;
  for (const LoraForm& form : kForms) {
    if (!r.has_any(form.matrices[0]) && !r.has_any(form.matrices[1])) continue;
    std::optional<LoraDelta>& delta = form.of_bias ? out.bias : out.weight;
    if (delta) r.clash(delta->form->name, form.name);
    delta = read_delta(r, form);
  }
  if (r.has(up_bias) || (!out.weight && !out.bias)) r.need(up);  // an alpha alone makes no change
  if (r.has(dora_scale) && r.has(magnitude)) r.clash(factor_text(dora_scale), factor_text(magnitude));
  for (const LoraFactor factor : {dora_scale, magnitude})
    if (r.has(factor)) {
      if (!out.weight) r.need(up);  // a length alone makes no change
      out.weight->tensors.emplace(factor, factors.at(factor));
    }
  return out;
}

bool scaled(const LoraDelta& delta) { return delta.form->scaled; }

bool fits(const LoraDelta& delta, const Dims& weight) {
  return !empty(weight) && flat(weight) == Dims{delta.rows, delta.columns};
}

void bind_magnitude(LoraDelta& delta, const TensorSource& source, const Dims& weight) {
  const std::string name = magnitude_of(delta.tensors);
  if (name.empty()) return;
  const Dims& dims = source.index.at(name).dims;
  const int64_t outputs = weight[0], inputs = weight.size() > 1 ? weight[1] : 1,
                count = empty(dims) ? 0 : product(dims);
  const auto at = [&](size_t axis) { return dims.size() > axis ? dims[axis] : 1; };
  // PEFT has [outputs] or, of convolutions, [1, outputs, 1, 1]. A dora_scale keeps the axis it is of.
  const bool peft = delta.tensors.contains(magnitude);
  const bool per_output = count == outputs && (at(0) == outputs || (peft && at(1) == outputs));
  delta.per_input = !per_output && !peft && count == inputs && at(0) == 1 && at(1) == inputs;
  if (weight.size() < 2 || (!per_output && !delta.per_input))
    misshapen(source, name,
              peft ? "[" + std::to_string(outputs) + "]" : text(Dims{outputs, 1}) + " or " + text(Dims{1, inputs}));
}

void add_delta(std::vector<float>& values, const TensorSource& source, const LoraDelta& delta, float strength) {
  std::vector<LoraMatrix> matrices;
  for (size_t i = 0; i < matrices_of(*delta.form); ++i)
    matrices.push_back(load_matrix(source, delta.tensors, delta.form->matrices[i]));
  const std::string lengths = magnitude_of(delta.tensors);
  if (lengths.empty()) return delta.form->add(values.data(), matrices, strength * delta.scale);
  std::vector<float> changed = values;
  delta.form->add(changed.data(), matrices, delta.scale);
  rescale(values, changed, static_cast<size_t>(delta.rows), tensor_values(source, lengths), delta.per_input, strength);
}

}  // namespace ipa
