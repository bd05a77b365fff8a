// Checksums and hashes of bytes: XXH3-128 for identity (files, tensors, sample chains), CRC32C for records.
// Every function gives the same value on every machine. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cairn {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;

  std::string to_hex() const;  // 32 lower-case digits, high half first (the canonical form of XXH128)
  static std::optional<Hash128> from_hex(std::string_view text);
};

// XXH3-128 with seed 0.
Hash128 xxh3_128(std::span<const std::byte> bytes);
Hash128 xxh3_128(std::string_view text);
// XXH3-64 of `text`, seeded.
std::uint64_t xxh3_64(std::string_view text, std::uint64_t seed);

// The same XXH3-128 over bytes that arrive in parts; how they are cut does not matter.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void reset();
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  void update_uint64(std::uint64_t value);  // as 8 little-endian bytes
  Hash128 digest() const;                   // of everything so far; more may follow

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI, ext4 and TensorBoard use it.
std::uint32_t crc32c(std::span<const std::byte> bytes);
// The checksum of a followed by b, from crc32c(a) and b.
std::uint32_t crc32c_extend(std::uint32_t crc, std::span<const std::byte> bytes);
// The table-driven form that crc32c() is checked against; what runs where the CPU has no instruction.
std::uint32_t crc32c_extend_portable(std::uint32_t crc, std::span<const std::byte> bytes);

}  // namespace cairn
