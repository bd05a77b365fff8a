#include "data/batch_builder.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"

namespace cairn::data {
namespace {

bool needs_eod(const BatchOptions& options) {
  return options.eod_loss == EodLoss::kMask || options.positions == PositionRule::kRestart ||
         options.document_mask;
}

template <class T>
std::span<T> row_of(const TensorView& view_BT, std::int64_t row, std::int64_t num_tokens, const char* name) {
  CHECK(view_BT.rank() == 2 && view_BT.dim(1) == num_tokens && row >= 0 && row < view_BT.dim(0),
        fmt::format("batch {}: {} has no row {} of {} tokens", name, view_BT.shape().to_string(), row,
                    num_tokens));
  return view_BT.span<T>().subspan(static_cast<std::size_t>(row * num_tokens),
                                   static_cast<std::size_t>(num_tokens));
}

}  // namespace

Status check_batch_options(const BatchOptions& options) {
  if (needs_eod(options) && !options.eod_id) {
    return bad_config(
        "an EOD token id is needed to mask its loss, restart positions or separate documents, and none is "
        "known; "
        "name a tokenizer that has one or switch these off");
  }
  if (options.goldfish.enabled && (options.goldfish.k < 1 || options.goldfish.h < 1)) {
    return bad_config(fmt::format("goldfish: k = {} and h = {} must be at least 1", options.goldfish.k,
                                  options.goldfish.h));
  }
  return ok_status();
}

BatchBuilder::BatchBuilder(const BatchOptions& options) : options_(options) {
  const Status status = check_batch_options(options);
  CHECK(status.ok(), status.message());
  if (options.goldfish.enabled) {
    goldfish_.emplace(options.goldfish);
  }
}

void BatchBuilder::fill_row(std::span<const std::int32_t> tokens_T1, std::int64_t num_valid, std::int64_t row,
                            MutableBatch& batch) const {
  CHECK(tokens_T1.size() >= 2, "a sample has at least two tokens");
  const auto num_tokens = static_cast<std::int64_t>(tokens_T1.size()) - 1;
  CHECK(num_valid >= 0 && num_valid <= num_tokens + 1, "more valid tokens than tokens");
  const auto tokens_T = row_of<std::int32_t>(batch.tokens_BT, row, num_tokens, "tokens");
  const auto targets_T = row_of<std::int32_t>(batch.targets_BT, row, num_tokens, "targets");
  const auto mask_T = row_of<float>(batch.loss_mask_BT, row, num_tokens, "loss_mask");
  const auto positions_T = row_of<std::int32_t>(batch.positions_BT, row, num_tokens, "positions");
  const auto first_key_T = row_of<std::int32_t>(batch.first_key_BT, row, num_tokens, "first_key");

  const auto count = static_cast<std::size_t>(num_tokens);
  const auto valid = static_cast<std::size_t>(num_valid);
  std::int32_t document_start = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto position = static_cast<std::int32_t>(i);
    const bool is_eod = i < valid && options_.eod_id && tokens_T1[i] == *options_.eod_id;
    tokens_T[i] = i < valid ? tokens_T1[i] : 0;
    targets_T[i] = i + 1 < valid ? tokens_T1[i + 1] : 0;
    mask_T[i] = i + 1 < valid && !(is_eod && options_.eod_loss == EodLoss::kMask) ? 1.0F : 0.0F;
    positions_T[i] = options_.positions == PositionRule::kRestart ? position - document_start : position;
    first_key_T[i] = options_.document_mask ? document_start : 0;
    document_start = is_eod ? position + 1 : document_start;
  }
  if (goldfish_) {
    goldfish_->apply(targets_T, mask_T);
  }
}

}  // namespace cairn::data
