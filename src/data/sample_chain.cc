#include "data/sample_chain.h"

#include <array>
#include <bit>

#include <fmt/format.h>

namespace cairn::data {

static_assert(std::endian::native == std::endian::little, "hashes are of little-endian bytes");

Hash128 hash_tokens(std::span<const std::int32_t> tokens_T1) {
  return xxh3_128(std::as_bytes(tokens_T1));
}

void SampleChain::add(std::int64_t source, std::int64_t sample, const Hash128& tokens) {
  const std::array<std::uint64_t, 6> words = {
      value_.low, value_.high, static_cast<std::uint64_t>(source), static_cast<std::uint64_t>(sample),
      tokens.low, tokens.high};
  value_ = xxh3_128(std::as_bytes(std::span(words)));
}

Result<SampleChain> SampleChain::from_hex(std::string_view hex) {
  const std::optional<Hash128> value = Hash128::from_hex(hex);
  if (!value) {
    return bad_data(fmt::format("sample chain '{}' is not 32 hexadecimal digits", hex));
  }
  SampleChain chain;
  chain.value_ = *value;
  return chain;
}

}  // namespace cairn::data
