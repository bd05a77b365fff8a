#include "data/blend.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "base/check.h"

namespace cairn::data {
namespace {

constexpr double kSamplesMax = 0x1p60;  // beyond every order that can be made
constexpr double kSurplus = 0.5 / 100;  // mid_level_dataset_surplus of Megatron, its default

// numpy's sum: eight interleaved sums up to 128 values, halves above.
double pairwise_sum(std::span<const double> values) {
  constexpr std::size_t kLanes = 8;
  constexpr std::size_t kLeaf = 128;
  const std::size_t n = values.size();
  if (n < kLanes) {
    double sum = 0;
    for (const double value : values) {
      sum += value;
    }
    return sum;
  }
  if (n > kLeaf) {
    const std::size_t half = n / 2 - n / 2 % kLanes;
    return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
  }
  double r[kLanes];
  std::copy_n(values.begin(), kLanes, r);
  std::size_t i = kLanes;
  for (; i < n - n % kLanes; i += kLanes) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      r[k] += values[i + k];
    }
  }
  double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < n; ++i) {
    sum += values[i];
  }
  return sum;
}

// The source of sample `sample`, given what was taken before. Counts are exact in double.
template <BlendRounding Rounding>
std::size_t pick(std::span<const double> weights, std::span<const double> taken, std::int64_t sample) {
  const double s = static_cast<double>(std::max<std::int64_t>(sample, 1));
  const auto lag_of = [&](std::size_t d) {
    return Rounding == BlendRounding::kFused ? std::fma(weights[d], s, -taken[d]) : weights[d] * s - taken[d];
  };
  std::size_t best = 0;
  double largest = lag_of(0);
  for (std::size_t d = 1; d < weights.size(); ++d) {
    const double lag = lag_of(d);
    best = lag > largest ? d : best;
    largest = lag > largest ? lag : largest;
  }
  return best;
}

// Calls visit(sample, source) for samples [begin, end) and counts them in `taken`.
template <class Visit>
void replay(std::span<const double> weights, BlendRounding rounding, std::int64_t begin, std::int64_t end,
            std::span<double> taken, Visit&& visit) {
  const auto run = [&]<BlendRounding Rounding>() {
    for (std::int64_t sample = begin; sample < end; ++sample) {
      const std::size_t source = pick<Rounding>(weights, taken, sample);
      visit(sample, source);
      taken[source] += 1;
    }
  };
  if (rounding == BlendRounding::kFused) {
    run.template operator()<BlendRounding::kFused>();
  } else {
    run.template operator()<BlendRounding::kSeparate>();
  }
}

Status check_blend(std::span<const double> weights, std::int64_t num_samples) {
  const auto num_sources = static_cast<std::int64_t>(weights.size());
  if (num_sources < 1 || num_sources > kBlendSourcesMax) {
    return usage_error(
        fmt::format("a mixture of {} sources; 1 to {} can be mixed", num_sources, kBlendSourcesMax));
  }
  if (std::any_of(weights.begin(), weights.end(), [](double w) { return !(w > 0) || !std::isfinite(w); })) {
    return usage_error("a weight of a mixture is not positive");
  }
  if (num_samples < 0) {
    return usage_error("a mixture of a negative number of samples");
  }
  return ok_status();
}

}  // namespace

std::vector<double> normalize_weights(std::span<const double> weights) {
  const double sum = pairwise_sum(weights);
  std::vector<double> normalized(weights.begin(), weights.end());
  for (double& weight : normalized) {
    weight /= sum;
  }
  return normalized;
}

std::int64_t samples_with_surplus(std::int64_t num_samples, double weight) {
  const double samples = std::ceil(std::ceil(static_cast<double>(num_samples) * weight) * (1.0 + kSurplus));
  return static_cast<std::int64_t>(std::min(samples, kSamplesMax));
}

std::int64_t Blend::block_samples(std::int64_t num_sources) {
  constexpr std::int64_t kLeast = 4096;
  return static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max(kLeast, 4 * num_sources))));
}

std::int64_t Blend::table_size(std::int64_t num_sources, std::int64_t num_samples) {
  const std::int64_t block = block_samples(num_sources);
  return ((num_samples + block - 1) / block + 1) * num_sources;
}

Result<Blend> Blend::adopt(std::span<const double> weights, std::int64_t num_samples, BlendRounding rounding,
                           std::span<const std::int64_t> table, std::shared_ptr<const void> storage) {
  TRY(check_blend(weights, num_samples));
  Blend blend;
  blend.weights_.assign(weights.begin(), weights.end());
  blend.num_samples_ = num_samples;
  blend.block_ = block_samples(blend.num_sources());
  blend.rounding_ = rounding;
  if (static_cast<std::int64_t>(table.size()) != table_size(blend.num_sources(), num_samples)) {
    return bad_data("the table of a mixture has another size than its sources need");
  }
  blend.table_ = table;
  blend.storage_ = std::move(storage);
  return blend;
}

Result<Blend> Blend::build(std::span<const double> weights, std::int64_t num_samples,
                           BlendRounding rounding) {
  TRY(check_blend(weights, num_samples));
  const auto num_sources = static_cast<std::int64_t>(weights.size());
  auto table = std::make_shared<std::vector<std::int64_t>>();
  table->reserve(static_cast<std::size_t>(table_size(num_sources, num_samples)));
  std::vector<double> taken(weights.size(), 0.0);
  const std::int64_t block = block_samples(num_sources);
  for (std::int64_t begin = 0; begin < num_samples; begin += block) {
    table->insert(table->end(), taken.begin(), taken.end());
    replay(weights, rounding, begin, std::min(begin + block, num_samples), taken,
           [](std::int64_t, std::size_t) {});
  }
  table->insert(table->end(), taken.begin(), taken.end());
  const std::span<const std::int64_t> view(*table);
  return adopt(weights, num_samples, rounding, view, std::move(table));
}

std::int64_t Blend::count_before(std::int64_t source, std::int64_t sample) const {
  CHECK(sample >= 0 && sample <= num_samples_, "sample out of range");
  if (sample == num_samples_) {
    return count(source);
  }
  const std::int64_t block = sample / block_;
  std::vector<double> taken(row(block).begin(), row(block).end());
  replay(weights_, rounding_, block * block_, sample, taken, [](std::int64_t, std::size_t) {});
  return static_cast<std::int64_t>(taken[static_cast<std::size_t>(source)]);
}

std::int64_t Blend::find(std::int64_t source, std::int64_t index) const {
  CHECK(index >= 0 && index < count(source), "the mixture has no such sample of the source");
  std::int64_t low = 0;  // the last block before which at most `index` samples of the source came
  std::int64_t high = num_blocks() - 1;
  while (low < high) {
    const std::int64_t middle = low + (high - low + 1) / 2;
    if (row(middle)[static_cast<std::size_t>(source)] <= index) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  std::vector<double> taken(row(low).begin(), row(low).end());
  std::int64_t left = index - row(low)[static_cast<std::size_t>(source)];
  std::int64_t found = -1;
  replay(weights_, rounding_, low * block_, std::min((low + 1) * block_, num_samples_), taken,
         [&](std::int64_t sample, std::size_t picked) {
           if (picked == static_cast<std::size_t>(source) && left-- == 0) {
             found = sample;
           }
         });
  CHECK(found >= 0, "the table of a mixture contradicts its weights");
  return found;
}

BlendCursor::BlendCursor(const Blend& blend)
    : blend_(&blend),
      taken_(blend.weights_.size()),
      samples_(static_cast<std::size_t>(std::min(blend.block_, blend.num_samples_))) {}

void BlendCursor::decode(std::int64_t block) {
  const std::span<const std::int64_t> row = blend_->row(block);
  std::copy(row.begin(), row.end(), taken_.begin());
  const std::int64_t begin = block * blend_->block_;
  const std::int64_t end = std::min(begin + blend_->block_, blend_->num_samples_);
  replay(blend_->weights_, blend_->rounding_, begin, end, taken_,
         [&](std::int64_t sample, std::size_t source) {
           samples_[static_cast<std::size_t>(sample - begin)] = {static_cast<std::int64_t>(source),
                                                                 static_cast<std::int64_t>(taken_[source])};
         });
  block_ = block;
}

BlendSample BlendCursor::at(std::int64_t sample) {
  CHECK(sample >= 0 && sample < blend_->num_samples_, "sample out of range");
  const std::int64_t block = sample / blend_->block_;
  if (block != block_) {
    decode(block);
  }
  return samples_[static_cast<std::size_t>(sample - block * blend_->block_)];
}

}  // namespace cairn::data
