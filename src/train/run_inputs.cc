#include "train/run_inputs.h"

#include <fmt/format.h>

#include "base/faults.h"
#include "base/hash.h"
#include "tokenizer/tokenizer.h"

namespace cairn::train {
namespace {

// What a run takes from its tokenizer besides the text.
struct TokenizerIds {
  std::optional<std::int32_t> bos, eos, pad;
};

std::string tokenizer_path(FileSystem& files, const RunConfig& config) {
  if (!config.tokenizer.file.empty()) {
    return config.tokenizer.file;
  }
  const std::string beside_model = config.model.from + "/tokenizer.json";
  return !config.model.from.empty() && files.exists(beside_model) ? beside_model : "";
}

Result<TokenizerIds> read_tokenizer(FileSystem& files, const std::string& path, RunInputs& inputs) {
  TRY_ASSIGN(std::string text, files.read_text(path));
  Result<tokenizer::Tokenizer> parsed = tokenizer::Tokenizer::from_json(text);
  if (!parsed.ok()) {
    return parsed.status().with_context(path);
  }
  inputs.tokenizer_vocab_size = parsed->vocab_size();
  inputs.tokenizer_fingerprint = xxh3_128(text).to_hex();
  TRY_ASSIGN(inputs.model_files.tokenizer_files,
             checkpoint::tokenizer_files_beside(files, path, std::move(text)));
  return TokenizerIds{parsed->bos_id(), parsed->eos_id(), parsed->pad_id()};
}

Status read_model(FileSystem& files, const RunConfig& config, const TokenizerIds& ids, RunInputs& inputs) {
  if (config.model.from.empty()) {
    TRY_ASSIGN(inputs.model, model_config_from_run(config, inputs.tokenizer_vocab_size));
    if (inputs.tokenizer_vocab_size > 0) {
      inputs.model.bos_token_id = ids.bos;
      inputs.model.eos_token_id = ids.eos;
      inputs.model.pad_token_id = ids.pad;
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
  if (inputs.tokenizer_vocab_size > inputs.model.vocab_size) {
    faults.add("model.vocab_size", std::to_string(inputs.model.vocab_size),
               fmt::format("the tokenizer makes ids up to {}", inputs.tokenizer_vocab_size - 1),
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
  TokenizerIds ids;
  if (!path.empty()) {
    TRY_ASSIGN(ids, read_tokenizer(files, path, inputs));
  }
  TRY(read_model(files, config, ids, inputs));
  if (ids.eos) {
    inputs.eod_id = ids.eos;
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
