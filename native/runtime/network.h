#pragma once
// A loaded network: functions that record its plans, one weight store, and prepared programs kept by plan key.
#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plan/builder.h"
#include "runtime/device.h"
#include "weights/store.h"

namespace ipa {

// What changes a plan's structure, and therefore its key.
struct RecordRequest {
  std::map<std::string, Shape> inputs;
  std::map<std::string, double> numbers;    // "tokens", "layers": structure, never data
  std::set<std::string, std::less<>> taps;  // inner values to keep
};

// Records inputs, ops and outputs of one plan.
using Recorder = std::function<void(Builder&, const RecordRequest&)>;

struct PlanKind {
  Recorder record;
  RecordRequest smallest;  // any legal request: recorded at load to learn which weights the plan wants
  Compute compute = Compute::f32;
  // What a user asks for most, of plans that run many times: under a budget its room is kept free, and weights that
  // find none are streamed. Absent: the weights are needed whole.
  std::optional<RecordRequest> usual = {};
};

// The weights that plans want, by their smallest requests.
std::vector<WeightWant> wants_of(const std::map<std::string, PlanKind>& plans);

struct Tensor {
  Shape shape;
  std::vector<float> data;
};
using Tensors = std::map<std::string, Tensor>;

// A program with its memory; lent to one run at a time (there is one engine thread per device). Inputs stay as they
// were set, from one run to the next.
class Prepared {
 public:
  Prepared(const Device& device, Plan plan, Layout layout, const Store& store);
  Prepared(const Device& device, const Plan& plan, const Store& store)
      : Prepared(device, plan, layout_of(device.backend, plan), store) {}
  ~Prepared();
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  const Plan& plan() const { return plan_; }
  uint64_t bytes() const;  // of its values and what kernels take besides
  // Where the value of this name lies, f32; INTERNAL when there is none.
  Place input(const std::string& name) const;
  Place output(const std::string& name) const;
  // From and to the host: all numbers of the value.
  void set(const std::string& input, std::span<const float> numbers);
  Tensor get(const std::string& output) const;
  // Throws ABORTED, NAN_LATENTS (with `check`, naming the op).
  void run(const StopFlag& stop, bool check = false);

 private:
  const Device& device_;
  Plan plan_;
  Layout layout_;
  Program* program_;
};

class Network {
 public:
  Network(std::shared_ptr<Device> device, std::map<std::string, PlanKind> plans, TensorSource source,
          const LoadOptions& options);

  // The program of one plan, recorded, folded, placed and prepared at the first call with this request.
  Prepared& prepare(const std::string& plan, const RecordRequest& request) { return *lend(plan, request); }
  // The same for someone who needs it beside others: until it is given back it stays, and is nobody else's.
  std::shared_ptr<Prepared> lend(const std::string& plan, const RecordRequest& request);
  // Records, prepares, sets the inputs and runs; the inputs' shapes are the request's. Outputs are the program's until
  // it runs again.
  Prepared& compute(const std::string& plan, const Tensors& inputs, const std::map<std::string, double>& numbers,
                    const std::set<std::string, std::less<>>& taps, const StopFlag& stop, bool check = false);
  // The same with all outputs brought to the host, for encoders, projectors and tests.
  Tensors run(const std::string& plan, const Tensors& inputs, const std::map<std::string, double>& numbers,
              const std::set<std::string, std::less<>>& taps, const StopFlag& stop, bool check = false);
  Plan plan(const std::string& name, const RecordRequest& request, bool folded = true) const;

  // Reads the weights, of a network that was loaded for later.
  void read(const LoadOptions& options);
  // In the device's memory, by runtime/residency.h. Programs do not outlive a leave().
  void come();
  bool leave();  // false: it stays, since it is away already, is held, or leaving would win nothing
  void done();   // its work in this run is done: it leaves where that is wanted early
  uint8_t stages() const { return stages_; }
  void set_stages(uint8_t stages) { stages_ = stages; }
  // Called with weights that were read of their file anew: what was merged into them is lost.
  void when_read_again(std::function<void()> then) { read_again_ = std::move(then); }
  // Taken there now, by weights and the programs that are kept; any thread may ask.
  uint64_t bytes() const { return taken_; }
  // Bytes that the program of a plan takes, known without its weights: of one that is there as it is, else of the whole
  // plan, or in bands where only so it keeps within `room` (0: without bound).
  uint64_t planned_bytes(const std::string& plan, const RecordRequest& request, uint64_t room = 0) const;

  // Keeps a network where it is.
  class Hold {
   public:
    explicit Hold(Network& network) : network_(network) {
      network_.come();
      if (network_.holds_++ > 0) return;
      for (Kept& kept : network_.prepared_) kept.held = false;
    }
    ~Hold() { --network_.holds_; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Network& network_;
  };
  // The same for a stage of a run, after which it leaves where all do.
  class Turn {
   public:
    explicit Turn(Network& network) : network_(network), hold_(std::in_place, network) {}
    ~Turn() {
      hold_.reset();
      if (network_.device().residency.offload() == Offload::always) network_.leave();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Network& network_;
    std::optional<Hold> hold_;
  };

  // Plans are run whole, or MEMORY_BUDGET says that they do not fit.
  void refuse_bands() { bands_ = false; }

  Device& device() const { return *device_; }
  Store& store() { return *store_; }
  const Store& store() const { return *store_; }
  uint64_t runs(
      const std::string& plan) const;  // how often this plan has been run, on any thread: tests count forwards
  void count(const std::string& plan) { ++runs_.at(plan); }

 private:
  void stream_what_has_no_room();
  void recount();               // after each change of what is taken
  bool drop_what_none_holds();  // programs; false: there are none
  uint64_t program_bytes(const Plan& plan) const;
  void drop_the_oldest();  // program, where there are as many as are kept
  std::unique_ptr<Prepared> prepared(const Plan& plan);
  std::unique_ptr<Prepared> prepared_in_bands(const Plan& plan);  // null where that cannot be

  std::shared_ptr<Device> device_;
  std::map<std::string, PlanKind> plans_;
  std::unique_ptr<Store> store_;
  struct Kept {
    std::string key;
    std::shared_ptr<Prepared> program;
    bool held;  // asked for since somebody has kept the network here
  };
  std::list<Kept> prepared_;  // most recently used first
  int holds_ = 0;
  bool allow_nonfinite_ = false;
  uint8_t stages_ = kAnyStage;
  std::function<void()> read_again_;
  bool bands_ = true;  // where a plan does not fit whole
  Residency::Member member_;
  std::map<std::string, std::atomic<uint64_t>> runs_;  // of every plan, from the start
  std::atomic<uint64_t> taken_ = 0;
};

}  // namespace ipa
