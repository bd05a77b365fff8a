#include "train/run_inputs.h"

#include <fmt/format.h>

#include "base/faults.h"
#include "base/hash.h"

namespace cairn::train {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string tokenizer_path(FileSystem& files, const RunConfig& config) {
  if (!config.tokenizer.file.empty()) {
    return config.tokenizer.file;
  }
  const std::string beside_model = config.model.from + "/tokenizer.json";
  return !config.model.from.empty() && files.exists(beside_model) ? beside_model : "";
}

Status read_tokenizer(FileSystem& files, const std::string& path, RunInputs& inputs) {
  TRY_ASSIGN(const std::string text, files.read_text(path));
  Result<tokenizer::Tokenizer> parsed = tokenizer::Tokenizer::from_json(text);
  if (!parsed.ok()) {
    return parsed.status().with_context(path);
  }
  inputs.tokenizer = std::move(parsed).value();
  inputs.tokenizer_fingerprint = xxh3_128(text).to_hex();
  inputs.model_files.tokenizer_files = checkpoint::tokenizer_files_in(files, folder_of(path));
  return ok_status();
}

Status read_model(FileSystem& files, const RunConfig& config, RunInputs& inputs) {
  if (config.model.from.empty()) {
    const std::int64_t vocab_size = inputs.tokenizer ? inputs.tokenizer->vocab_size() : 0;
    TRY_ASSIGN(inputs.model, model_config_from_run(config, vocab_size));
    if (inputs.tokenizer) {
      inputs.model.bos_token_id = inputs.tokenizer->bos_id();
      inputs.model.eos_token_id = inputs.tokenizer->eos_id();
      inputs.model.pad_token_id = inputs.tokenizer->pad_id();
    }
    return ok_status();
  }
  TRY_ASSIGN(const std::string text, files.read_text(config.model.from + "/config.json"));
  Result<nn::ModelConfig> model = nn::model_config_from_json(text);
  if (!model.ok()) {
    return model.status().with_context(config.model.from + "/config.json");
  }
  inputs.model = *model;
  const std::string generation = config.model.from + "/generation_config.json";
  if (files.exists(generation)) {
    TRY_ASSIGN(inputs.model_files.generation_config_json, files.read_text(generation));
  }
  return ok_status();
}

Status check_fit(const RunConfig& config, const RunInputs& inputs) {
  Faults faults;
  if (inputs.tokenizer && inputs.tokenizer->vocab_size() > inputs.model.vocab_size) {
    faults.add("model.vocab_size", std::to_string(inputs.model.vocab_size),
               fmt::format("the tokenizer makes ids up to {}", inputs.tokenizer->vocab_size() - 1),
               "give at least the tokenizer's size, or 0 to take it");
  }
  if (config.train.sequence > inputs.model.max_position_embeddings) {
    faults.add("train.sequence", std::to_string(config.train.sequence),
               fmt::format("longer than the model's {} positions", inputs.model.max_position_embeddings),
               "shorten the sequence or raise max_position_embeddings");
  }
  const bool needs_eod =
      config.data.document_mask || !config.data.eod_loss || config.data.positions == Positions::kRestart;
  if (needs_eod && !inputs.eod_id) {
    faults.add("tokenizer.file", config.tokenizer.file,
               "document_mask, positions = \"restart\" and eod_loss = false need the id that ends a document",
               "name a tokenizer with an end-of-sequence token, or set eod_loss = true");
  }
  return faults.to_status(StatusCode::kBadConfig, "the run's inputs do not fit together");
}

}  // namespace

Result<RunInputs> read_run_inputs(FileSystem& files, const RunConfig& config) {
  RunInputs inputs;
  const std::string path = tokenizer_path(files, config);
  if (!path.empty()) {
    TRY(read_tokenizer(files, path, inputs));
  }
  TRY(read_model(files, config, inputs));
  if (inputs.tokenizer && inputs.tokenizer->eos_id()) {
    inputs.eod_id = inputs.tokenizer->eos_id();
  } else if (inputs.model.eos_token_id) {
    inputs.eod_id = static_cast<std::int32_t>(*inputs.model.eos_token_id);
  }
  TRY(check_fit(config, inputs));
  const bool is_bfloat16 = config.precision.weights == WeightsDtype::kBfloat16;
  inputs.model_files.config_json =
      nn::model_config_to_json(inputs.model, is_bfloat16 ? "bfloat16" : "float32");
  if (inputs.model_files.generation_config_json.empty()) {
    inputs.model_files.generation_config_json = checkpoint::default_generation_config_json(inputs.model);
  }
  return inputs;
}

}  // namespace cairn::train
