#include "base/hash.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

constexpr std::uint64_t kSeed = 20260101;

std::vector<std::byte> random_bytes(std::size_t size) {
  RandomStream random(random_key(kSeed, "hash test"), size);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random.next_uint32());
  }
  return bytes;
}

TEST(Hash, EmptyInputHasThePublishedXxh3Value) {
  EXPECT_EQ(xxh3_128("").to_hex(), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, HexRoundTripsAndRefusesWhatIsNoHash) {
  const Hash128 hash = xxh3_128("cairn");
  EXPECT_EQ(Hash128::from_hex(hash.to_hex()), hash);
  EXPECT_FALSE(Hash128::from_hex("99aa").has_value());
  EXPECT_FALSE(Hash128::from_hex("99AA06d3014798d86001c324468d497f").has_value());
  EXPECT_FALSE(Hash128::from_hex("g9aa06d3014798d86001c324468d497f").has_value());
}

TEST(Hash, StreamingDoesNotDependOnTheCut) {
  RecordProperty("seed", static_cast<int>(kSeed));
  const std::vector<std::byte> bytes = random_bytes(5000);
  const Hash128 whole = xxh3_128(bytes);
  RandomStream random(random_key(kSeed, "cuts"), 0);
  for (int trial = 0; trial < 50; ++trial) {
    Hasher hasher;
    std::size_t at = 0;
    while (at < bytes.size()) {
      const std::size_t count = std::min<std::size_t>(random.next_below(700), bytes.size() - at);
      hasher.update(std::span(bytes).subspan(at, count));
      at += count;
    }
    ASSERT_EQ(hasher.digest(), whole) << "seed " << kSeed << " trial " << trial;
  }
}

TEST(Hash, ResetForgetsAndMoreMayFollowADigest) {
  Hasher hasher;
  hasher.update("noise");
  hasher.reset();
  hasher.update("ab");
  EXPECT_EQ(hasher.digest(), xxh3_128("ab"));
  hasher.update("c");
  EXPECT_EQ(hasher.digest(), xxh3_128("abc"));
  hasher.reset();
  hasher.update_uint64(0x0807060504030201ULL);
  EXPECT_EQ(hasher.digest(), xxh3_128("\x01\x02\x03\x04\x05\x06\x07\x08"));
}

TEST(Crc32c, HasTheValuesOfRfc3720) {
  const std::vector<std::byte> zeros(32, std::byte{0});
  const std::vector<std::byte> ones(32, std::byte{0xFF});
  std::vector<std::byte> rising(32);
  for (std::size_t i = 0; i < rising.size(); ++i) {
    rising[i] = static_cast<std::byte>(i);
  }
  EXPECT_EQ(crc32c(zeros), 0x8A9136AAU);
  EXPECT_EQ(crc32c(ones), 0x62A8AB43U);
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
  EXPECT_EQ(crc32c(std::as_bytes(std::span(std::string_view("123456789")))), 0xE3069283U);
}

TEST(Crc32c, InstructionAndTableAgreeAtEverySizeAndCut) {
  const std::vector<std::byte> bytes = random_bytes(300);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const auto all = std::span(bytes).first(size);
    const std::uint32_t whole = crc32c(all);
    ASSERT_EQ(whole, crc32c_extend_portable(0, all)) << size;
    const std::size_t cut = size / 3;
    ASSERT_EQ(whole, crc32c_extend(crc32c(all.first(cut)), all.subspan(cut))) << size;
    ASSERT_EQ(whole, crc32c_extend_portable(crc32c(all.first(cut)), all.subspan(cut))) << size;
  }
}

}  // namespace
}  // namespace cairn
