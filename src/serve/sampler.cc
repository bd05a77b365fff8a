#include "serve/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace cairn::serve {

Faults check_sampling_options(const SamplingOptions& options, std::string_view prefix) {
  Faults faults;
  const auto add = [&](std::string_view field, std::string value, std::string fix) {
    faults.add(fmt::format("{}{}", prefix, field), std::move(value), "is out of range", std::move(fix));
  };
  if (!(options.temperature >= 0.0 && options.temperature <= 1e6)) {
    add("temperature", fmt::format("{}", options.temperature), "give 0 for the most likely token, or more");
  }
  if (options.top_k < 0) {
    add("top-k", std::to_string(options.top_k), "give 0 for all tokens, or a count");
  }
  if (!(options.top_p > 0.0 && options.top_p <= 1.0)) {
    add("top-p", fmt::format("{}", options.top_p), "give more than 0 and at most 1");
  }
  return faults;
}

Sampler::Sampler(const SamplingOptions& options, std::int64_t vocab_size)
    : options_(options), key_(random_key(options.seed, "generate")) {
  CHECK(check_sampling_options(options, "").empty() && vocab_size >= 1, "sampling options");
  candidates_.resize(static_cast<std::size_t>(vocab_size));
}

bool Sampler::is_more_likely(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

double Sampler::weight(float logit, float logit_max) const {
  return std::exp((static_cast<double>(logit) - static_cast<double>(logit_max)) / options_.temperature);
}

void Sampler::sort_further(std::size_t& num_sorted, std::size_t count) {
  constexpr std::size_t kFirstBatch = 64;
  const std::size_t next = std::min(count, std::max(kFirstBatch, 4 * num_sorted));
  const auto at = [&](std::size_t i) { return candidates_.begin() + static_cast<std::ptrdiff_t>(i); };
  std::partial_sort(at(num_sorted), at(next), at(count), is_more_likely);
  num_sorted = next;
}

std::size_t Sampler::nucleus(std::size_t num_sorted, std::size_t count, double& total, float logit_max) {
  const double wanted = options_.top_p * total;
  double sum = 0.0;
  std::size_t kept = 0;
  while (kept < count && sum < wanted) {
    if (kept == num_sorted) {
      sort_further(num_sorted, count);
    }
    sum += weight(candidates_[kept].logit, logit_max);
    ++kept;
  }
  total = sum;
  return kept;
}

std::int32_t Sampler::draw(float logit_max, std::uint64_t position) {
  std::size_t count = candidates_.size();
  std::size_t num_sorted = 0;
  if (options_.top_k > 0 && static_cast<std::size_t>(options_.top_k) < count) {
    count = static_cast<std::size_t>(options_.top_k);
    std::partial_sort(candidates_.begin(), candidates_.begin() + options_.top_k, candidates_.end(),
                      is_more_likely);
    num_sorted = count;
  }
  double total = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    total += weight(candidates_[i].logit, logit_max);
  }
  if (options_.top_p < 1.0) {
    count = nucleus(num_sorted, count, total, logit_max);
  }
  const std::array<std::uint32_t, 4> block = random_block(key_, 0, position);
  double left = uniform_double(block[0], block[1]) * total;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    left -= weight(candidates_[i].logit, logit_max);
    if (left < 0.0) {
      return candidates_[i].id;
    }
  }
  return candidates_[count - 1].id;
}

Result<std::int32_t> Sampler::sample(ConstTensorView logits_V, std::uint64_t position) {
  const std::span<const float> logits = logits_V.span<float>();
  CHECK(logits.size() == candidates_.size(), "logits of another vocabulary");
  std::size_t best = 0;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (std::isnan(logits[id])) {
      return Status(StatusCode::kDiverged, fmt::format("the logit of token {} is not a number", id));
    }
    best = logits[id] > logits[best] ? id : best;
    candidates_[id] = {logits[id], static_cast<std::int32_t>(id)};
  }
  const float logit_max = logits[best];
  if (std::isinf(logit_max)) {
    return Status(StatusCode::kDiverged, fmt::format("the largest logit is {}", logit_max));
  }
  if (options_.temperature == 0.0) {
    return static_cast<std::int32_t>(best);
  }

  return draw(logit_max, position);
}

}  // namespace cairn::serve
