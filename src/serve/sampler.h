// Choosing the next token from logits. Deterministic: the draw of position i is a function of (seed, i) alone, and
// equal logits are ordered by token id, lowest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/faults.h"
#include "base/random.h"
#include "base/status.h"
#include "tensor/tensor_view.h"

namespace cairn::serve {

struct SamplingOptions {
  double temperature = 0.0;  // logits are divided by it; 0 takes the most likely token
  std::int64_t top_k = 0;    // only the k most likely tokens; 0 for all
  double top_p =
      1.0;  // of those, the fewest whose probabilities reach p (Holtzman et al. 2020, arXiv:1904.09751)
  std::uint64_t seed = 0;
};
// Each field with `prefix` before its name.
Faults check_sampling_options(const SamplingOptions& options, std::string_view prefix);

// Applies temperature, then top-k, then top-p, then draws. Not thread-safe.
class Sampler {
 public:
  // REQUIRES: options without faults, vocab_size >= 1.
  Sampler(const SamplingOptions& options, std::int64_t vocab_size);

  // The token at `position` (0 for the first generated one).   logits_V (V) float32
  // kDiverged when a logit is not a number or the largest is infinite. Allocates nothing.
  Result<std::int32_t> sample(ConstTensorView logits_V, std::uint64_t position);

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
  };
  static bool is_more_likely(const Candidate& a, const Candidate& b);
  // Extends the part of candidates_[0, count) that is in order, most likely first.
  void sort_further(std::size_t& num_sorted, std::size_t count);
  // The fewest leading candidates of [0, count) that hold top_p of `total`, which becomes their sum.
  std::size_t nucleus(std::size_t num_sorted, std::size_t count, double& total, float logit_max);
  std::int32_t draw(float logit_max, std::uint64_t position);
  double weight(float logit, float logit_max) const;

  SamplingOptions options_;
  RandomKey key_;
  std::vector<Candidate> candidates_;
};

}  // namespace cairn::serve
