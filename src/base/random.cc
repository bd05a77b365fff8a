#include "base/random.h"

#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "base/hash.h"

namespace cairn {

RandomKey random_key(std::uint64_t seed, std::string_view name) {
  return {xxh3_64(name, seed)};
}

NormalPair normal_pair(const std::array<std::uint32_t, 4>& block) {
  const PolarNormal polar = polar_normal(block);
  const double radius = std::sqrt(polar.squared_radius);
  return {radius * polar.direction.cosine, radius * polar.direction.sine};
}

void fill_normal(std::span<float> out, RandomKey key, std::uint64_t stream, std::uint64_t first_index,
                 double mean, double deviation) {
  std::size_t i = 0;
  while (i < out.size()) {
    const std::uint64_t index = first_index + i;
    const NormalPair pair = normal_pair(random_block(key, stream, index / 2));
    if (index % 2 == 0) {
      out[i++] = static_cast<float>(mean + deviation * pair.first);
      if (i == out.size()) {
        return;
      }
    }
    out[i++] = static_cast<float>(mean + deviation * pair.second);
  }
}

std::uint32_t RandomStream::next_uint32() {
  const std::uint64_t block_index = position_ / 4;
  if (block_index != block_index_) {
    block_ = random_block(key_, stream_, block_index);
    block_index_ = block_index;
  }
  return block_[position_++ % 4];
}

std::uint64_t RandomStream::next_uint64() {
  const std::uint64_t high = next_uint32();
  return (high << 32) | next_uint32();
}

float RandomStream::next_float() {
  return uniform_float(next_uint32());
}

double RandomStream::next_double() {
  const std::uint32_t high = next_uint32();
  return uniform_double(high, next_uint32());
}

double RandomStream::next_normal() {
  std::array<std::uint32_t, 4> words{};
  for (std::uint32_t& word : words) {
    word = next_uint32();
  }
  return normal_pair(words).first;
}

std::uint64_t RandomStream::next_below(std::uint64_t bound) {
  CHECK(bound >= 1, "nothing is below zero");
  // The lowest 2^64 mod bound values are drawn again, so that every remainder is equally likely.
  const std::uint64_t rejected = (~bound + 1) % bound;
  while (true) {
    const std::uint64_t draw = next_uint64();
    if (draw >= rejected) {
      return draw % bound;
    }
  }
}

void RandomStream::skip_to(std::uint64_t words_drawn) {
  position_ = words_drawn;
}

}  // namespace cairn
