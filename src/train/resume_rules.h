// What must be the same for a run to go on from a checkpoint: the model's mathematics, the data and their order, the
// tokenizer. Pure; everything else in a run file may change between attempts and is only told.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/train_state.h"
#include "nn/model_config.h"

namespace cairn::train {

// The facts of the run about to go on, in the terms of the checkpoint's state.
struct ResumeFacts {
  std::vector<checkpoint::StagePosition> stages;  // of the whole run, as taken() of its order says
  std::vector<checkpoint::DataFingerprint> data_fingerprints;  // of every source
  std::string tokenizer_fingerprint;
  nn::ModelConfig model;
};

// kBadConfig: the samples after the checkpoint would not be those that the run would have seen, or the weights would mean
// something else; all differences at once. kBadData: the shard or the tokenizer has changed.
// Stages that have not begun may change. A source of which more or less is asked for (a longer run, another stage) has
// the same order as long as both fit into one epoch: a shuffle over several epochs depends on how many there are.
Status check_resume(const checkpoint::TrainState& saved, const nn::ModelConfig& saved_model,
                    const ResumeFacts& now, const std::string& checkpoint_path);

}  // namespace cairn::train
