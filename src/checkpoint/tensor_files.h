// Cuts tensors into safetensors files of limited size, and lists what a model folder consists of. Pure, except for
// load_targets, which reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/faults.h"
#include "base/status.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/tensor_set.h"
#include "formats/safetensors.h"
#include "nn/parameter.h"

namespace cairn::checkpoint {

// One safetensors file to be written.
struct TensorFile {
  std::string name;  // "model-00001-of-00002.safetensors"
  std::vector<SafetensorsEntry> entries;
};

// "model.safetensors" alone, or "model-0000i-of-0000n.safetensors"; the latter always when is_numbered.
// Tensors are taken in the order given; a file ends before the tensor that would make it longer than
// shard_bytes_max bytes of tensors.  REQUIRES: shard_bytes_max > 0.
std::vector<TensorFile> plan_tensor_files(std::string_view stem, std::span<const SafetensorsEntry> entries,
                                          std::int64_t shard_bytes_max, bool is_numbered);

// Bytes of an entry as it is stored.
std::int64_t stored_bytes(const SafetensorsEntry& entry);

// The entries of model*.safetensors: weights and buffers, all stored as `dtype`. The views of the buffers point
// into `buffers`, which must live as long as the entries.
std::vector<SafetensorsEntry> model_entries(std::span<const NamedTensor> weights,
                                            std::span<const nn::Buffer> buffers, DType dtype);
// Entries that keep the views' own dtype.
std::vector<SafetensorsEntry> plain_entries(std::span<const NamedTensor> tensors);

// model.safetensors.index.json for files of a sharded model; "" when there is one file.
std::string index_text(std::span<const TensorFile> files);

// What may be beside the targets in a set of tensors.
enum class Extras : std::uint8_t {
  kNone,   // training/*: nothing
  kModel,  // model*: buffers, old rotary buffers, the copy of a tied embedding
};
// Names, shapes and dtypes of `set` against the targets; `heading` names the set in messages.
void check_targets(const TensorSet& set, std::span<const NamedTarget> targets,
                   std::span<const nn::Buffer> buffers, Extras extras, Faults& faults);
// REQUIRES: check_targets found no fault. Overwrites every target.
Status read_targets(const TensorSet& set, std::span<const NamedTarget> targets);

}  // namespace cairn::checkpoint
