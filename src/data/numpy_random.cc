#include "data/numpy_random.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/check.h"

namespace cairn::data {
namespace {

constexpr std::size_t kShift = 397;   // M of MT19937
constexpr std::uint32_t kGroup = 16;  // draws that are looked at together

std::uint32_t twist(std::uint32_t high, std::uint32_t low, std::uint32_t far) {
  const std::uint32_t joined = (high & 0x80000000U) | (low & 0x7fffffffU);
  return far ^ (joined >> 1) ^ ((0U - (joined & 1U)) & 0x9908b0dfU);
}

std::uint32_t temper(std::uint32_t value) {
  value ^= value >> 11;
  value ^= (value << 7) & 0x9d2c5680U;
  value ^= (value << 15) & 0xefc60000U;
  return value ^ (value >> 18);
}

}  // namespace

NumpyRandomState::NumpyRandomState(std::uint32_t seed) {
  state_[0] = seed;
  for (std::size_t i = 1; i < kWords; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + static_cast<std::uint32_t>(i);
  }
}

// In pieces without a dependence inside, so that each is a vector loop.
void NumpyRandomState::refill() {
  constexpr std::size_t kRest = kWords - kShift;
  for (std::size_t i = 0; i < kRest; ++i) {
    state_[i] = twist(state_[i], state_[i + 1], state_[i + kShift]);
  }
  for (std::size_t begin = kRest; begin < kWords - 1; begin += kRest) {
    const std::size_t end = std::min(begin + kRest, kWords - 1);
    for (std::size_t i = begin; i < end; ++i) {
      state_[i] = twist(state_[i], state_[i + 1], state_[i - kRest]);
    }
  }
  state_[kWords - 1] = twist(state_[kWords - 1], state_[0], state_[kShift - 1]);
  for (std::size_t i = 0; i < kWords; ++i) {
    outputs_[i] = temper(state_[i]);
  }
  next_ = 0;
}

void NumpyRandomState::draw_partners(std::uint32_t first, std::span<std::uint32_t> partners) {
  CHECK(partners.size() <= first, "position 0 has no partner");
  while (!partners.empty()) {
    const std::size_t of_one_mask = first - std::bit_floor(first) + 1;
    const std::size_t count = std::min(of_one_mask, partners.size());
    draw_below_one_mask(first, partners.first(count));
    partners = partners.subspan(count);
    first -= static_cast<std::uint32_t>(count);
  }
}

// All bounds first, first - 1, ... have the same highest bit.
void NumpyRandomState::draw_below_one_mask(std::uint32_t first, std::span<std::uint32_t> partners) {
  const std::uint32_t mask = std::numeric_limits<std::uint32_t>::max() >> std::countl_zero(first);
  std::size_t drawn = 0;
  while (drawn < partners.size()) {
    if (next_ == kWords) {
      refill();
    }
    drawn += draw_groups(first - static_cast<std::uint32_t>(drawn), partners.subspan(drawn), mask);
    // One by one to the end, or past what stopped the groups. A draw that is refused is overwritten by the next.
    const std::size_t end = std::min(kWords, next_ + kGroup);
    for (; next_ < end && drawn < partners.size(); ++next_) {
      const std::uint32_t value = outputs_[next_] & mask;
      partners[drawn] = value;
      drawn += value <= first - static_cast<std::uint32_t>(drawn) ? 1 : 0;
    }
  }
}

// Takes whole groups of draws while no draw of a group lies where it matters how many of the group were taken before it: then
// all are held against one bound and none waits for another. Returns how many partners that made.
std::size_t NumpyRandomState::draw_groups(std::uint32_t first, std::span<std::uint32_t> partners,
                                          std::uint32_t mask) {
  std::size_t drawn = 0;
  while (next_ + kGroup <= kWords && drawn + kGroup <= partners.size()) {
    const std::uint32_t* const draws = outputs_.data() + next_;
    const std::uint32_t bound = first - static_cast<std::uint32_t>(drawn);
    if (bound < kGroup) {
      break;
    }
    const std::uint32_t sure = bound - kGroup;  // taken for sure up to here, refused for sure above `bound`
    std::uint32_t num_doubtful = 0;
    for (std::size_t i = 0; i < kGroup; ++i) {
      num_doubtful += (draws[i] & mask) - sure - 1 < kGroup ? 1U : 0U;
    }
    if (num_doubtful > 0) {
      break;
    }
    std::uint32_t* const out = partners.data() + drawn;
    std::size_t taken = 0;
    for (std::size_t i = 0; i < kGroup; ++i) {
      const std::uint32_t value = draws[i] & mask;
      out[taken] = value;
      taken += value <= sure ? 1 : 0;
    }
    drawn += taken;
    next_ += kGroup;
  }
  return drawn;
}

std::uint64_t NumpyRandomState::interval(std::uint64_t max) {
  if (max == 0) {
    return 0;
  }
  const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero(max);
  while (true) {
    std::uint64_t draw = next_uint32();
    if (max > std::numeric_limits<std::uint32_t>::max()) {
      draw = draw << 32 | next_uint32();
    }
    if ((draw & mask) <= max) {
      return draw & mask;
    }
  }
}

}  // namespace cairn::data
