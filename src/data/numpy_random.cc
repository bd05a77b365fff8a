#include "data/numpy_random.h"

#include <bit>
#include <limits>

namespace cairn::data {

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
