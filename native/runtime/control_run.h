#pragma once
// What steers the UNet of a run by pictures: ControlNets, which run before it in every step of their window, and
// T2I-Adapters, whose features are computed once. Their results are summed into the inputs of the UNet's step plan.
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "image/image.h"
#include "runtime/load.h"
#include "runtime/unet_run.h"

namespace ipa {

inline constexpr size_t kMostControls = 8;  // terms of Backend::combine

struct Control {
  Network* network;
  ControlConfig config;
  Tensor image;                   // [1, H, W, C] in [0, 1], as control_image makes it
  std::vector<float> strengths;   // of every residual, the middle's last; or of every feature
  std::vector<float> window;      // one factor per outer step; 0: it is not called
  bool conditional_only = false;  // under guidance nothing for the unconditional row
};

enum class ControlMap : uint8_t { finished, canny };  // what a picture is, or is made to be

// Its picture, [H, W, 3] of any size, for latents of h x w: stretched to the size that it reads, then made a map.
Tensor control_image(const ControlConfig& config, const Image8& picture, ControlMap map, int64_t h, int64_t w);
// How many strengths it takes.
size_t strengths_of(const ControlConfig& config);

// Says in the UNet's request what `controls` will give.
void announce(std::span<const Control> controls, const UNetConfig& unet, UNetRequest& request);

class ControlRun {
 public:
  // `told` is the request of the runs that it steers.
  ControlRun(std::span<const Control> controls, const UNetConfig& unet, const UNetRequest& told, const Backend& backend,
             const StopFlag& stop);

  // The cells of residuals and features: 1 where any control acts in this outer step, else 0, which leaves them out.
  void set_cells(int step, const UNetRun& run, std::span<float> cells) const;
  // Reads the latents of `run`, which are set, and writes what its step plan adds.
  void forward(int call, int step, UNetRun& run, const StopFlag& stop);

 private:
  // One of an active control's results that goes to one input of the UNet.
  struct Part {
    std::string input;  // "residual.3", "feature.mid"
    size_t strength;    // number of its factor
    Place from;         // one row, or one per row that the control acts on
    bool every_row;     // the same row for all
  };
  struct Active {
    const Control* control;
    std::unique_ptr<UNetRun> net;  // of a ControlNet
    Memory features;               // of a T2I-Adapter: kept, since its program may run again for another picture
    std::vector<Part> parts;
  };

  Active controlnet(const Control& control, const ControlNetConfig& config, const UNetRequest& told,
                    const StopFlag& stop);
  Active t2i_adapter(const Control& control, const T2iAdapterConfig& config, const UNetConfig& unet,
                     const StopFlag& stop);
  // The first row of the batch that a control acts on; with guidance row 0 is the unconditional one.
  int64_t first_row(const Control& control) const { return control.conditional_only && rows_ > 1 ? 1 : 0; }
  bool acts(const Active& active, int step) const { return active.control->window[static_cast<size_t>(step)] != 0; }
  void sum(const std::string& input, int step, UNetRun& run);

  const Backend& backend_;
  int64_t rows_;
  std::vector<Active> nets_, adapters_;
  std::map<const UNetRun*, std::vector<float>> summed_;  // windows of the adapters as its feature inputs hold them now
};

}  // namespace ipa
