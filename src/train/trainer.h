// The training loop of one process: start or resume, steps, evaluation, checkpoints, stop. Everything that can fail
// before the first step fails in open(); inside a step nothing is allocated.
//
// At a step boundary: save if due or asked for, evaluate if due, stop if asked to. A stop by signal or by the exit
// trigger saves first (exit code 10); before the first step there is nothing to save (11).
#pragma once

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "checkpoint/reader.h"
#include "checkpoint/retention.h"
#include "checkpoint/run_folder.h"
#include "checkpoint/writer.h"
#include "device/cuda_device.h"
#include "device/memory.h"
#include "device/thread_pool.h"
#include "doors/clock.h"
#include "doors/file_system.h"
#include "doors/signals.h"
#include "parallel/evaluation.h"
#include "planner/training_plan.h"
#include "train/data_feed.h"
#include "train/run_config.h"
#include "train/run_inputs.h"
#include "train/start_times.h"
#include "train/step_record.h"
#include "train/telemetry.h"

namespace cairn::train {

// The world as the trainer reaches it. Outlives the trainer.
struct TrainerDoors {
  FileSystem& files;
  Clock& clock;
  const Signals& signals;
  Logger& log;
  checkpoint::Holder holder;  // this process, for the lock
  Console console;
};

class Trainer {
 public:
  // Reads every input, takes the run folder's lock, plans and takes memory, starts or resumes. Errors:
  // kBadConfig (all faults), kBadData, kNoInput, kTransient (a live trainer holds the folder), kIo, kCannotWrite.
  static Result<std::unique_ptr<Trainer>> open(const RunConfig& config, const TrainerDoors& doors);
  ~Trainer();

  // Trains to the end of the run: ok. kStoppedSaved when asked to stop (a checkpoint is confirmed), kStoppedUnsaved
  // when that came before the first step; kDiverged when loss or gradients are not finite (the step is refused and
  // recorded, the weights stay those of the step before); otherwise what went wrong.
  Status run();

  std::int64_t step() const { return state_.step; }
  const checkpoint::TrainState& state() const { return state_; }

 private:
  // A GPU that is being opened; not valid on the CPU.
  using OpeningDevice = std::future<Result<std::unique_ptr<CudaDevice>>>;
  Trainer(const RunConfig& config, const TrainerDoors& doors, StartTimes start_times, RunInputs inputs);
  Status start(checkpoint::RunFolder run);
  Status restore(const checkpoint::StartDecision& decision);
  Status resume(const std::string& path);
  Status load_initial_weights(const std::string& path);
  Status plan_memory(OpeningDevice device);
  Status open_device(OpeningDevice device, const planner::TrainingPlanInputs& inputs);
  Status open_memory();
  // Where the host reads and writes weights, and where moments.
  const Memory& host_memory() const { return mirror_ ? *mirror_ : *memory_; }
  bool has_mirrored_moments() const { return mirror_ && !plan_->plan.is_on_host(Lifetime::kOptimizer); }
  const Memory& moment_memory() const { return has_mirrored_moments() ? *mirror_ : *memory_; }
  Status upload(Lifetime lifetime) { return mirror_ ? memory_->upload(lifetime, *mirror_) : ok_status(); }
  void end_start_phase(const char* phase) { start_times_.end(phase, doors_.clock.monotonic_s()); }
  // kNodeSuspect with rank, step, layer and op when work on the GPU failed since the last call.
  Status wait_for_device();
  Status open_data();
  Status open_telemetry();
  void describe_start(const checkpoint::StartDecision& decision);

  const std::vector<parallel::WorkItem>& schedule_of(std::int64_t num_microbatches);
  Status train_step(StepRecord& record);
  // Once per start, with the first batch in place.
  Status choose_products(const std::vector<parallel::WorkItem>& schedule);
  // Writes plans of attention that were compiled in this start, so that the next one need not.
  void keep_attention_plans();
  // Where this run keeps what makes its next start faster. The folder may not be there yet.
  std::string attention_plans_path() const { return config_.run.folder + "/cache/attention-plans.txt"; }
  void finish_record(const optim::BatchSize& batch, double step_s, StepRecord& record);
  // Evaluation, saves and stop requests after a step of `batch_samples` samples.
  Status after_step(std::int64_t batch_samples, bool* should_stop);
  void evaluate();
  Status save();
  Status save_or_tell(bool is_end);
  bool is_stop_requested() const;
  Status stopped();
  bool is_triggered(checkpoint::Trigger trigger) const;
  void clear_trigger(checkpoint::Trigger trigger);
  // Of every stage of the run, with what is consumed.
  std::vector<checkpoint::StagePosition> stage_positions() const;
  std::vector<checkpoint::DataFingerprint> data_fingerprints() const;
  void tell_events();
  void tell_changes();
  checkpoint::Snapshot snapshot() const;

  const RunConfig config_;
  const ResolvedRun resolved_;
  TrainerDoors doors_;
  RunInputs inputs_;
  // What this run logs goes to the process's log and, once there is a folder, to RUN/logs.
  ForwardSink forward_;
  Logger log_;
  StartTimes start_times_;
  // Members in order of life: folder and lock, plan, memory, workers, then what works on them.
  std::unique_ptr<checkpoint::RunFolder> folder_;
  std::unique_ptr<planner::TrainingPlan> plan_;
  std::unique_ptr<CudaDevice> device_;  // null on the CPU
  std::unique_ptr<Memory> memory_;
  // Weights and moments as files are read into and written from: on a GPU a copy in host memory, else null. A fresh start
  // does not touch it.
  std::unique_ptr<Memory> mirror_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<DataFeed> feed_;
  struct HeldOutSet {
    std::string name;
    data::TokenSource source;
  };
  std::vector<HeldOutSet> held_out_;
  std::unique_ptr<parallel::Evaluator> evaluator_;
  std::unique_ptr<checkpoint::Retention> retention_;
  std::unique_ptr<Telemetry> telemetry_;
  std::map<std::int64_t, std::vector<parallel::WorkItem>> schedules_;  // by number of microbatches

  checkpoint::TrainState state_;
  std::int64_t first_step_ = 0;  // step at which this attempt began
  std::int64_t last_saved_step_ = -1;
  std::int64_t told_stage_ = -1;  // of the data, of the step before
  std::int64_t told_batch_ = 0;
  std::set<checkpoint::Trigger> ignored_triggers_;
  std::int64_t skipped_steps_ = 0;
  std::int64_t nonfinite_steps_ = 0;
  bool has_products_ = false;
  double started_s_ = 0;         // monotonic
  double elapsed_before_s_ = 0;  // of earlier attempts
  double recent_step_s_ = 0;     // running mean for the time left
  double peak_flops_ = 0;
};

}  // namespace cairn::train
