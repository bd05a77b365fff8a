#include "checkpoint/tensor_files.h"

#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "formats/safetensors_index.h"

namespace cairn::checkpoint {
namespace {

constexpr std::string_view kHeadName = "lm_head.weight";
constexpr std::string_view kEmbeddingName = "model.embed_tokens.weight";

bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16 ||
         dtype == DType::kFloat64;
}

std::string tensor_field(std::string_view name) {
  return fmt::format("tensor '{}'", name);
}

// A stored constant is accepted when it is the model's up to bfloat16 rounding, in which old exports hold it.
void check_buffer(const TensorSet& set, const StoredTensor& stored, const nn::Buffer& buffer,
                  Faults& faults) {
  if (stored.shape.num_elements() != 1 || !is_float(stored.dtype)) {
    faults.add(tensor_field(stored.name), stored.shape.to_string(), "is no floating-point scalar",
               "export the model again");
    return;
  }
  float value = 0.0F;
  const Status status = set.read_as_float32(
      stored, TensorView(reinterpret_cast<std::byte*>(&value), stored.shape, DType::kFloat32));
  if (!status.ok()) {
    faults.add(tensor_field(stored.name), "", status.message(), "export the model again");
    return;
  }
  constexpr float kBfloat16Relative = 1.0F / 128.0F;
  if (!(std::abs(value - buffer.value) <= kBfloat16Relative * std::abs(buffer.value))) {
    faults.add(tensor_field(stored.name), fmt::format("{}", value),
               fmt::format("differs from the constant {} of this model type", buffer.value),
               "a model with another constant is another architecture; it is not supported");
  }
}

// The head that a tied model's file may carry must be the embedding, else tying would lose it.
void check_tied_head(const TensorSet& set, const StoredTensor& head, Faults& faults) {
  const StoredTensor* embedding = set.find(kEmbeddingName);
  if (embedding == nullptr) {
    return;  // named as missing already
  }
  const Result<bool> same = set.has_same_bytes(head, *embedding);
  if (!same.ok()) {
    faults.add(tensor_field(head.name), "", same.status().message(), "export the model again");
  } else if (!*same) {
    faults.add(tensor_field(head.name), "", "differs from model.embed_tokens.weight, but the model ties them",
               "set tie_word_embeddings to false in config.json");
  }
}

void check_extra(const TensorSet& set, const StoredTensor& stored,
                 const std::map<std::string_view, const nn::Buffer*>& buffers, Extras extras,
                 Faults& faults) {
  if (extras == Extras::kModel) {
    if (const auto buffer = buffers.find(stored.name); buffer != buffers.end()) {
      check_buffer(set, stored, *buffer->second, faults);
      return;
    }
    if (stored.name.ends_with("rotary_emb.inv_freq")) {
      return;  // recomputed from config.json
    }
    if (stored.name == kHeadName) {
      check_tied_head(set, stored, faults);
      return;
    }
  }
  faults.add(tensor_field(stored.name), stored.file, "is not part of this model",
             "check that config.json and the weights belong together");
}

}  // namespace

std::int64_t stored_bytes(const SafetensorsEntry& entry) {
  return entry.view.num_elements() * dtype_size(entry.store_as.value_or(entry.view.dtype()));
}

std::vector<TensorFile> plan_tensor_files(std::string_view stem, std::span<const SafetensorsEntry> entries,
                                          std::int64_t shard_bytes_max, bool is_numbered) {
  CHECK(shard_bytes_max > 0, "a shard must be able to hold something");
  std::vector<TensorFile> files(1);
  std::int64_t bytes = 0;
  for (const SafetensorsEntry& entry : entries) {
    const std::int64_t entry_bytes = stored_bytes(entry);
    if (!files.back().entries.empty() && bytes + entry_bytes > shard_bytes_max) {
      files.emplace_back();
      bytes = 0;
    }
    files.back().entries.push_back(entry);
    bytes += entry_bytes;
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    files[i].name = files.size() == 1 && !is_numbered
                        ? fmt::format("{}.safetensors", stem)
                        : fmt::format("{}-{:05}-of-{:05}.safetensors", stem, i + 1, files.size());
  }
  return files;
}

std::vector<SafetensorsEntry> plain_entries(std::span<const NamedTensor> tensors) {
  std::vector<SafetensorsEntry> entries;
  entries.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors) {
    entries.push_back({tensor.name, tensor.view, std::nullopt});
  }
  return entries;
}

std::vector<SafetensorsEntry> model_entries(std::span<const NamedTensor> weights,
                                            std::span<const nn::Buffer> buffers, DType dtype) {
  CHECK(dtype == DType::kFloat32 || dtype == DType::kBFloat16, "weights are stored as float32 or bfloat16");
  std::vector<SafetensorsEntry> entries;
  entries.reserve(weights.size() + buffers.size());
  for (const NamedTensor& weight : weights) {
    entries.push_back({weight.name, weight.view, dtype});
  }
  for (const nn::Buffer& buffer : buffers) {
    entries.push_back(
        {buffer.name,
         ConstTensorView(reinterpret_cast<const std::byte*>(&buffer.value), Shape(), DType::kFloat32),
         dtype});
  }
  return entries;
}

std::string index_text(std::span<const TensorFile> files) {
  if (files.size() < 2) {
    return "";
  }
  SafetensorsIndex index;
  for (const TensorFile& file : files) {
    for (const SafetensorsEntry& entry : file.entries) {
      index.weight_map[entry.name] = file.name;
      index.total_size += stored_bytes(entry);
    }
  }
  return safetensors_index_to_text(index);
}

void check_targets(const TensorSet& set, std::span<const NamedTarget> targets,
                   std::span<const nn::Buffer> buffers, Extras extras, Faults& faults) {
  std::set<std::string_view> wanted;
  for (const NamedTarget& target : targets) {
    CHECK(target.view.dtype() == DType::kFloat32, "targets are float32");
    wanted.insert(target.name);
    const StoredTensor* stored = set.find(target.name);
    if (stored == nullptr) {
      faults.add(tensor_field(target.name), "", "is missing",
                 "check that config.json and the weights belong together");
    } else if (!(stored->shape == target.view.shape())) {
      faults.add(
          tensor_field(target.name), stored->shape.to_string(),
          fmt::format("has not the shape {} that the configuration wants", target.view.shape().to_string()),
          "check that config.json and the weights belong together");
    } else if (!is_float(stored->dtype)) {
      faults.add(tensor_field(target.name), std::string(dtype_name(stored->dtype)),
                 "is not stored as F32, BF16, F16 or F64", "export the model without quantisation");
    }
  }
  std::map<std::string_view, const nn::Buffer*> buffers_by_name;
  for (const nn::Buffer& buffer : buffers) {
    buffers_by_name[buffer.name] = &buffer;
  }
  for (const StoredTensor& stored : set.list()) {
    if (!wanted.contains(stored.name)) {
      check_extra(set, stored, buffers_by_name, extras, faults);
    }
  }
}

Status read_targets(const TensorSet& set, std::span<const NamedTarget> targets) {
  for (const NamedTarget& target : targets) {
    const StoredTensor* stored = set.find(target.name);
    CHECK(stored != nullptr, target.name);
    TRY(set.read_as_float32(*stored, target.view));
  }
  return ok_status();
}

}  // namespace cairn::checkpoint
