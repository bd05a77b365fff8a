#include "checkpoint/export.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/faults.h"
#include "checkpoint/file_io.h"
#include "checkpoint/reader.h"
#include "device/memory.h"
#include "nn/model.h"

namespace cairn::checkpoint {
namespace {

// What the type and the sizes say that the model consists of; no memory is made.
struct ModelParts {
  std::vector<nn::Parameter> parameters;
  std::vector<nn::Buffer> buffers;
};

ModelParts parts_of(const nn::ModelConfig& config) {
  Plan plan;
  nn::ModelShape shape;
  shape.sequence = 1;
  const nn::Model model = nn::Model::declare_evaluation(config, shape, plan);
  return {{model.parameters().begin(), model.parameters().end()},
          {model.buffers().begin(), model.buffers().end()}};
}

Status check_finite(std::span<const NamedTensor> weights, const std::string& source) {
  Faults faults;
  for (const NamedTensor& weight : weights) {
    std::int64_t count = 0;
    for (const float value : weight.view.span<float>()) {
      count += std::isfinite(value) ? 0 : 1;
    }
    if (count > 0) {
      faults.add(fmt::format("tensor '{}'", weight.name), fmt::format("{} values", count), "are not finite",
                 "take an older checkpoint");
    }
  }
  return faults.to_status(StatusCode::kBadData, source);
}

}  // namespace

Result<std::string> resolve_model_folder(FileSystem& files, const std::string& path) {
  if (!files.is_directory(path)) {
    return no_input(fmt::format("{} is no folder", path));
  }
  const std::string checkpoints = join_path(path, "checkpoints");
  if (files.is_directory(checkpoints)) {
    TRY_ASSIGN(const Search search, find_newest_good(files, checkpoints, ""));
    if (search.newest_good) {
      return search.newest_good->folder.path;
    }
    if (search.damaged.empty()) {
      return no_input(fmt::format("{} holds no checkpoint", checkpoints));
    }
    return bad_data(fmt::format("{}: no checkpoint is readable; the newest: {}", checkpoints,
                                search.damaged.front().reason));
  }
  if (is_checkpoint_folder(files, path)) {
    TRY(verify_checkpoint(files, path, "").status());
  }
  return path;
}

Result<ExportReport> export_model(FileSystem& files, const std::string& source, const std::string& target,
                                  const HfWriteOptions& options) {
  if (!target.empty() && files.exists(target)) {
    return cannot_write(fmt::format("{} exists already; name a new folder", target));
  }
  ExportReport report;
  report.target = target;
  TRY_ASSIGN(report.source, resolve_model_folder(files, source));
  TRY_ASSIGN(const HfFolder folder, HfFolder::open(files, report.source));
  auto config = nn::model_config_from_json(folder.config_text());
  if (!config.ok()) {
    return naming(config.status(), join_path(report.source, "config.json"));
  }
  report.config = *config;
  ModelParts parts = parts_of(*config);
  Plan plan;
  for (nn::Parameter& parameter : parts.parameters) {
    parameter.weight = plan.add({parameter.name, parameter.shape, DType::kFloat32, Lifetime::kParameter});
  }
  plan.seal(1);
  TRY_ASSIGN(const Memory memory, Memory::create(plan));
  TRY(restore_weights(files, report.source, weight_targets(parts.parameters, memory), parts.buffers));

  const std::vector<NamedTensor> weights = weight_tensors(parts.parameters, memory);
  report.num_parameters = nn::num_parameters(*config);
  report.num_tensors = static_cast<std::int64_t>(weights.size());
  TRY(check_finite(weights, report.source));
  if (target.empty()) {
    return report;
  }
  ModelFiles model_files;
  model_files.config_json =
      nn::model_config_to_json(*config, options.dtype == DType::kBFloat16 ? "bfloat16" : "float32");
  model_files.generation_config_json = folder.generation_config_text().empty()
                                           ? default_generation_config_json(*config)
                                           : folder.generation_config_text();
  TRY_ASSIGN(model_files.tokenizer_files, read_tokenizer_files(files, report.source));
  model_files.buffers = parts.buffers;
  TRY(write_hf_folder(files, target, model_files, weights, options));
  return report;
}

}  // namespace cairn::checkpoint
