#include "serve/generate.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/faults.h"

namespace cairn::serve {
namespace {

Status check_request(const nn::Model& model, std::span<const std::int32_t> prompt_ids,
                     const GenerateOptions& options) {
  Faults faults = check_sampling_options(options.sampling, "");
  const auto num_prompt = static_cast<std::int64_t>(prompt_ids.size());
  if (options.max_new_tokens < 0) {
    faults.add("max-new-tokens", std::to_string(options.max_new_tokens), "is negative", "give 0 or more");
  }
  if (num_prompt == 0) {
    faults.add("prompt", "", "has no tokens", "give at least one character");
  } else if (num_prompt > model.cache_rows()) {
    faults.add("prompt", fmt::format("{} tokens", num_prompt),
               fmt::format("does not fit a context of {} tokens", model.cache_rows()), "shorten it");
  }
  const std::int64_t V = model.config().vocab_size;
  for (std::size_t i = 0; i < prompt_ids.size(); ++i) {
    if (prompt_ids[i] < 0 || prompt_ids[i] >= V) {
      faults.add(fmt::format("prompt token {}", i), std::to_string(prompt_ids[i]),
                 fmt::format("is outside the model's vocabulary of {}", V), "use the model's own tokenizer");
      break;
    }
  }
  return faults.to_status(StatusCode::kUsage, "cannot generate:");
}

// The whole prompt into the cache; the logits of its last token.
void prefill(nn::Model& model, TensorView logits_V, std::span<const std::int32_t> ids) {
  const auto count = static_cast<std::int64_t>(ids.size());
  const std::int64_t rows_max = model.max_decode_rows();
  for (std::int64_t begin = 0; begin < count; begin += rows_max) {
    const std::int64_t rows = std::min(rows_max, count - begin);
    const auto part = ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(rows));
    model.decode(make_const_view(part, Shape{rows}), begin, logits_V);
  }
}

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  constexpr std::array<std::string_view, 4> kNames = {"end", "max_new_tokens", "context_full", "stopped"};
  return kNames[static_cast<std::size_t>(reason)];
}

Result<Generation> generate(nn::Model& model, TensorView logits_V, std::span<const std::int32_t> prompt_ids,
                            const GenerateOptions& options, const TokenCallback& on_token) {
  TRY(check_request(model, prompt_ids, options));
  Generation generation;
  if (options.max_new_tokens == 0) {
    return generation;
  }
  Sampler sampler(options.sampling, model.config().vocab_size);
  prefill(model, logits_V, prompt_ids);
  auto num_cached = static_cast<std::int64_t>(prompt_ids.size());
  for (std::int64_t step = 0;; ++step) {
    TRY_ASSIGN(const std::int32_t id, sampler.sample(logits_V, static_cast<std::uint64_t>(step)));
    generation.ids.push_back(id);
    const bool goes_on = on_token == nullptr || on_token(id);
    if (std::ranges::find(options.end_ids, id) != options.end_ids.end()) {
      generation.finish_reason = FinishReason::kEnd;
      return generation;
    }
    if (!goes_on) {
      generation.finish_reason = FinishReason::kStopped;
      return generation;
    }
    if (step + 1 >= options.max_new_tokens) {
      generation.finish_reason = FinishReason::kMaxNewTokens;
      return generation;
    }
    if (num_cached >= model.cache_rows()) {
      generation.finish_reason = FinishReason::kCacheFull;
      return generation;
    }
    model.decode(make_const_view(std::span(&id, 1), Shape{1}), num_cached, logits_V);
    ++num_cached;
  }
}

}  // namespace cairn::serve
