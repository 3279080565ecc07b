#include "runtime/control_run.h"

#include <algorithm>

#include "image/canny.h"
#include "image/resize.h"
#include "models/controlnet.h"
#include "models/t2i_adapter.h"
#include "models/unet.h"

namespace ipa {

namespace {

// Of a guided batch what is conditional: all but the first row.
Tensor without_first(const Tensor& all) {
  Tensor rows{all.shape, {}};
  if (all.data.empty()) return rows;
  rows.shape.n -= 1;
  rows.data.assign(all.data.end() - static_cast<std::ptrdiff_t>(rows.shape.size()), all.data.end());
  return rows;
}

size_t row_bytes(const Prepared& program, ValueId value) {
  Shape shape = program.plan().values[static_cast<size_t>(value)].shape;
  shape.n = 1;
  return static_cast<size_t>(shape.size()) * sizeof(float);
}

size_t row_bytes(const Prepared& program, const std::string& input) {
  return row_bytes(program, program.plan().inputs.at(input));
}

// The shape of its picture.
Shape image_of(const ControlConfig& config, int64_t h, int64_t w) {
  constexpr int64_t kPixelsPerLatent = 8;  // a T2I-Adapter's places are given in pixels
  if (const auto* net = std::get_if<ControlNetConfig>(&config))
    return {1, h * net->factor(), w * net->factor(), net->image_channels};
  const auto& adapter = std::get<T2iAdapterConfig>(config);
  const auto side = [&](int64_t latents) {
    return (latents * kPixelsPerLatent + adapter.unshuffle - 1) / adapter.unshuffle * adapter.unshuffle;
  };
  return {1, side(h), side(w), adapter.image_channels};
}

}  // namespace

Tensor control_image(const ControlConfig& config, const Image8& picture, ControlMap map, int64_t h, int64_t w) {
  const Shape shape = image_of(config, h, w);
  // source: diffusers, prepare_image
  Image8 read = resize(picture, static_cast<int>(shape.w), static_cast<int>(shape.h), Filter::lanczos);
  if (map == ControlMap::canny) read = canny(read);
  if (shape.c == 1) read = grey(read);
  Tensor out{shape, {}};
  out.data.reserve(read.data.size());
  for (const uint8_t value : read.data) out.data.push_back(static_cast<float>(value) / 255.0f);
  return out;
}

size_t strengths_of(const ControlConfig& config) {
  if (const auto* net = std::get_if<ControlNetConfig>(&config))
    return static_cast<size_t>(residual_count(net->unet) + 1);
  return std::get<T2iAdapterConfig>(config).widths.size();
}

void announce(std::span<const Control> controls, const UNetConfig& unet, UNetRequest& request) {
  for (const Control& control : controls) {
    const auto* adapter = std::get_if<T2iAdapterConfig>(&control.config);
    if (!adapter) {
      check_fit(std::get<ControlNetConfig>(control.config), unet, "the ControlNet");
      request.control = true;
      continue;
    }
    request.features = unet.depth();
    const std::vector<std::string> places = feature_places(*adapter, unet, "the T2I-Adapter");
    request.feature_mid |= std::find(places.begin(), places.end(), "mid") != places.end();
  }
}

ControlRun::ControlRun(std::span<const Control> controls, const UNetConfig& unet, const UNetRequest& told,
                       const Backend& backend, const StopFlag& stop)
    : backend_(backend), rows_(told.x.n) {
  for (const Control& control : controls)
    if (const auto* net = std::get_if<ControlNetConfig>(&control.config))
      nets_.push_back(controlnet(control, *net, told, stop));
    else
      adapters_.push_back(t2i_adapter(control, std::get<T2iAdapterConfig>(control.config), unet, stop));
}

// Told what the UNet is told, but for image prompts: a ControlNet sees text alone.
ControlRun::Active ControlRun::controlnet(const Control& control, const ControlNetConfig& config,
                                          const UNetRequest& told, const StopFlag& stop) {
  UNetRequest own;
  own.x = told.x;
  own.x.c = config.unet.in_channels;
  own.context = told.context, own.pooled = told.pooled, own.time_ids = told.time_ids;
  own.conditions = told.conditions, own.choices = told.choices;
  own.timesteps = told.timesteps;
  if (first_row(control) > 0) {
    own.x.n = rows_ - 1;
    for (Tensor* tensor : {&own.context, &own.pooled, &own.time_ids}) *tensor = without_first(*tensor);
    for (std::vector<size_t>& rows : own.choices) rows.erase(rows.begin());
  }
  Active active{&control, std::make_unique<UNetRun>(*control.network, config.unet, own, stop), {}, {}};
  Prepared& step = active.net->step();
  const Prepared& hint = control.network->compute("hint", {{"image", control.image}}, {}, {}, stop);
  const Copy copy{hint.output("hint"), step.input("hint"), row_bytes(step, "hint")};
  backend_.copy(backend_.self, &copy, 1);
  const size_t count = strengths_of(control.config);
  for (size_t k = 0; k < count; ++k) {
    const std::string name = "residual." + (k + 1 < count ? std::to_string(k) : "mid");
    active.parts.push_back({name, k, step.output(name), false});
  }
  return active;
}

ControlRun::Active ControlRun::t2i_adapter(const Control& control, const T2iAdapterConfig& config,
                                           const UNetConfig& unet, const StopFlag& stop) {
  const std::vector<std::string> places = feature_places(config, unet, "the T2I-Adapter");
  const Prepared& made = control.network->compute("features", {{"image", control.image}}, {}, {}, stop);
  Active active{&control, nullptr, {}, {}};
  std::vector<Copy> copies;
  size_t bytes = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i].empty()) continue;
    const std::string input = "feature." + places[i];
    active.parts.push_back({input, i, {nullptr, bytes}, true});
    const std::string output = "feature." + std::to_string(i);
    copies.push_back({made.output(output), {nullptr, bytes}, row_bytes(made, made.plan().outputs.at(output))});
    bytes += (copies.back().bytes + 63) / 64 * 64;
  }
  active.features = Memory(backend_, bytes);
  for (Copy& copy : copies) copy.to = active.features.place(copy.to.offset);
  for (Part& part : active.parts) part.from = active.features.place(part.from.offset);
  backend_.copy(backend_.self, copies.data(), copies.size());
  control.network->done();
  return active;
}

void ControlRun::set_cells(int step, const UNetRun& run, std::span<float> cells) const {
  const auto any = [&](const std::vector<Active>& all) {
    return std::any_of(all.begin(), all.end(), [&](const Active& active) { return acts(active, step); }) ? 1.0f : 0.0f;
  };
  if (!nets_.empty()) cells[run.control_cell()] = any(nets_);
  if (!adapters_.empty()) cells[run.feature_cell()] = any(adapters_);
}

// input = the sum of strength * window * part over the controls that act; 0 where none has a part in a row.
void ControlRun::sum(const std::string& input, int step, UNetRun& run) {
  const std::vector<Active>& all = input.starts_with("residual.") ? nets_ : adapters_;
  const Place to = run.step().input(input);
  const size_t bytes = row_bytes(run.step(), input);
  for (int64_t row = 0; row < rows_; ++row) {
    std::vector<Term> terms;
    for (const Active& active : all) {
      const Control& control = *active.control;
      if (!acts(active, step) || row < first_row(control)) continue;
      const auto part =
          std::find_if(active.parts.begin(), active.parts.end(), [&](const Part& p) { return p.input == input; });
      if (part == active.parts.end()) continue;
      const size_t own = part->every_row ? 0 : static_cast<size_t>(row - first_row(control));
      terms.push_back({static_cast<double>(control.strengths[part->strength]) *
                           static_cast<double>(control.window[static_cast<size_t>(step)]),
                       part->from.at(bytes * own)});
    }
    const Place out = to.at(bytes * static_cast<size_t>(row));
    if (terms.empty()) terms.push_back({0, out});
    backend_.combine(backend_.self, out, terms.data(), terms.size(), bytes / sizeof(float));
  }
}

void ControlRun::forward(int call, int step, UNetRun& run, const StopFlag& stop) {
  const size_t latents = row_bytes(run.step(), "x");
  bool any = false;
  for (Active& net : nets_) {
    if (!acts(net, step)) continue;
    any = true;
    // trap: all rows of the batch hold the same latents, so that the first ones are the conditional's too.
    const size_t rows = static_cast<size_t>(rows_ - first_row(*net.control));
    const Copy copy{run.x(), net.net->x(), latents * rows};
    backend_.copy(backend_.self, &copy, 1);
    net.net->forward(call, stop);
  }
  std::vector<float> windows;
  for (const Active& adapter : adapters_) windows.push_back(adapter.control->window[static_cast<size_t>(step)]);
  // What no control has part in yet holds zeros, not what was in memory: a checked run looks at inputs too.
  const bool fresh = !summed_.contains(&run), changed = fresh || windows != summed_[&run];
  summed_[&run] = std::move(windows);
  for (const auto& [input, id] : run.step().plan().inputs)
    if (input.starts_with("residual.") ? any || fresh : changed && input.starts_with("feature.")) sum(input, step, run);
}

}  // namespace ipa
