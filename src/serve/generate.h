// Text continuation, token by token: the prompt fills the key/value cache, then each chosen token is appended.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "nn/model.h"
#include "serve/sampler.h"
#include "tensor/tensor_view.h"

namespace cairn::serve {

struct GenerateOptions {
  std::int64_t max_new_tokens = 128;
  std::vector<std::int64_t> end_ids;  // any of these ends the text
  SamplingOptions sampling;
};

enum class FinishReason : std::uint8_t { kEnd, kMaxNewTokens, kCacheFull, kStopped };
std::string_view finish_reason_name(
    FinishReason reason);  // "end", "max_new_tokens", "context_full", "stopped"

struct Generation {
  std::vector<std::int32_t> ids;  // the new tokens; an end token that was chosen is the last of them
  FinishReason finish_reason = FinishReason::kMaxNewTokens;
};

// Called with each new token as soon as it is known; false stops.
using TokenCallback = std::function<bool(std::int32_t id)>;

// Starts an empty sequence in the model's cache. Sequences end when the cache is full.
//   logits_V  (V) float32, scratch
// kUsage: an empty prompt, one that does not fit the cache, ids outside the vocabulary, sampling options out of
// range. kDiverged: logits that are not numbers.  REQUIRES: `model` was declared for inference and bound.
Result<Generation> generate(nn::Model& model, TensorView logits_V, std::span<const std::int32_t> prompt_ids,
                            const GenerateOptions& options, const TokenCallback& on_token);

}  // namespace cairn::serve
