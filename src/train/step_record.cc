#include "train/step_record.h"

#include <cmath>
#include <ctime>
#include <iterator>
#include <type_traits>

#include <fmt/format.h>

namespace cairn::train {
namespace {

std::string utc_timestamp(double time_unix_s) {
  const auto seconds = static_cast<std::time_t>(time_unix_s);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string short_duration(double seconds) {
  const auto total = static_cast<std::int64_t>(seconds + 0.5);
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

}  // namespace

std::string step_record_to_json(const StepRecord& record) {
  std::string text = "{";
  StepRecord::visit_fields(record,
                           [&](std::string_view name, const auto& value, std::string_view, std::string_view) {
                             using Value = std::decay_t<decltype(value)>;
                             auto out = std::back_inserter(text);
                             fmt::format_to(out, "{}\"{}\": ", text.size() == 1 ? "" : ", ", name);
                             if constexpr (std::is_same_v<Value, std::string>) {
                               fmt::format_to(out, "\"{}\"", value);  // hex digits only: nothing to escape
                             } else if constexpr (std::is_same_v<Value, double>) {
                               if (std::isfinite(value)) {
                                 fmt::format_to(out, "{}", value);
                               } else {
                                 text += "null";
                               }
                             } else {
                               fmt::format_to(out, "{}", value);
                             }
                           });
  return text + "}";
}

std::string step_record_to_line(const StepRecord& r) {
  std::string line =
      fmt::format("[{}] step {}/{} | samples {} | tokens {:.6f} B |", utc_timestamp(r.time_unix_s), r.step,
                  r.num_steps, r.consumed_samples, static_cast<double>(r.consumed_tokens) * 1e-9);
  if (r.skipped_samples > 0) {
    line += fmt::format(" skipped samples {} |", r.skipped_samples);
  }
  line += fmt::format(
      " {:.1f} ms | ETA {} | {:.0f} tokens/s | {:.4f} TFLOP/s | MFU {:.1f}% of {:.3f} float32 | lr {:.3e} | "
      "batch {} | loss "
      "{:.6f} |"
      " scale {:.0f} | grad norm {:.4f} | skipped {} | non-finite {}",
      r.step_ms, short_duration(r.eta_s), r.tokens_per_s, r.tflops, r.mfu * 100, r.peak_tflops,
      r.learning_rate, r.global_batch, r.loss, r.loss_scale, r.gradient_norm, r.skipped_steps,
      r.nonfinite_steps);
  return line;
}

std::string step_record_documentation() {
  std::string text = "| field | unit | definition |\n|---|---|---|\n";
  const StepRecord record;
  StepRecord::visit_fields(
      record, [&](std::string_view name, const auto&, std::string_view unit, std::string_view definition) {
        text += fmt::format("| `{}` | {} | {} |\n", name, unit, definition);
      });
  return text;
}

}  // namespace cairn::train
