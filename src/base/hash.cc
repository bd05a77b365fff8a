#include "base/hash.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

// The 256-bit path also where 512 bits exist: GCC 12 warns inside its own AVX-512 header. The value is the
// same.
#if defined(__AVX512F__)
#define XXH_VECTOR XXH_AVX2
#endif
#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace cairn {
namespace {

static_assert(std::endian::native == std::endian::little, "the file formats are little endian");

constexpr std::uint32_t kCastagnoli = 0x82F63B78U;

// tables[k][b]: the CRC of byte b followed by k zero bytes ("slicing by 8", Kounavis and Berry 2005).
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_crc_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kCastagnoli : 0U);
    }
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}

constexpr auto kCrcTables = make_crc_tables();

std::uint64_t load_uint64(const std::byte* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

Hash128 from_xxh(XXH128_hash_t hash) {
  return {hash.low64, hash.high64};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string Hash128::to_hex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(32, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    text[15 - i] = kDigits[(high >> (4 * i)) & 15U];
    text[31 - i] = kDigits[(low >> (4 * i)) & 15U];
  }
  return text;
}

std::optional<Hash128> Hash128::from_hex(std::string_view text) {
  if (text.size() != 32) {
    return std::nullopt;
  }
  Hash128 hash;
  for (std::size_t i = 0; i < 32; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) {
      return std::nullopt;
    }
    std::uint64_t& half = i < 16 ? hash.high : hash.low;
    half = (half << 4) | static_cast<std::uint64_t>(digit);
  }
  return hash;
}

Hash128 xxh3_128(std::span<const std::byte> bytes) {
  return from_xxh(XXH3_128bits(bytes.data(), bytes.size()));
}

Hash128 xxh3_128(std::string_view text) {
  return from_xxh(XXH3_128bits(text.data(), text.size()));
}

std::uint64_t xxh3_64(std::string_view text, std::uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  reset();
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::reset() {
  XXH3_128bits_reset(&state_->xxh);
}

void Hasher::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
}

void Hasher::update(std::string_view text) {
  XXH3_128bits_update(&state_->xxh, text.data(), text.size());
}

void Hasher::update_uint64(std::uint64_t value) {
  XXH3_128bits_update(&state_->xxh, &value, sizeof value);
}

Hash128 Hasher::digest() const {
  return from_xxh(XXH3_128bits_digest(&state_->xxh));
}

std::uint32_t crc32c_extend_portable(std::uint32_t crc, std::span<const std::byte> bytes) {
  crc = ~crc;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const std::uint64_t word = load_uint64(bytes.data() + i) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) {
      crc ^= kCrcTables[7 - k][(word >> (8 * k)) & 0xFFU];
    }
  }
  for (; i < bytes.size(); ++i) {
    crc = (crc >> 8) ^ kCrcTables[0][(crc ^ std::to_integer<std::uint32_t>(bytes[i])) & 0xFFU];
  }
  return ~crc;
}

std::uint32_t crc32c_extend(std::uint32_t crc, std::span<const std::byte> bytes) {
#if defined(__SSE4_2__) || defined(__ARM_FEATURE_CRC32)
#if defined(__SSE4_2__)
  const auto step8 = [](std::uint32_t c, std::uint64_t word) {
    return static_cast<std::uint32_t>(_mm_crc32_u64(c, word));
  };
  const auto step1 = [](std::uint32_t c, std::uint8_t byte) { return _mm_crc32_u8(c, byte); };
#else
  const auto step8 = [](std::uint32_t c, std::uint64_t word) { return __crc32cd(c, word); };
  const auto step1 = [](std::uint32_t c, std::uint8_t byte) { return __crc32cb(c, byte); };
#endif
  crc = ~crc;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    crc = step8(crc, load_uint64(bytes.data() + i));
  }
  for (; i < bytes.size(); ++i) {
    crc = step1(crc, std::to_integer<std::uint8_t>(bytes[i]));
  }
  return ~crc;
#else
  return crc32c_extend_portable(crc, bytes);
#endif
}

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  return crc32c_extend(0, bytes);
}

}  // namespace cairn
