// A model folder loaded for decoding: plan, memory, workers and model with their lifetimes in order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "device/memory.h"
#include "device/thread_pool.h"
#include "doors/file_system.h"
#include "nn/model.h"
#include "tensor/plan.h"

namespace cairn::checkpoint {
class HfFolder;
}  // namespace cairn::checkpoint

namespace cairn::serve {

struct SessionShape {
  std::int64_t cache_rows = 0;    // longest sequence, prompt and new tokens together
  std::int64_t prefill_rows = 0;  // rows of a prompt that are run at once
  int num_threads = 1;
};

class InferenceSession {
 public:
  // kIo when the host refuses the memory; kBadData when the weights do not fit the configuration.
  static Result<std::unique_ptr<InferenceSession>> open(const checkpoint::HfFolder& folder,
                                                        const nn::ModelConfig& config,
                                                        const SessionShape& shape);

  nn::Model& model() { return model_; }
  TensorView logits_V() const { return memory_->view(logits_); }
  const Plan& plan() const { return plan_; }

 private:
  explicit InferenceSession(int num_threads) : pool_(num_threads) {}
  // In order of life.
  ThreadPool pool_;
  Plan plan_;
  std::unique_ptr<Memory> memory_;
  nn::Model model_;
  TensorId logits_;
};

// The ids that end a text: those of generation_config.json where it names any, else of the configuration.
// `generation_config_text` may be empty; kBadData when it is no JSON object.
Result<std::vector<std::int64_t>> end_token_ids(const nn::ModelConfig& config,
                                                std::string_view generation_config_text);

}  // namespace cairn::serve
