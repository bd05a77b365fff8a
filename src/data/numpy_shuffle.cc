#include "data/numpy_shuffle.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "base/check.h"
#include "device/large_array.h"

namespace cairn::data {
namespace {

constexpr std::size_t kReadAhead = 64;  // exchanges

// The last steps, on what a cache holds.
void shuffle_directly(std::span<std::uint32_t> values, NumpyRandomState& random) {
  std::array<std::uint32_t, 1024> partners;
  std::size_t left = values.size();
  while (left > 1) {
    const auto part = std::span(partners).first(std::min(partners.size(), left - 1));
    random.draw_partners(static_cast<std::uint32_t>(left - 1), part);
    for (const std::uint32_t partner : part) {
      --left;
      std::swap(values[left], values[partner]);
    }
  }
}

// Position i of a round is values[values.size() - 1 - k] for its k-th partner.
void exchange_inside(std::span<std::uint32_t> values, std::span<const std::uint32_t> partners) {
  const std::size_t num_below = values.size() - partners.size();
  for (std::size_t k = 0; k < partners.size(); ++k) {
    const std::uint32_t coming = partners[std::min(k + kReadAhead, partners.size() - 1)];
    if (coming >= num_below) {
      __builtin_prefetch(&values[coming], 1);
    }
    if (partners[k] >= num_below) {
      std::swap(values[values.size() - 1 - k], values[partners[k]]);
    }
  }
}

void exchange_below(std::span<std::uint32_t> values, std::span<const std::uint32_t> partners,
                    BucketedAccess& accesses) {
  std::uint32_t* const elements = values.data();
  std::uint32_t* const last = elements + values.size() - 1;
  const std::uint32_t* const drawn = partners.data();
  const auto partner = [drawn](std::int64_t k) { return drawn[k]; };
  accesses.collect(static_cast<std::int64_t>(partners.size()),
                   static_cast<std::int64_t>(values.size() - partners.size()), partner,
                   [last](std::int64_t k) { return *(last - k); });
  accesses.visit([elements](std::span<PlaceAccess> bucket, std::size_t /*begin*/, std::size_t /*end*/) {
    for (PlaceAccess& access : bucket) {
      std::swap(access.value, elements[access.place]);
    }
  });
  accesses.hand_back(partner, [last](std::int64_t k, std::uint32_t value) { *(last - k) = value; });
}

}  // namespace

void numpy_shuffle(std::span<std::uint32_t> values, NumpyRandomState& random, ThreadPool* pool,
                   const ShuffleCuts& cuts) {
  CHECK(values.size() <= std::numeric_limits<std::uint32_t>::max(), "positions are 32-bit numbers");
  CHECK(cuts.direct_max >= 1 && cuts.round_share >= 2, "a round is a part of what is left");
  const auto direct_max = static_cast<std::size_t>(cuts.direct_max);
  if (values.size() > direct_max) {
    const auto round_size = [&] {
      return std::max<std::size_t>(1, values.size() / static_cast<std::size_t>(cuts.round_share));
    };
    const LargeArray<std::uint32_t> partners(static_cast<std::int64_t>(round_size()));
    BucketedAccess accesses(static_cast<std::int64_t>(round_size()), pool, cuts.buckets);
    while (values.size() > direct_max) {
      const auto round = partners.span().first(round_size());
      random.draw_partners(static_cast<std::uint32_t>(values.size() - 1), round);
      exchange_inside(values, round);
      exchange_below(values, round, accesses);
      values = values.first(values.size() - round.size());
    }
  }
  shuffle_directly(values, random);
}

}  // namespace cairn::data
