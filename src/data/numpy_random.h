// NumPy's legacy generator, numpy.random.RandomState: the order of samples of Megatron is defined by it.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace cairn::data {

// Draws the same numbers as numpy.random.RandomState(seed).
class NumpyRandomState {
 public:
  explicit NumpyRandomState(std::uint32_t seed) : engine_(seed) {}

  std::uint32_t next_uint32() { return static_cast<std::uint32_t>(engine_()); }
  // Uniform in [0, max], by masked rejection: one 32-bit draw per try, two when max needs 64 bits.
  std::uint64_t interval(std::uint64_t max);

  // The permutation that RandomState.shuffle applies to a one-dimensional array.
  template <class T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i-- > 1;) {
      std::swap(values[i], values[interval(i)]);
    }
  }

 private:
  std::mt19937 engine_;  // the standard fixes its sequence; its seeding is NumPy's legacy seeding
};

}  // namespace cairn::data
