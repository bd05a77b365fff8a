// From T+1 token ids to one row of a batch: inputs, targets, loss mask, positions, attention limits.
// Writes into views that the caller owns; allocates nothing after construction. Thread-safe when const.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/status.h"
#include "data/goldfish.h"
#include "tensor/batch.h"
#include "tensor/tensor_view.h"

namespace cairn::data {

enum class PositionRule : std::uint8_t {
  kContinue,  // 0 .. T-1 whatever the documents
  kRestart,   // from 0 after each EOD in the input
};
enum class EodLoss : std::uint8_t {
  kKeep,
  kMask,  // no loss where the input token is EOD: the first token after a document is not predicted from it
};

// The defaults are what the Apertus run really had.
struct BatchOptions {
  std::optional<std::int32_t> eod_id;  // required by kMask, kRestart and document_mask
  EodLoss eod_loss = EodLoss::kMask;
  PositionRule positions = PositionRule::kContinue;
  bool document_mask = false;  // true: no attention across documents
  GoldfishOptions goldfish;
};

// One batch being filled: the writable twin of BatchView. All (B, T); tokens, targets, positions, first_key
// int32, loss_mask float32.
struct MutableBatch {
  TensorView tokens_BT;
  TensorView targets_BT;
  TensorView loss_mask_BT;
  TensorView positions_BT;
  TensorView first_key_BT;

  BatchView view() const { return {tokens_BT, targets_BT, loss_mask_BT, positions_BT, first_key_BT}; }
};

class BatchBuilder {
 public:
  // REQUIRES an eod_id where the options need one (check_batch_options).
  explicit BatchBuilder(const BatchOptions& options);

  // Row `row` from tokens_T1 (T+1 ids): tokens = [0, T), targets = [1, T+1). Only the first num_valid ids are
  // real (num_valid <= T+1); the rest becomes id 0 with loss mask 0. Overwrites the row (=).
  void fill_row(std::span<const std::int32_t> tokens_T1, std::int64_t num_valid, std::int64_t row,
                MutableBatch& batch) const;
  const BatchOptions& options() const { return options_; }

 private:
  BatchOptions options_;
  std::optional<GoldfishMask> goldfish_;
};

// kBadConfig when eod_id is missing but needed, or k or h is below 1.
Status check_batch_options(const BatchOptions& options);

}  // namespace cairn::data
