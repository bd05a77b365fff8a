// What a run file points at besides token shards: the model configuration, the tokenizer and the files that go
// into every checkpoint beside the weights.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "checkpoint/hf_folder.h"
#include "doors/file_system.h"
#include "nn/model_config.h"
#include "train/run_config.h"

namespace cairn::train {

struct RunInputs {
  nn::ModelConfig model;
  // Of the tokenizer only this stays: its tables would lie beside the arenas for as long as the run lasts.
  std::int64_t tokenizer_vocab_size = 0;  // 0 without a tokenizer
  std::string tokenizer_fingerprint;      // hex XXH3-128 of tokenizer.json; "" without a tokenizer
  std::optional<std::int32_t> eod_id;     // ends each document in the shards
  checkpoint::ModelFiles model_files;
};

// The tokenizer is tokenizer.file, or the one beside model.from. Ids of BOS, EOS and padding that the run file's
// model leaves open come from it. kBadConfig lists what does not fit together (vocabulary sizes, a missing EOS where
// the data rules need one); kNoInput and kBadData name the file.
Result<RunInputs> read_run_inputs(FileSystem& files, const RunConfig& config);

}  // namespace cairn::train
