// From a checkpoint or a model folder to a model folder: what `cairn checkpoint export` and `import` do. Holds the
// model once in memory, as float32. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/hf_folder.h"
#include "doors/file_system.h"
#include "nn/model_config.h"

namespace cairn::checkpoint {

struct ExportReport {
  std::string source;  // the folder that was read: a run folder's newest good checkpoint, ...
  std::string target;
  nn::ModelConfig config;
  std::int64_t num_parameters = 0;
  std::int64_t num_tensors = 0;
};

// A run folder becomes its newest good checkpoint (verified); a checkpoint is verified; any other folder is itself.
Result<std::string> resolve_model_folder(FileSystem& files, const std::string& path);

// Reads `source` (run folder, checkpoint or model folder), checks configuration, names, shapes, buffers and values,
// and writes the model folder `target` unless it is "". kCannotWrite when `target` exists. Weights that are not
// finite are kBadData, and nothing is written.
Result<ExportReport> export_model(FileSystem& files, const std::string& source, const std::string& target,
                                  const HfWriteOptions& options);

}  // namespace cairn::checkpoint
