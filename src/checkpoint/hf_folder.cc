#include "checkpoint/hf_folder.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/faults.h"
#include "checkpoint/file_io.h"
#include "checkpoint/tensor_files.h"
#include "formats/json.h"
#include "formats/safetensors_index.h"

namespace cairn::checkpoint {
namespace {

constexpr std::string_view kConfigName = "config.json";
constexpr std::string_view kGenerationName = "generation_config.json";
constexpr std::string_view kSingleName = "model.safetensors";
constexpr std::string_view kIndexName = "model.safetensors.index.json";
constexpr std::string_view kTokenizerName = "tokenizer.json";
constexpr std::array<std::string_view, 9> kTokenizerNames = {
    "added_tokens.json", "chat_template.jinja",     "merges.txt",
    "tekken.json",       "special_tokens_map.json", "tokenizer.json",
    "tokenizer.model",   "tokenizer_config.json",   "vocab.json"};
// Those of them that say which piece has which id, each on its own.
constexpr std::array<std::string_view, 5> kVocabularyNames = {"added_tokens.json", "merges.txt",
                                                              "tekken.json", "tokenizer.model", "vocab.json"};

// Which shard holds which tensor, by the index, against what the shards hold.
void check_index(const SafetensorsIndex& index, const TensorSet& tensors, Faults& faults) {
  for (const auto& [name, file] : index.weight_map) {
    const StoredTensor* stored = tensors.find(name);
    if (stored == nullptr || stored->file != file) {
      faults.add(fmt::format("tensor '{}'", name), file, "is not in the shard that the index names",
                 "download or export the model again");
    }
  }
  for (const StoredTensor& stored : tensors.list()) {
    if (!index.weight_map.contains(stored.name)) {
      faults.add(fmt::format("tensor '{}'", stored.name), stored.file, "is not in the index",
                 "download or export the model again");
    }
  }
}

Status open_sharded(FileSystem& files, const std::string& path, TensorSet& tensors, Faults& faults) {
  TRY_ASSIGN(const std::string text, read_small_file(files, join_path(path, kIndexName)));
  auto index = parse_safetensors_index(text);
  if (!index.ok()) {
    return naming(index.status(), join_path(path, kIndexName));
  }
  bool is_complete = true;
  for (const std::string& file : index->file_names()) {
    const Status status = tensors.add_file(files, path, file, faults);
    if (!status.ok()) {
      is_complete = false;
      faults.add(file, "", status.message(), "download or export the model again");
    }
  }
  if (is_complete) {
    check_index(*index, tensors, faults);
  }
  return ok_status();
}

Status not_a_model_folder(const std::string& path, std::string_view what) {
  return no_input(
      fmt::format("{}: {}; a model folder has config.json and model.safetensors, or shards and "
                  "model.safetensors.index.json",
                  path, what));
}

}  // namespace

Result<HfFolder> HfFolder::open(FileSystem& files, const std::string& path) {
  if (!files.is_directory(path)) {
    return not_a_model_folder(path, "is no folder");
  }
  if (!files.exists(join_path(path, kConfigName))) {
    return not_a_model_folder(path, "has no config.json");
  }
  HfFolder folder;
  folder.path_ = path;
  TRY_ASSIGN(folder.config_text_, read_small_file(files, join_path(path, kConfigName)));
  if (files.exists(join_path(path, kGenerationName))) {
    TRY_ASSIGN(folder.generation_config_text_, read_small_file(files, join_path(path, kGenerationName)));
  }
  for (const std::string_view name : kTokenizerNames) {
    if (files.exists(join_path(path, name))) {
      folder.tokenizer_files_.emplace_back(name);
    }
  }
  Faults faults;
  if (files.exists(join_path(path, kSingleName))) {
    TRY(folder.tensors_.add_file(files, path, std::string(kSingleName), faults));
  } else if (files.exists(join_path(path, kIndexName))) {
    TRY(open_sharded(files, path, folder.tensors_, faults));
  } else {
    return not_a_model_folder(path, "has no weights");
  }
  TRY(faults.to_status(StatusCode::kBadData, path));
  return folder;
}

Status load_tensors(const HfFolder& folder, std::span<const NamedTarget> targets,
                    std::span<const nn::Buffer> buffers) {
  Faults faults;
  check_targets(folder.tensors(), targets, buffers, Extras::kModel, faults);
  TRY(faults.to_status(StatusCode::kBadData, folder.path()));
  return read_targets(folder.tensors(), targets);
}

Status load_weights(const HfFolder& folder, std::span<const nn::Parameter> parameters,
                    std::span<const nn::Buffer> buffers, const Memory& memory) {
  return load_tensors(folder, weight_targets(parameters, memory), buffers);
}

std::string default_generation_config_json(const nn::ModelConfig& config) {
  // In the order of names, as save_pretrained writes it.
  Json json = Json::object();
  json["_from_model_config"] = true;
  if (config.bos_token_id) {
    json["bos_token_id"] = *config.bos_token_id;
  }
  if (config.eos_token_id) {
    json["eos_token_id"] = *config.eos_token_id;
  }
  json["output_attentions"] = false;
  json["output_hidden_states"] = false;
  if (config.pad_token_id) {
    json["pad_token_id"] = *config.pad_token_id;
  }
  json["transformers_version"] = nn::kTransformersVersion;
  json["use_cache"] = true;
  return json_to_text(json, 2) + "\n";
}

Result<std::vector<ModelFiles::Text>> read_tokenizer_files(FileSystem& files, const std::string& folder) {
  std::vector<ModelFiles::Text> texts;
  for (const std::string_view name : kTokenizerNames) {
    const std::string path = join_path(folder, name);
    if (files.exists(path)) {
      TRY_ASSIGN(std::string text, read_small_file(files, path));
      texts.push_back({std::string(name), std::move(text)});
    }
  }
  return texts;
}

Result<std::vector<ModelFiles::Text>> tokenizer_files_beside(FileSystem& files, const std::string& path,
                                                             std::string tokenizer_json) {
  TRY_ASSIGN(std::vector<ModelFiles::Text> texts, read_tokenizer_files(files, parent_path(path)));
  const bool has_usual_name = file_name(path) == kTokenizerName;
  std::erase_if(texts, [&](const ModelFiles::Text& file) {
    const bool is_vocabulary =
        std::find(kVocabularyNames.begin(), kVocabularyNames.end(), file.name) != kVocabularyNames.end();
    return file.name == kTokenizerName || (is_vocabulary && !has_usual_name);
  });
  texts.push_back({std::string(kTokenizerName), std::move(tokenizer_json)});
  return texts;
}

std::vector<ModelFolderFile> plan_model_folder(const ModelFiles& model_files,
                                               std::span<const NamedTensor> weights,
                                               const HfWriteOptions& options) {
  std::vector<ModelFolderFile> planned;
  planned.push_back({std::string(kConfigName), model_files.config_json, {}});
  if (!model_files.generation_config_json.empty()) {
    planned.push_back({std::string(kGenerationName), model_files.generation_config_json, {}});
  }
  for (const ModelFiles::Text& file : model_files.tokenizer_files) {
    planned.push_back({file.name, file.text, {}});
  }
  const auto entries = model_entries(weights, model_files.buffers, options.dtype);
  const auto tensor_files = plan_tensor_files("model", entries, options.shard_bytes_max, false);
  for (const TensorFile& file : tensor_files) {
    planned.push_back({file.name, "", file.entries});
  }
  if (std::string index = index_text(tensor_files); !index.empty()) {
    planned.push_back({std::string(kIndexName), std::move(index), {}});
  }
  return planned;
}

namespace {

// Everything of a model folder, into the folder that will become it. Nothing is hashed but by the way.
Status write_model_folder(FileSystem& files, const std::string& folder, const ModelFiles& model_files,
                          std::span<const NamedTensor> weights, const HfWriteOptions& options) {
  for (const ModelFolderFile& planned : plan_model_folder(model_files, weights, options)) {
    const auto write = [&](WritableFile& file) {
      return planned.entries.empty() ? append_text(file, planned.text)
                                     : write_safetensors(file, planned.entries, {});
    };
    TRY(write_durable_file(files, join_path(folder, planned.name), Hasher(), write).status());
  }
  return naming(files.sync_directory(folder), folder);
}

}  // namespace

Status write_hf_folder(FileSystem& files, const std::string& path, const ModelFiles& model_files,
                       std::span<const NamedTensor> weights, const HfWriteOptions& options) {
  if (files.exists(path)) {
    return cannot_write(fmt::format("{} exists already; name a new folder", path));
  }
  const std::string parent = parent_path(path);
  const std::string temporary = join_path(parent, fmt::format(".{}.tmp", file_name(path)));
  TRY(make_durable_directories(files, parent));
  TRY(naming(files.remove_tree(temporary), temporary));
  Status status = naming(files.make_directories(temporary), temporary);
  if (status.ok()) {
    status = write_model_folder(files, temporary, model_files, weights, options);
  }
  if (status.ok()) {
    status = naming(files.rename(temporary, path), path);
  }
  if (!status.ok()) {
    remove_if_possible(files, temporary);
    return status;
  }
  return naming(files.sync_directory(parent), parent);
}

}  // namespace cairn::checkpoint
