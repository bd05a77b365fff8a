// Which source each sample of a mixture comes from: Megatron's BlendedDataset, exactly.
//   sample s is the next of the source d with the largest  weight_d * max(s, 1) - taken_d,  the first on ties
// in double precision. Megatron stores ten bytes for each sample; here only how much was taken of each source before
// every few thousand samples is kept, and what lies between is decided again when it is asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"

namespace cairn::data {

// How `weight * s - taken` is rounded. Compilers round the product first on x86-64 and fuse the two operations on Arm
// (Megatron's helpers.cpp has no flag against it), which decides some ties differently.
enum class BlendRounding : std::uint8_t { kSeparate, kFused };

inline constexpr std::int64_t kBlendSourcesMax = 32'766;  // Megatron's dataset index is int16

// weights / sum(weights) as numpy computes it (pairwise summation).
std::vector<double> normalize_weights(std::span<const double> weights);
// Samples that Megatron makes ready of a source with normalized weight `weight` in a mixture of `num_samples`:
// ceil(ceil(num_samples * weight) * 1.005).
std::int64_t samples_with_surplus(std::int64_t num_samples, double weight);

struct BlendSample {
  std::int64_t source = 0;
  std::int64_t index = 0;  // how many samples of this source came before
  friend bool operator==(const BlendSample&, const BlendSample&) = default;
};

// Immutable; thread-safe.
class Blend {
 public:
  // `weights` are used as they are: normalize them first. kUsage without sources, with too many, or for weights that
  // are not positive.
  static Result<Blend> build(std::span<const double> weights, std::int64_t num_samples,
                             BlendRounding rounding);
  // From a table that was built before (table()); kBadData when it has another size. `storage` keeps it alive.
  static Result<Blend> adopt(std::span<const double> weights, std::int64_t num_samples,
                             BlendRounding rounding, std::span<const std::int64_t> table,
                             std::shared_ptr<const void> storage);

  std::int64_t num_samples() const { return num_samples_; }
  std::int64_t num_sources() const { return static_cast<std::int64_t>(weights_.size()); }
  // Taken of `source` in all.
  std::int64_t count(std::int64_t source) const {
    return row(num_blocks())[static_cast<std::size_t>(source)];
  }
  // Taken of `source` by the samples before `sample`. REQUIRES 0 <= sample <= num_samples().
  std::int64_t count_before(std::int64_t source, std::int64_t sample) const;
  // The sample that is number `index` of `source`; the inverse of what BlendCursor says.
  // REQUIRES 0 <= index < count(source).
  std::int64_t find(std::int64_t source, std::int64_t index) const;
  // Taken of every source before each block of samples, and in all: rows of num_sources().
  std::span<const std::int64_t> table() const { return table_; }
  static std::int64_t table_size(std::int64_t num_sources, std::int64_t num_samples);

 private:
  friend class BlendCursor;
  Blend() = default;
  static std::int64_t block_samples(std::int64_t num_sources);
  std::int64_t num_blocks() const { return (num_samples_ + block_ - 1) / block_; }
  std::span<const std::int64_t> row(std::int64_t block) const {
    return table_.subspan(static_cast<std::size_t>(block) * weights_.size(), weights_.size());
  }

  std::vector<double> weights_;
  std::int64_t num_samples_ = 0;
  std::int64_t block_ = 1;
  BlendRounding rounding_ = BlendRounding::kSeparate;
  std::span<const std::int64_t> table_;
  std::shared_ptr<const void> storage_;
};

// Reads a Blend, quickest in order. Allocates nothing after construction. The blend outlives it.
class BlendCursor {
 public:
  explicit BlendCursor(const Blend& blend);
  // REQUIRES 0 <= sample < num_samples().
  BlendSample at(std::int64_t sample);

 private:
  void decode(std::int64_t block);

  const Blend* blend_;
  std::int64_t block_ = -1;
  std::vector<double> taken_;
  std::vector<BlendSample> samples_;  // of the block
};

}  // namespace cairn::data
