// What is known of one training step, listed once: the log line, metrics/train.jsonl, TensorBoard and the table in
// docs/metrics.md are made from this list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::train {

struct StepRecord {
  double time_unix_s = 0;
  std::int64_t attempt = 0;
  std::int64_t step = 0;
  std::int64_t num_steps = 0;
  std::int64_t consumed_samples = 0;
  std::int64_t consumed_tokens = 0;
  std::int64_t skipped_samples = 0;
  std::int64_t data_stage = 0;
  double step_ms = 0;
  double eta_s = 0;
  double tokens_per_s = 0;
  double tflops = 0;
  double mfu = 0;
  double peak_tflops = 0;
  double tflops_megatron = 0;
  double learning_rate = 0;
  std::int64_t global_batch = 0;
  double loss = 0;
  double loss_scale = 1;
  double gradient_norm = 0;
  std::int64_t loss_tokens = 0;
  std::int64_t skipped_steps = 0;
  std::int64_t nonfinite_steps = 0;
  double data_ms = 0;
  double forward_ms = 0;
  double backward_ms = 0;
  double optimizer_ms = 0;
  std::int64_t step_allocations = 0;
  std::string sample_chain;

  // visitor(name, value, unit, definition) for every field, in the order of the log line.
  template <class Self, class Visitor>
  static void visit_fields(Self& self, Visitor&& visitor) {
    visitor("time_unix_s", self.time_unix_s, "s", "wall clock at the end of the step");
    visitor("attempt", self.attempt, "", "how often this run folder has been started, from 1");
    visitor("step", self.step, "", "optimizer steps done, this one included");
    visitor("num_steps", self.num_steps, "", "steps of the whole run");
    visitor("consumed_samples", self.consumed_samples, "samples", "sequences trained on so far");
    visitor("consumed_tokens", self.consumed_tokens, "tokens", "consumed_samples x sequence length");
    visitor("skipped_samples", self.skipped_samples, "samples", "dropped by rounding the batch ramp down");
    visitor("data_stage", self.data_stage, "", "stage of the data in which the step began, from 0");
    visitor("step_ms", self.step_ms, "ms", "from the first read of data to the updated weights");
    visitor("eta_s", self.eta_s, "s", "remaining steps x mean of the recent step_ms");
    visitor("tokens_per_s", self.tokens_per_s, "tokens/s",
            "global batch x sequence length / step time, all devices");
    visitor("tflops", self.tflops, "TFLOP/s",
            "model FLOPs (causal attention half, head in, embedding out) / step time");
    visitor("mfu", self.mfu, "", "tflops over the peak measured at start (float32 FMA on a CPU)");
    visitor("peak_tflops", self.peak_tflops, "TFLOP/s",
            "what mfu is a share of: float32 FMA rate of all threads");
    visitor("tflops_megatron", self.tflops_megatron, "TFLOP/s", "the same with attention counted in full");
    visitor("learning_rate", self.learning_rate, "", "rate of this step");
    visitor("global_batch", self.global_batch, "samples", "sequences in this step");
    visitor("loss", self.loss, "nats/token", "mean over all predicted tokens of the step");
    visitor("loss_scale", self.loss_scale, "", "factor on the loss before backward; 1 in float32");
    visitor("gradient_norm", self.gradient_norm, "", "global L2 norm before clipping");
    visitor("loss_tokens", self.loss_tokens, "tokens", "positions with a loss mask of 1 in this step");
    visitor("skipped_steps", self.skipped_steps, "", "steps whose update was refused so far");
    visitor("nonfinite_steps", self.nonfinite_steps, "",
            "steps with a non-finite loss or gradient norm so far");
    visitor("data_ms", self.data_ms, "ms", "reading samples and building masks");
    visitor("forward_ms", self.forward_ms, "ms", "forward passes, with the output head's gradient");
    visitor("backward_ms", self.backward_ms, "ms", "backward passes and the reduction tree");
    visitor("optimizer_ms", self.optimizer_ms, "ms", "gradient norm, clipping, update");
    visitor("step_allocations", self.step_allocations, "", "heap allocations inside the step; 0 by design");
    visitor("sample_chain", self.sample_chain, "", "hash chain over the ids of all samples consumed so far");
  }
};

// One JSON object on one line, no newline at the end. Non-finite numbers become null.
std::string step_record_to_json(const StepRecord& record);

// The human line: timestamp, step/total, samples, tokens (B), ms, ETA, tokens/s, TFLOP/s, MFU, learning rate, batch,
// loss, scale, gradient norm, skipped and non-finite counts.
std::string step_record_to_line(const StepRecord& record);

// A Markdown table of every field with unit and definition, for docs/metrics.md.
std::string step_record_documentation();

}  // namespace cairn::train
