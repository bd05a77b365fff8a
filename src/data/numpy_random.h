// NumPy's legacy generator, numpy.random.RandomState: the order of samples of Megatron is defined by it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cairn::data {

// Draws the same numbers as numpy.random.RandomState(seed): MT19937 (Matsumoto & Nishimura 1998) with its seeding.
class NumpyRandomState {
 public:
  explicit NumpyRandomState(std::uint32_t seed);

  std::uint32_t next_uint32() {
    if (next_ == kWords) {
      refill();
    }
    return outputs_[next_++];
  }
  // Uniform in [0, max], by masked rejection: one 32-bit draw per try, two when max needs 64 bits.
  std::uint64_t interval(std::uint64_t max);

  // What RandomState.shuffle exchanges positions first, first - 1, ... with: interval(first), interval(first - 1), ...,
  // all of them as if by interval(), faster. REQUIRES at most `first` partners.
  void draw_partners(std::uint32_t first, std::span<std::uint32_t> partners);

 private:
  static constexpr std::size_t kWords = 624;

  void refill();
  void draw_below_one_mask(std::uint32_t first, std::span<std::uint32_t> partners);
  std::size_t draw_groups(std::uint32_t first, std::span<std::uint32_t> partners, std::uint32_t mask);

  std::array<std::uint32_t, kWords> state_;
  std::array<std::uint32_t, kWords> outputs_;  // of the present state, tempered
  std::size_t next_ = kWords;
};

}  // namespace cairn::data
