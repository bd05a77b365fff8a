// A running hash over the samples that training has consumed, in global order. Two runs that saw the same
// samples in the same order have equal chains; it is logged and saved with every checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"

namespace cairn::data {

// XXH3-128 of one sample's ids (the T+1 that were read), as little-endian int32.
Hash128 hash_tokens(std::span<const std::int32_t> tokens_T1);

// Allocates nothing but in to_hex. Starts from all zeros.
class SampleChain {
 public:
  // next = XXH3-128(previous low, high, source, sample, token hash low, high), each 64 bits little endian.
  void add(std::int64_t source, std::int64_t sample, const Hash128& tokens);
  std::string to_hex() const { return value_.to_hex(); }
  static Result<SampleChain> from_hex(std::string_view hex);
  friend bool operator==(const SampleChain&, const SampleChain&) = default;

 private:
  Hash128 value_;
};

}  // namespace cairn::data
