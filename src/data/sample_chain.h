// A running hash over the samples that training has consumed, in global order. Two runs that saw the same
// samples in the same order have equal chains; it is logged and saved with every checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cairn::data {

// Hash of one sample's ids (the T+1 that were read), as little-endian int32.
struct TokenHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};
TokenHash hash_tokens(std::span<const std::int32_t> tokens_T1);

// Allocates nothing but in to_hex. Starts from all zeros.
class SampleChain {
 public:
  // next = XXH3-128(previous, source, sample, token hash), each little endian in 64-bit words.
  void add(std::int64_t source, std::int64_t sample, const TokenHash& tokens);
  std::string to_hex() const;  // 32 hex digits, the high word first
  static Result<SampleChain> from_hex(std::string_view hex);
  friend bool operator==(const SampleChain&, const SampleChain&) = default;

 private:
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
};

}  // namespace cairn::data
