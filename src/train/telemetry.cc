#include "train/telemetry.h"

#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "doors/path.h"

namespace cairn::train {
namespace {

Result<std::unique_ptr<FileOutput>> append_output(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(std::unique_ptr<WritableFile> file, files.append_to(path));
  return std::make_unique<FileOutput>(std::move(file));
}

}  // namespace

std::string evaluation_record_to_json(const EvaluationRecord& r) {
  std::string name;
  append_json_string(name, r.set);
  std::string loss;
  append_json_number(loss, r.loss);
  std::string perplexity;
  append_json_number(perplexity, r.perplexity);
  return fmt::format(
      R"({{"time_unix_s": {}, "attempt": {}, "step": {}, "set": {}, "loss": {}, "perplexity": {}, "accuracy": {}, )"
      R"("num_tokens": {}}})",
      r.time_unix_s, r.attempt, r.step, name, loss, perplexity, r.accuracy, r.num_tokens);
}

Result<std::unique_ptr<Telemetry>> Telemetry::open(FileSystem& files, Logger& log, std::int64_t wall_ns,
                                                   TelemetryOptions options) {
  std::unique_ptr<Telemetry> telemetry(new Telemetry(log, std::move(options)));
  const TelemetryOptions& o = telemetry->options_;
  TRY(files.make_directories(o.metrics_path));
  TRY(files.make_directories(parent_path(o.log_file)));
  TRY_ASSIGN(telemetry->train_, append_output(files, o.metrics_path + "/train.jsonl"));
  TRY_ASSIGN(telemetry->eval_, append_output(files, o.metrics_path + "/eval.jsonl"));
  TRY_ASSIGN(telemetry->rank_log_, append_output(files, o.log_file));
  TRY_ASSIGN(telemetry->rank_records_, append_output(files, o.log_file + ".jsonl"));
  if (!o.tensorboard_path.empty()) {
    TRY(files.make_directories(o.tensorboard_path));
    const std::string name = tensorboard_file_name(wall_ns, o.host, o.process_id);
    TRY_ASSIGN(std::unique_ptr<WritableFile> file, files.append_to(o.tensorboard_path + "/" + name));
    TRY_ASSIGN(telemetry->tensorboard_, TensorboardWriter::create(std::move(file), wall_ns));
  }
  return telemetry;
}

void Telemetry::record_step(const StepRecord& record, std::int64_t first_step, double elapsed_s) {
  train_->write(step_record_to_json(record) + "\n");
  const std::string line = step_record_to_line(record);
  rank_log_->write(line + "\n");
  if (tensorboard_) {
    const auto wall_ns = static_cast<std::int64_t>(record.time_unix_s * 1e9);
    StepRecord::visit_fields(
        record, [&](std::string_view name, const auto& value, std::string_view, std::string_view) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
            tensorboard_->add_scalar("train/" + std::string(name), record.step, static_cast<float>(value),
                                     wall_ns);
          }
        });
  }
  if (options_.console.output == nullptr) {
    return;
  }
  if (options_.console.is_terminal) {
    const std::string note = fmt::format("loss {:.4f}  {:.0f} tokens/s", record.loss, record.tokens_per_s);
    const ProgressState state{"train", record.step, record.num_steps, "step", elapsed_s, first_step, note};
    options_.console.output->write("\r\x1b[K" + progress_line(state, options_.console.style));
    is_bar_shown_ = true;
  } else if (record.step % options_.log_every == 0 || record.step == record.num_steps) {
    options_.console.output->write(line + "\n");
  }
}

void Telemetry::record_evaluation(const EvaluationRecord& record) {
  eval_->write(evaluation_record_to_json(record) + "\n");
  if (tensorboard_) {
    const auto wall_ns = static_cast<std::int64_t>(record.time_unix_s * 1e9);
    tensorboard_->add_scalar("eval/loss/" + record.set, record.step, static_cast<float>(record.loss),
                             wall_ns);
    tensorboard_->add_scalar("eval/accuracy/" + record.set, record.step, static_cast<float>(record.accuracy),
                             wall_ns);
  }
  note(fmt::format("eval step {} | set {} | loss {:.6f} | perplexity {:.3f} | accuracy {:.2f}% | {} tokens",
                   record.step, record.set, record.loss, record.perplexity, record.accuracy * 100,
                   record.num_tokens));
}

void Telemetry::note(const std::string& line) {
  rank_log_->write(line + "\n");
  console_line(line);
}

void Telemetry::attach_files(Logger& log) {
  human_sink_ = std::make_unique<HumanSink>(*rank_log_, false);
  json_sink_ = std::make_unique<JsonLinesSink>(*rank_records_);
  log.add_sink(*human_sink_, LogLevel::kInfo);
  log.add_sink(*json_sink_, LogLevel::kDebug);
}

void Telemetry::console_line(const std::string& line) {
  if (options_.console.output == nullptr) {
    return;
  }
  options_.console.output->write((is_bar_shown_ ? "\r\x1b[K" : "") + line + "\n");
  is_bar_shown_ = false;
}

void Telemetry::flush() {
  if (tensorboard_) {
    warn_once(tensorboard_->flush());
  }
  for (const auto* file : {&train_, &eval_, &rank_log_, &rank_records_}) {
    warn_once((*file)->status());
  }
}

void Telemetry::close() {
  if (is_bar_shown_) {
    options_.console.output->write("\n");
    is_bar_shown_ = false;
  }
  if (tensorboard_) {
    warn_once(tensorboard_->close());
  }
  for (const auto* file : {&train_, &eval_, &rank_log_, &rank_records_}) {
    warn_once((*file)->close());
  }
}

void Telemetry::warn_once(const Status& status) {
  if (!status.ok() && !has_warned_) {
    has_warned_ = true;
    log_.warning("figures of this run cannot be written; training goes on", {{"reason", status.message()}});
  }
}

}  // namespace cairn::train
