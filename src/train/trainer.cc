#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/allocation_counter.h"
#include "base/text.h"
#include "config/config_text.h"
#include "device/cpu_facts.h"
#include "device/host_memory.h"
#include "ops/attention.h"
#include "optim/batch_ramp.h"
#include "optim/learning_rate.h"
#include "planner/device_memory.h"
#include "planner/flops.h"
#include "train/product_choices.h"
#include "train/resume_rules.h"
#include "train/run_memory.h"

namespace cairn::train {
namespace {

constexpr double kRecentWeight = 0.1;  // of the newest step in the running mean behind the time left

data::BatchOptions batch_options(const RunConfig& config, std::optional<std::int32_t> eod_id,
                                 bool is_training) {
  data::BatchOptions options;
  options.eod_id = eod_id;
  options.eod_loss = config.data.eod_loss ? data::EodLoss::kKeep : data::EodLoss::kMask;
  options.positions = config.data.positions == Positions::kRestart ? data::PositionRule::kRestart
                                                                   : data::PositionRule::kContinue;
  options.document_mask = config.data.document_mask;
  options.goldfish = {is_training && config.data.goldfish.enabled, config.data.goldfish.k,
                      config.data.goldfish.h};
  return options;
}

parallel::LossReduction loss_reduction(const RunConfig& config) {
  return config.train.loss_reduction == LossReduction::kToken ? parallel::LossReduction::kToken
                                                              : parallel::LossReduction::kMicrobatch;
}

checkpoint::StartRequest start_request(const RunConfig& config) {
  checkpoint::StartRequest request;
  if (config.checkpoint.load == "auto") {
    request.mode = checkpoint::LoadMode::kAuto;
  } else if (config.checkpoint.load == "fresh") {
    request.mode = checkpoint::LoadMode::kFresh;
  } else {
    request.mode = checkpoint::LoadMode::kPath;
    request.path = config.checkpoint.load;
    request.weights_only = config.task.weights_only;
  }
  return request;
}

checkpoint::ScheduleFacts schedule_facts(const RunConfig& config, const ResolvedRun& resolved) {
  return {std::string(optim::schedule_type_name(config.schedule.type)), config.schedule.learning_rate,
          resolved.samples, config.schedule.warmup_samples, config.schedule.cooldown_samples};
}

// The optimizer's tensors grouped by moment, with views of either constness.
template <class Moments, class Tensor>
std::vector<Moments> group_moments(const optim::Optimizer& optimizer, const Memory& memory) {
  std::vector<Moments> groups;
  for (const optim::StateTensor& state : optimizer.state()) {
    auto group = std::ranges::find(groups, state.moment, &Moments::moment);
    if (group == groups.end()) {
      groups.push_back({state.moment, {}});
      group = groups.end() - 1;
    }
    if constexpr (std::is_same_v<Moments, checkpoint::MomentTensors>) {
      group->tensors.push_back(Tensor{state.parameter, memory.view(state.tensor)});
    } else {
      group->targets.push_back(Tensor{state.parameter, memory.view(state.tensor)});
    }
  }
  return groups;
}

}  // namespace

Trainer::Trainer(const RunConfig& config, const TrainerDoors& doors, StartTimes start_times, RunInputs inputs)
    : config_(config),
      resolved_(resolve_run(config)),
      doors_(doors),
      inputs_(std::move(inputs)),
      forward_(doors.log),
      log_([&clock = doors.clock] { return clock.wall_ns(); }),
      start_times_(std::move(start_times)) {
  log_.add_sink(forward_, LogLevel::kDebug);
}

Trainer::~Trainer() {
  if (telemetry_) {
    telemetry_->flush();
    telemetry_->close();
  }
}

Result<std::unique_ptr<Trainer>> Trainer::open(const RunConfig& config, const TrainerDoors& doors) {
  const StartTimes start_times(doors.clock.monotonic_s());
  OpeningDevice device;
  if (config.run.device == RunDevice::kCuda) {  // takes most of a second: beside the inputs
    device = std::async(std::launch::async, [] { return CudaDevice::open(0); });
  }
  TRY_ASSIGN(RunInputs inputs, read_run_inputs(doors.files, config));
  std::unique_ptr<Trainer> trainer(new Trainer(config, doors, start_times, std::move(inputs)));
  TRY(trainer->plan_memory(std::move(device)));  // before anything large is taken
  TRY(trainer->open_data());  // before the folder: wrong data must not leave a used run folder behind
  TRY(checkpoint::check_start(doors.files, config.run.folder, start_request(config)));
  TRY_ASSIGN(checkpoint::RunFolder run,
             checkpoint::RunFolder::open(doors.files, config.run.folder, doors.holder));
  TRY(trainer->start(std::move(run)));
  return trainer;
}

Status Trainer::plan_memory(OpeningDevice device) {
  const int num_threads = num_worker_threads(config_);
  const planner::TrainingPlanInputs inputs = training_plan_inputs(config_, inputs_.model, num_threads);
  TRY(planner::check_countable(inputs));
  TRY(planner::check_fp8_sizes(inputs));
  plan_ = planner::make_training_plan(inputs);
  end_start_phase("inputs");
  if (device.valid()) {
    TRY(open_device(std::move(device), inputs));
    end_start_phase("device");
  }
  const std::int64_t host_bytes =
      device_ ? planner::host_arena_bytes(plan_->plan) : plan_->plan.total_bytes();
  TRY_ASSIGN(const RunMemory memory, estimate_run_memory(doors_.files, config_, host_bytes, num_threads));
  return planner::check_memory_fits(memory.process, available_memory_bytes(doors_.files));
}

Status Trainer::open_device(OpeningDevice device, const planner::TrainingPlanInputs& inputs) {
  TRY_ASSIGN(device_, device.get());
  device_->make_current();
  TRY(planner::check_device_memory_fits(inputs, planner::estimate_device_memory(plan_->plan),
                                        device_->free_bytes()));
  // Nothing where there are none, or none that can be read: they are made.
  const Result<std::string> stored = doors_.files.read_text(attention_plans_path());
  plan_->model.prepare(*device_, stored.ok() ? *stored : std::string());
  return ok_status();
}

Status Trainer::open_memory() {
  const Plan& plan = plan_->plan;
  if (!device_) {
    TRY_ASSIGN(Memory memory, Memory::create(plan));
    memory_ = std::make_unique<Memory>(std::move(memory));
    return ok_status();
  }
  TRY_ASSIGN(Memory memory, Memory::create_on(*device_, plan));
  memory_ = std::make_unique<Memory>(std::move(memory));
  Result<Memory> mirror = plan.is_on_host(Lifetime::kOptimizer)
                              ? Memory::create_mirror(plan, {Lifetime::kParameter})
                              : Memory::create_mirror(plan, {Lifetime::kParameter, Lifetime::kOptimizer});
  TRY(mirror.status());
  mirror_ = std::make_unique<Memory>(std::move(*mirror));
  return ok_status();
}

Status Trainer::wait_for_device() {
  const Status status = device_ ? device_->synchronize() : ok_status();
  return status.ok()
             ? status
             : Status(status.code(), fmt::format("rank 0, step {}: {}", state_.step + 1, status.message()));
}

Status Trainer::open_data() {
  const data::BatchOptions options = batch_options(config_, inputs_.eod_id, true);
  TRY(data::check_batch_options(options));
  ThreadPool pool(num_worker_threads(config_));  // the run's own starts when the folder is taken
  TRY_ASSIGN(data::RunOrder order,
             data::RunOrder::open(doors_.files, doors_.clock,
                                  run_order_options(config_, inputs_.model.vocab_size), &pool));
  for (const std::string& note : order.notes()) {
    log_.warning(note, {});
  }
  feed_ = std::make_unique<DataFeed>(std::move(order), options);
  for (const EvalSetSection& set : config_.eval.set) {
    data::TokenSourceOptions held_out;
    held_out.order.sequence = config_.train.sequence;
    held_out.order.shuffle = false;
    held_out.order.keep_tail = true;
    held_out.vocab_size = inputs_.model.vocab_size;
    TRY_ASSIGN(data::TokenSource set_source, data::TokenSource::open(doors_.files, set.path, held_out));
    held_out_.push_back({set.name, std::move(set_source)});
  }
  end_start_phase("data");
  return ok_status();
}

Status Trainer::start(checkpoint::RunFolder run) {
  folder_ = std::make_unique<checkpoint::RunFolder>(std::move(run));
  TRY_ASSIGN(const checkpoint::StartDecision decision,
             checkpoint::decide_start(doors_.files, *folder_, start_request(config_)));
  const int num_threads = num_worker_threads(config_);
  TRY(open_memory());
  pool_ = std::make_unique<ThreadPool>(num_threads);
  plan_->bind(*memory_, *pool_, [&clock = doors_.clock] { return clock.monotonic_s(); });
  evaluator_ = std::make_unique<parallel::Evaluator>(plan_->evaluation, *memory_, plan_->model);
  retention_ = std::make_unique<checkpoint::Retention>(
      doors_.files, *folder_,
      checkpoint::RetentionRules{config_.checkpoint.keep.last, config_.checkpoint.keep.every});
  peak_flops_ = device_ ? planner::kHopperPeakFlops : measure_fma_peak_flops(*pool_);
  end_start_phase("memory");
  TRY(restore(decision));
  end_start_phase("weights");
  TRY(folder_->begin_attempt());  // from here on the folder is written to
  TRY(open_telemetry());
  tell_changes();
  TRY(folder_->write_run_file(run_config_to_toml(config_)));
  end_start_phase("folder");
  describe_start(decision);
  if (device_) {
    end_start_phase("attention");  // its plans were waited for
  }
  first_step_ = state_.step;
  elapsed_before_s_ = state_.elapsed_s;
  started_s_ = doors_.clock.monotonic_s();
  return ok_status();
}

Status Trainer::restore(const checkpoint::StartDecision& decision) {
  if (decision.kind == checkpoint::StartKind::kResume) {
    TRY(resume(decision.path));
    if (decision.path.starts_with(folder_->checkpoints_path() + "/")) {  // else it is another run's
      last_saved_step_ = state_.step;
      retention_->mark_good(state_.step);
    }
  } else if (decision.kind == checkpoint::StartKind::kWeightsOnly) {
    TRY(load_initial_weights(decision.path));
  } else if (!config_.model.from.empty()) {
    TRY(load_initial_weights(config_.model.from));
  } else {
    nn::initialize_weights(plan_->model.parameters(), *memory_, inputs_.model,
                           static_cast<std::uint64_t>(config_.run.seed), *pool_);
  }
  plan_->model.round_weights();
  TRY(wait_for_device());
  state_.run_id = folder_->run_id();
  state_.seed = static_cast<std::uint64_t>(config_.run.seed);
  state_.config_hash = hash_config(config_).to_hex();
  state_.schedule = schedule_facts(config_, resolved_);
  state_.tokenizer_fingerprint = inputs_.tokenizer_fingerprint;
  state_.data_fingerprints = data_fingerprints();
  return ok_status();
}

// Moments stay zero, as the memory was made.
Status Trainer::load_initial_weights(const std::string& path) {
  TRY(checkpoint::load_initial_weights(doors_.files, path, plan_->model.parameters(), plan_->model.buffers(),
                                       host_memory()));
  return upload(Lifetime::kParameter);
}

std::vector<checkpoint::StagePosition> Trainer::stage_positions() const {
  const data::RunOrder& order = feed_->order();
  std::vector<checkpoint::StagePosition> positions;
  for (std::size_t i = 0; i < config_.data.stage.size(); ++i) {
    const data::PlannedStage& planned = order.plan().stages[i];
    checkpoint::StagePosition position;
    position.start_samples = planned.start_samples;
    position.consumed_samples =
        std::clamp<std::int64_t>(state_.consumed_samples - planned.start_samples, 0, planned.num_samples);
    position.sequence = config_.train.sequence;
    for (std::size_t j = 0; j < planned.uses.size(); ++j) {
      const SourceSection& section = config_.data.stage[i].source[j];
      const data::SampleOrder& samples = order.sources()[planned.uses[j].order].order();
      const data::StageTaken taken =
          order.taken(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j), state_.consumed_samples);
      position.sources.push_back({section.path, section.weight.value_or(0.0), taken.first_sample,
                                  taken.num_samples, samples.options().seed, samples.options().num_samples,
                                  samples.num_epochs()});
    }
    positions.push_back(std::move(position));
  }
  return positions;
}

std::vector<checkpoint::DataFingerprint> Trainer::data_fingerprints() const {
  std::vector<checkpoint::DataFingerprint> fingerprints;
  for (const data::TokenSource& source : feed_->order().sources()) {
    if (std::ranges::find(fingerprints, source.prefix(), &checkpoint::DataFingerprint::source) ==
        fingerprints.end()) {
      fingerprints.push_back({source.prefix(), source.fingerprint()});
    }
  }
  return fingerprints;
}

Status Trainer::resume(const std::string& path) {
  TRY_ASSIGN(const checkpoint::TrainState saved, checkpoint::read_train_state(doors_.files, path));
  TRY_ASSIGN(const std::string model_text, doors_.files.read_text(path + "/config.json"));
  TRY_ASSIGN(const nn::ModelConfig saved_model, nn::model_config_from_json(model_text));
  TRY(check_resume(saved, saved_model,
                   {stage_positions(), data_fingerprints(), inputs_.tokenizer_fingerprint, inputs_.model},
                   path));
  state_ = saved;
  TRY_ASSIGN(const data::SampleChain chain, data::SampleChain::from_hex(state_.sample_chain));
  feed_->restore_chain(chain);
  const std::vector<checkpoint::NamedTarget> weights =
      checkpoint::weight_targets(plan_->model.parameters(), host_memory());
  const auto moments =
      group_moments<checkpoint::MomentTargets, checkpoint::NamedTarget>(*plan_->optimizer, moment_memory());
  TRY(checkpoint::restore_tensors(doors_.files, path, weights, plan_->model.buffers(), moments));
  TRY(upload(Lifetime::kParameter));
  return has_mirrored_moments() ? upload(Lifetime::kOptimizer) : ok_status();
}

// A changed run file is used from here on; what changed is told, so that nobody wonders later.
void Trainer::tell_changes() {
  const Result<std::string> text = doors_.files.read_text(folder_->run_file_path());
  if (!text.ok()) {
    return;  // the first start of this folder
  }
  const Result<RunConfig> before = parse_run_config(*text, folder_->run_file_path(), {});
  if (!before.ok()) {
    log_.warning("the stored run file cannot be compared", {{"reason", before.status().message()}});
    return;
  }
  for (const FieldDifference& difference : diff_fields(flatten_config(*before), flatten_config(config_))) {
    log_.warning("the run file has changed since the last start",
                 {{"key", difference.path}, {"before", difference.left}, {"now", difference.right}});
  }
}

Status Trainer::open_telemetry() {
  TelemetryOptions options;
  options.metrics_path = folder_->metrics_path();
  options.tensorboard_path = config_.watch.tensorboard ? folder_->tensorboard_path() : "";
  options.log_file = folder_->log_path() + "/rank-00000.log";
  options.host = doors_.holder.host;
  options.process_id = doors_.holder.process_id;
  options.log_every = config_.watch.log_every;
  options.console = doors_.console;
  TRY_ASSIGN(telemetry_,
             Telemetry::open(doors_.files, doors_.log, doors_.clock.wall_ns(), std::move(options)));
  telemetry_->attach_files(log_);
  return ok_status();
}

void Trainer::describe_start(const checkpoint::StartDecision& decision) {
  for (const checkpoint::Damage& damage : decision.damaged) {
    log_.warning("damaged checkpoint passed over", {{"path", damage.path}, {"reason", damage.reason}});
  }
  if (!decision.note.empty()) {
    telemetry_->note(decision.note);
  }
  const char* kind = decision.kind == checkpoint::StartKind::kResume        ? "resuming from "
                     : decision.kind == checkpoint::StartKind::kWeightsOnly ? "starting from the weights of "
                                                                            : "starting afresh";
  telemetry_->note(fmt::format(
      "{}{} | attempt {} | {} parameters | {} steps of {} | arenas {} | {}, {} threads, {:.1f} "
      "GFLOP/s peak{}",
      kind, decision.path, folder_->attempt(), nn::num_parameters(inputs_.model), resolved_.steps,
      config_.run.name, format_bytes(plan_->plan.total_bytes()), device_ ? device_->name() : "CPU",
      pool_->num_threads(), peak_flops_ * 1e-9,
      device_ ? " (dense bfloat16), attention by " + plan_->model.attention_engine() : " (float32 FMA)"));
}

Status Trainer::run() {
  bool should_stop = is_stop_requested() && state_.step < resolved_.steps;
  while (state_.step < resolved_.steps && !should_stop) {
    tell_events();
    StepRecord record;
    const Status status = train_step(record);
    if (!status.ok() && status.code() != StatusCode::kDiverged) {
      return status;
    }
    if (status.ok() && state_.step == first_step_ + 1) {
      end_start_phase("first_step");
      start_times_.log(log_);
    }
    telemetry_->record_step(record, first_step_, doors_.clock.monotonic_s() - started_s_);
    TRY(status);
    keep_attention_plans();
    // Before anything made from changed data can be saved.
    TRY(feed_->order().check_unchanged(doors_.files));
    TRY(after_step(record.global_batch, &should_stop));
  }
  if (should_stop) {
    return stopped();
  }
  TRY(save());  // nothing to do unless another run's checkpoint was resumed at its end
  telemetry_->note(fmt::format("finished after step {}", state_.step));
  return ok_status();
}

// What the plan called events: another mixture, another batch.
void Trainer::tell_events() {
  const std::int64_t stage = feed_->order().stage_of(state_.consumed_samples);
  const std::int64_t batch = optim::batch_size_at(resolved_.batch, state_.consumed_samples).samples;
  if (told_stage_ >= 0 && stage != told_stage_) {
    telemetry_->note(fmt::format("data stage {} begins at sample {} with step {}", stage,
                                 state_.consumed_samples, state_.step + 1));
  }
  if (told_batch_ > 0 && batch != told_batch_) {
    telemetry_->note(
        fmt::format("batch of {} samples from step {} on, was {}", batch, state_.step + 1, told_batch_));
  }
  told_stage_ = stage;
  told_batch_ = batch;
}

bool Trainer::is_stop_requested() const {
  return doors_.signals.is_stop_requested() || is_triggered(checkpoint::Trigger::kExit);
}

Status Trainer::stopped() {
  clear_trigger(checkpoint::Trigger::kExit);
  if (last_saved_step_ != state_.step) {  // asked for before the first step: there is nothing to keep
    telemetry_->note("stopped on request before the first step; nothing to save");
    return {StatusCode::kStoppedUnsaved, "stopped on request before the first step; nothing to save"};
  }
  telemetry_->note(fmt::format("stopped on request after step {}; checkpoint confirmed", state_.step));
  return {StatusCode::kStoppedSaved,
          fmt::format("stopped on request after step {} of {}; checkpoint saved in {}", state_.step,
                      resolved_.steps, folder_->checkpoints_path())};
}

// Made when a number of microbatches comes up for the first time, before the step begins.
const std::vector<parallel::WorkItem>& Trainer::schedule_of(std::int64_t num_microbatches) {
  const auto [schedule, is_new] = schedules_.try_emplace(num_microbatches);
  if (is_new) {
    schedule->second = parallel::accumulation_schedule(num_microbatches);
  }
  return schedule->second;
}

Status Trainer::train_step(StepRecord& record) {
  const optim::BatchSize size = optim::batch_size_at(resolved_.batch, state_.consumed_samples);
  const std::int64_t num_microbatches = size.num_microbatches;
  const std::vector<parallel::WorkItem>& schedule = schedule_of(num_microbatches);
  const double learning_rate = optim::learning_rate(resolved_.learning_rate, state_.consumed_samples);

  const std::uint64_t allocations_before = allocation_count().allocations;
  const double start_s = doors_.clock.monotonic_s();
  TRY(feed_->fill(state_.consumed_samples, num_microbatches, plan_->batch));
  record.loss_tokens = plan_->batch.fold_reduction(loss_reduction(config_), num_microbatches);
  TRY(choose_products(schedule));
  const double filled_s = doors_.clock.monotonic_s();
  const parallel::PhaseTimes times = plan_->executor.run(schedule, plan_->batch.microbatches());
  TRY(wait_for_device());
  const double reduced_s = doors_.clock.monotonic_s();
  const double loss_sum = plan_->batch.loss_sum(num_microbatches);
  const optim::ClipResult clip = plan_->clip->measure();
  const bool is_finite = clip.is_finite && std::isfinite(loss_sum);
  if (is_finite) {
    plan_->update(state_.optimizer_step + 1, learning_rate, clip.clip_scale);
    TRY(wait_for_device());  // the step's time is the GPU's; the next batch is filled after it
  }
  const double end_s = doors_.clock.monotonic_s();
  record.step_allocations = static_cast<std::int64_t>(allocation_count().allocations - allocations_before);

  record.loss = record.loss_tokens == 0 ? 0.0 : loss_sum / static_cast<double>(record.loss_tokens);
  record.gradient_norm = clip.norm;
  record.learning_rate = learning_rate;
  record.data_ms = (filled_s - start_s) * 1e3;
  record.forward_ms = times.forward_s * 1e3;
  record.backward_ms = times.backward_s * 1e3;
  record.optimizer_ms = (end_s - reduced_s) * 1e3;
  if (!is_finite) {
    ++skipped_steps_;
    ++nonfinite_steps_;
    finish_record(size, end_s - start_s, record);
    record.step = state_.step + 1;  // the step that was refused
    return {StatusCode::kDiverged,
            fmt::format("step {}: loss or gradient norm is not finite: the update is refused, the weights "
                        "are those of step "
                        "{}. Lower schedule.learning_rate, or look at the samples from {} on",
                        state_.step + 1, state_.step, state_.consumed_samples)};
  }
  ++state_.step;
  ++state_.optimizer_step;
  state_.consumed_samples += size.samples;
  state_.consumed_tokens += size.samples * config_.train.sequence;
  state_.skipped_samples += size.skipped;
  finish_record(size, end_s - start_s, record);
  return ok_status();
}

Status Trainer::choose_products(const std::vector<parallel::WorkItem>& schedule) {
  if (!device_ || has_products_) {
    return ok_status();
  }
  has_products_ = true;
  const auto run_microbatch = [&] {
    plan_->executor.run(std::span(schedule).first(2), plan_->batch.microbatches());  // forward, backward
  };
  TRY(train::choose_products(
      doors_.files, *device_, log_,
      {folder_->cache_path() + "/product-choices.txt", !config_.run.deterministic, run_microbatch}));
  end_start_phase("products");
  return ok_status();
}

void Trainer::keep_attention_plans() {
  const std::string plans = device_ ? ops::new_attention_plans(*device_) : std::string();
  if (plans.empty()) {
    return;
  }
  const Status kept = doors_.files.replace_text(attention_plans_path(), plans);
  if (!kept.ok()) {
    log_.warning("plans of attention are not kept; the next start makes them again",
                 {{"reason", kept.message()}});
  }
}

void Trainer::finish_record(const optim::BatchSize& batch, double step_s, StepRecord& record) {
  const auto samples = static_cast<double>(batch.samples);
  recent_step_s_ = recent_step_s_ == 0 ? step_s : recent_step_s_ + kRecentWeight * (step_s - recent_step_s_);
  record.time_unix_s = static_cast<double>(doors_.clock.wall_ns()) * 1e-9;
  record.attempt = folder_->attempt();
  record.step = state_.step;
  record.num_steps = resolved_.steps;
  record.consumed_samples = state_.consumed_samples;
  record.consumed_tokens = state_.consumed_tokens;
  record.skipped_samples = state_.skipped_samples;
  record.data_stage = told_stage_;
  record.step_ms = step_s * 1e3;
  record.eta_s = recent_step_s_ * static_cast<double>(resolved_.steps - state_.step);
  record.tokens_per_s = samples * static_cast<double>(config_.train.sequence) / step_s;
  const double flops = planner::training_flops(inputs_.model, config_.train.sequence) * samples / step_s;
  record.tflops = flops * 1e-12;
  record.mfu = flops / peak_flops_;
  record.peak_tflops = peak_flops_ * 1e-12;
  record.tflops_megatron =
      planner::training_flops_megatron(inputs_.model, config_.train.sequence) * samples / step_s * 1e-12;
  record.global_batch = batch.samples;
  record.skipped_steps = skipped_steps_;
  record.nonfinite_steps = nonfinite_steps_;
  record.sample_chain = feed_->chain().to_hex();
}

Status Trainer::after_step(std::int64_t batch_samples, bool* should_stop) {
  const bool is_last = state_.step >= resolved_.steps;
  const bool is_save_asked = is_triggered(checkpoint::Trigger::kSave);
  *should_stop = is_stop_requested() && !is_last;
  // A change of the batch is saved before, as the reference does: a resume then starts on either side of it.
  const std::int64_t next_batch = optim::batch_size_at(resolved_.batch, state_.consumed_samples).samples;
  const bool is_due = (config_.checkpoint.every > 0 && state_.step % config_.checkpoint.every == 0) ||
                      (!is_last && next_batch != batch_samples);
  if (is_due || is_save_asked || *should_stop || is_last) {
    TRY(save_or_tell(*should_stop || is_last));
  }
  if (is_save_asked) {
    clear_trigger(checkpoint::Trigger::kSave);
  }
  const bool is_evaluation_due = is_last || (config_.eval.every > 0 && state_.step % config_.eval.every == 0);
  if (is_evaluation_due && !*should_stop) {
    evaluate();
    *should_stop = is_stop_requested() && !is_last;  // held-out data may have taken long
    if (*should_stop) {
      TRY(save());
    }
  }
  return ok_status();
}

// A save that fails while training could go on is told: a full disk may have room again at the next one.
Status Trainer::save_or_tell(bool is_end) {
  const Status saved = save();
  if (saved.ok() || is_end) {
    return saved;
  }
  log_.error("checkpoint not saved; training goes on", {{"step", state_.step}, {"reason", saved.message()}});
  return ok_status();
}

bool Trainer::is_triggered(checkpoint::Trigger trigger) const {
  return !ignored_triggers_.contains(trigger) && folder_->is_triggered(trigger);
}

// Only when what the trigger asked for has happened, so that a crash in between does not lose it. A file that cannot be
// removed (another person's) is obeyed once.
void Trainer::clear_trigger(checkpoint::Trigger trigger) {
  const Status cleared = folder_->clear_trigger(trigger);
  if (!cleared.ok()) {
    ignored_triggers_.insert(trigger);
    log_.warning("a trigger cannot be removed and is ignored from now on", {{"reason", cleared.message()}});
  }
}

// A held-out set that cannot be read does not end the training of a model.
void Trainer::evaluate() {
  const data::BatchOptions options = batch_options(config_, inputs_.eod_id, false);
  for (const HeldOutSet& set : held_out_) {
    const std::int64_t num_samples =
        config_.eval.samples > 0 ? config_.eval.samples : set.source.num_samples();
    const Result<parallel::EvaluationResult> result = evaluator_->evaluate(set.source, options, num_samples);
    if (!result.ok()) {
      log_.error("evaluation failed; training goes on",
                 {{"set", set.name}, {"step", state_.step}, {"reason", result.status().message()}});
      continue;
    }
    telemetry_->record_evaluation({static_cast<double>(doors_.clock.wall_ns()) * 1e-9, folder_->attempt(),
                                   state_.step, set.name, result->loss, result->perplexity(),
                                   result->accuracy, result->num_tokens});
  }
}

checkpoint::Snapshot Trainer::snapshot() const {
  checkpoint::Snapshot snapshot;
  snapshot.model_files = inputs_.model_files;
  snapshot.model_files.buffers.assign(plan_->model.buffers().begin(), plan_->model.buffers().end());
  snapshot.weights = checkpoint::weight_tensors(plan_->model.parameters(), host_memory());
  snapshot.moments =
      group_moments<checkpoint::MomentTensors, checkpoint::NamedTensor>(*plan_->optimizer, moment_memory());
  snapshot.state = state_;
  snapshot.state.stages = stage_positions();
  std::erase_if(snapshot.state.stages, [&](const checkpoint::StagePosition& stage) {
    return stage.start_samples > 0 && stage.start_samples >= state_.consumed_samples;  // has not begun
  });
  snapshot.state.sample_chain = feed_->chain().to_hex();
  snapshot.state.elapsed_s = elapsed_before_s_ + doors_.clock.monotonic_s() - started_s_;
  return snapshot;
}

Status Trainer::save() {
  if (last_saved_step_ == state_.step) {
    return ok_status();
  }
  const double start_s = doors_.clock.monotonic_s();
  if (mirror_) {
    TRY(memory_->download(Lifetime::kParameter, *mirror_));
    if (has_mirrored_moments()) {
      TRY(memory_->download(Lifetime::kOptimizer, *mirror_));
    }
  }
  checkpoint::SaveOptions options;
  options.model_dtype =
      config_.precision.weights == WeightsDtype::kBfloat16 ? DType::kBFloat16 : DType::kFloat32;
  options.saved_at_unix_s = doors_.clock.wall_ns() / kNsPerSecond;
  TRY(checkpoint::save_checkpoint(doors_.files, *folder_, snapshot(), options));
  last_saved_step_ = state_.step;
  retention_->mark_good(state_.step);
  telemetry_->flush();
  telemetry_->note(fmt::format("checkpoint {} confirmed in {:.2f} s",
                               checkpoint::step_folder_name(state_.step),
                               doors_.clock.monotonic_s() - start_s));
  const Result<std::vector<std::int64_t>> deleted = retention_->apply();
  if (!deleted.ok()) {
    log_.warning("old checkpoints could not be removed", {{"reason", deleted.status().message()}});
  }
  return ok_status();
}

}  // namespace cairn::train
