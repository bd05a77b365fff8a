// gzip and Zstandard as streams of bytes. Which of the two this program was built with is decided by the packages that
// were there; the other is refused by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/status.h"

namespace cairn {

enum class Compression : std::uint8_t { kNone, kGzip, kZstd };

Compression compression_for(std::string_view path);           // by .gz and .zst
std::string_view without_compression(std::string_view path);  // "a.jsonl" of "a.jsonl.zst"

// Decodes bytes that arrive in parts. Members of gzip and frames of Zstandard may follow one another.
class Decompressor {
 public:
  struct Step {
    std::size_t consumed = 0;
    std::size_t produced = 0;
  };

  virtual ~Decompressor() = default;
  // Decodes from the front of `in` into the front of `out`. REQUIRES out not empty. Neither consuming nor producing
  // means that more input is needed. kBadData where the bytes are damaged or of another kind.
  virtual Result<Step> step(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  // Whether what was consumed ends with a whole member or frame: false at the end of the file means it was cut short.
  virtual bool is_complete() const = 0;
};

// REQUIRES a compression other than kNone. kBadConfig when this program was built without it.
Result<std::unique_ptr<Decompressor>> make_decompressor(Compression compression);

}  // namespace cairn
