#include "to_onnx/values.h"

#include <algorithm>

namespace ipa::to_onnx {

ValueId Values::same(ValueId id, Layout layout) const {
  const ValueId viewed = plan_.values[static_cast<size_t>(id)].alias;
  if (viewed == kNone) return id;
  return dims_in(shape(id), layout) == dims_in(shape(viewed), layout) ? viewed : id;
}

bool Values::has(ValueId id, Layout layout) const {
  return !names_[static_cast<size_t>(same(id, layout))][static_cast<size_t>(layout)].empty();
}

std::string Values::get(ValueId id, Layout layout) {
  const ValueId at = same(id, layout), viewed = plan_.values[static_cast<size_t>(at)].alias;
  std::string& known = name(at, layout);
  if (!known.empty()) return known;
  if (layout == Layout::image)
    known = turned(tokens(at), shape(at), layout);
  else if (viewed == kNone)
    known = turned(image(at), shape(at), layout);
  else
    known = graph_.node("Reshape", {tokens(viewed), graph_.integers(dims_in(shape(at), layout))});
  return known;
}

Layout Values::common(const std::vector<ValueId>& ids) const {
  const auto all = [&](Layout layout) {
    return std::all_of(ids.begin(), ids.end(), [&](ValueId id) { return has(id, layout); });
  };
  return !all(Layout::image) && all(Layout::tokens) ? Layout::tokens : Layout::image;
}

std::string Values::turned(const std::string& from, const Shape& s, Layout to) {
  const std::string dims = graph_.integers(dims_in(s, to));
  if (s.tokens() == 1) return graph_.node("Reshape", {from, dims});
  if (to == Layout::tokens)
    return graph_.node("Reshape", {graph_.node("Transpose", {from}, {{"perm", Dims{0, 2, 3, 1}}}), dims});
  const std::string pixels = graph_.node("Reshape", {from, graph_.integers({s.n, s.h, s.w, s.c})});
  return graph_.node("Transpose", {pixels}, {{"perm", Dims{0, 3, 1, 2}}});
}

}  // namespace ipa::to_onnx
