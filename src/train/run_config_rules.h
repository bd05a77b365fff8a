// The rules of the run file that concern more than one key. Those of a model, a ramp and a schedule are their owners'
// (nn, optim); here they are asked.
#pragma once

#include "config/config_reader.h"
#include "train/run_config.h"

namespace cairn::train {

// Adds every broken rule to the report; leaves out rules over keys that are doubtful already.
void check_run_rules(const RunConfig& config, ReadReport& report);

// The parts of a run file as their owners see them, whatever their values.
nn::ModelConfig new_model_config(const RunConfig& config, std::int64_t tokenizer_vocab_size);
optim::BatchRampConfig batch_ramp_config(const RunConfig& config);
optim::LearningRateConfig learning_rate_config(const RunConfig& config, std::int64_t total_samples);

}  // namespace cairn::train
