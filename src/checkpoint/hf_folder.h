// A model folder as transformers' save_pretrained writes it: config.json, generation_config.json, tokenizer
// files, model.safetensors or model-0000i-of-0000n.safetensors with an index.
// Format: docs/formats/hugging-face-folder.md. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/tensor_set.h"
#include "doors/file_system.h"
#include "formats/safetensors.h"
#include "nn/model_config.h"
#include "nn/parameter.h"

namespace cairn::checkpoint {

class HfFolder {
 public:
  // Reads the JSON files and the headers, not the weights. `files` must outlive the folder.
  // kNoInput: no such folder, no config.json or no weights. kBadData: anything malformed, a shard missing, a
  // tensor in two shards, an index that disagrees with its shards; all faults at once.
  static Result<HfFolder> open(FileSystem& files, const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& config_text() const { return config_text_; }
  const std::string& generation_config_text() const { return generation_config_text_; }  // "" when missing
  // Names, relative to the folder, of the tokenizer files that are present ("tokenizer.json", ...).
  std::span<const std::string> tokenizer_files() const { return tokenizer_files_; }
  // Name, dtype, shape and shard of every tensor; reads them.
  const TensorSet& tensors() const { return tensors_; }
  TensorSet take_tensors() && { return std::move(tensors_); }

 private:
  HfFolder() = default;
  std::string path_;
  std::string config_text_;
  std::string generation_config_text_;
  std::vector<std::string> tokenizer_files_;
  TensorSet tensors_;
};

// Fills every target by name, converting BF16, F16 and F64 to float32. Nothing is written to the targets unless
// names, shapes and dtypes agree; all faults at once (kBadData): missing, unexpected, wrong shape, wrong dtype.
// Accepted beside the targets: xIELU buffers (mlp.act_fn.beta, .eps; checked against the model's constants),
// rotary inv_freq buffers of old exports (ignored), lm_head.weight of a tied model (checked to equal the embedding).
Status load_tensors(const HfFolder& folder, std::span<const NamedTarget> targets,
                    std::span<const nn::Buffer> buffers);
Status load_weights(const HfFolder& folder, std::span<const nn::Parameter> parameters,
                    std::span<const nn::Buffer> buffers, const Memory& memory);

// What stands beside the weights in a model folder.
struct ModelFiles {
  std::string config_json;             // nn::model_config_to_json
  std::string generation_config_json;  // default_generation_config_json, or the text of the source folder
  struct Text {
    std::string name;  // "tokenizer.json"
    std::string text;  // read once: what becomes of the file it came from does not matter any more
  };
  std::vector<Text> tokenizer_files;
  std::vector<nn::Buffer> buffers;  // Model::buffers(), written with the weights
};
// generation_config.json as save_pretrained derives it from a model configuration.
std::string default_generation_config_json(const nn::ModelConfig& config);
// The tokenizer files that are present in a model folder.
Result<std::vector<ModelFiles::Text>> read_tokenizer_files(FileSystem& files, const std::string& folder);
// `tokenizer_json` (the text of the file `path`) as tokenizer.json, and what belongs to it in its folder. When the file
// has another name, only configuration is taken from there: vocabularies beside it may be another tokenizer's.
Result<std::vector<ModelFiles::Text>> tokenizer_files_beside(FileSystem& files, const std::string& path,
                                                             std::string tokenizer_json);

struct HfWriteOptions {
  DType dtype = DType::kFloat32;                 // kFloat32 or kBFloat16 (rounded to nearest even)
  std::int64_t shard_bytes_max = 5'000'000'000;  // one tensor above this gets a shard of its own
};

// One file of a model folder that is to be written: a text or, when `entries` is not empty, tensors.
struct ModelFolderFile {
  std::string name;
  std::string text;
  std::vector<SafetensorsEntry> entries;
};
// All files of a model folder in the order of writing. Pure; the views of `model_files` and `weights` are borrowed.
std::vector<ModelFolderFile> plan_model_folder(const ModelFiles& model_files,
                                               std::span<const NamedTensor> weights,
                                               const HfWriteOptions& options);

// Writes a new folder: all files synced under a temporary name, then one rename. The weights are given once each
// (a tied lm_head not at all); buffers are added. kCannotWrite when `path` exists.
Status write_hf_folder(FileSystem& files, const std::string& path, const ModelFiles& model_files,
                       std::span<const NamedTensor> weights, const HfWriteOptions& options);

}  // namespace cairn::checkpoint
