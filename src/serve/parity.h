// Logits, loss and gradients of a model folder on given tokens, for anyone who ports a model: what
// `cairn checkpoint parity` does. Format of both files: docs/formats/parity.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "doors/file_system.h"
#include "tensor/tensor_view.h"

namespace cairn::serve {

// Positions of packed documents: from 0 in each, or running on through the row.
enum class PackedPositions : std::uint8_t { kRestart, kContinue };

struct ParityRequest {
  std::string model_path;   // Hugging Face folder
  std::string inputs_path;  // safetensors
  std::string output_path;  // safetensors, must not exist
  bool with_gradients = false;
  PackedPositions positions = PackedPositions::kRestart;
  int num_threads = 1;
  DeviceKind device = DeviceKind::kCpu;  // kCuda: GPU 0
  DType dtype = DType::kFloat32;         // of activations and products; kBFloat16 on a GPU only
};

struct ParityResult {
  std::int64_t num_sequences = 0;
  std::int64_t sequence = 0;
  std::int64_t num_predicted = 0;  // labels that count
  std::optional<double> loss;      // mean over them; nothing without labels
};

// Inputs (int64; tensors of other names are not read):
//   input_ids         [B, T]
//   labels            [B, T], optional: the id to predict at each position, -100 for none
//   document_lengths  [documents] for every row alike, or [B, documents] padded with 0, optional: attention stays
//                     inside each document; the lengths of a row sum to T
// Output (float32): logits [B, T, V]; with labels loss [] (mean over counted labels, 0 when there is none); with
// gradients grad.<parameter> of that loss.
// kBadConfig when there is no such device. kCannotWrite when the output exists, kBadData listing all faults of the inputs.
Result<ParityResult> run_parity(FileSystem& files, const ParityRequest& request);

}  // namespace cairn::serve
