#include "data/goldfish.h"

#include <algorithm>
#include <array>
#include <bit>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace cairn::data {
namespace {

// SHA-256 (FIPS 180-4), for this test alone.
class Sha256 {
 public:
  static std::string hex(std::span<const std::byte> bytes) {
    std::vector<std::uint8_t> padded;
    for (const std::byte b : bytes) {
      padded.push_back(std::to_integer<std::uint8_t>(b));
    }
    padded.push_back(0x80);
    while (padded.size() % 64 != 56) {
      padded.push_back(0);
    }
    const std::uint64_t bits = bytes.size() * 8;
    for (int shift = 56; shift >= 0; shift -= 8) {
      padded.push_back(static_cast<std::uint8_t>(bits >> shift));
    }
    std::array<std::uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (std::size_t at = 0; at < padded.size(); at += 64) {
      add_block(std::span(padded).subspan(at, 64), state);
    }
    std::string text;
    for (const std::uint32_t word : state) {
      text += fmt::format("{:08x}", word);
    }
    return text;
  }

 private:
  static void add_block(std::span<const std::uint8_t> block, std::array<std::uint32_t, 8>& state) {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t i = 0; i < 16; ++i) {
      w[i] = std::uint32_t{block[4 * i]} << 24 | std::uint32_t{block[4 * i + 1]} << 16 |
             std::uint32_t{block[4 * i + 2]} << 8 | block[4 * i + 3];
    }
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
      const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kConstants[i] + w[i];
      const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    const std::array<std::uint32_t, 8> change = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) {
      state[i] += change[i];
    }
  }

  static constexpr std::array<std::uint32_t, 64> kConstants = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
};

TEST(Goldfish, TheTableIsTheReferences) {
  EXPECT_EQ(Sha256::hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const GoldfishMask goldfish(GoldfishOptions{true, 50, 50});
  const std::span<const float> table = goldfish.table();
  ASSERT_EQ(table.size(), 1'000'003U);
  EXPECT_FLOAT_EQ(table[0], 0.23368388F);
  EXPECT_FLOAT_EQ(table[1], 0.44126403F);
  EXPECT_FLOAT_EQ(table[2], 0.74114770F);
  EXPECT_FLOAT_EQ(table[3], 0.90927190F);
  EXPECT_FLOAT_EQ(table.back(), 0.83600676F);
  EXPECT_EQ(std::count_if(table.begin(), table.end(), [](float x) { return x < 0.02F; }), 19'901);
  EXPECT_EQ(Sha256::hex(std::as_bytes(table)),
            "33025be4fa64d02d0a2e630dfa7fc166bf76a5364206fe4cd8973ce46e836562");
}

TEST(Goldfish, DropsAboutOneInKAndNeverTheFirst) {
  const std::uint32_t seed = 3;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::vector<std::int32_t> labels(200'000);
  for (std::int32_t& label : labels) {
    label = static_cast<std::int32_t>(random() % 131'072) | 1;  // odd: products never wrap to zero
  }
  std::vector<float> mask(labels.size(), 1.0F);
  GoldfishMask(GoldfishOptions{true, 50, 50}).apply(labels, mask);
  EXPECT_EQ(std::count(mask.begin(), mask.begin() + 49, 0.0F), 0);
  const auto dropped = static_cast<double>(std::count(mask.begin(), mask.end(), 0.0F));
  EXPECT_NEAR(dropped / static_cast<double>(labels.size()), 0.02, 0.002);
}

TEST(Goldfish, EqualWindowsFareAlike) {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 400; ++i) {
    labels.push_back(3 + i % 100 * 7);
  }
  std::vector<float> mask(labels.size(), 1.0F);
  GoldfishMask(GoldfishOptions{true, 4, 50}).apply(labels, mask);
  for (std::size_t i = 50; i + 100 < labels.size(); ++i) {
    EXPECT_EQ(mask[i], mask[i + 100]);
  }
  EXPECT_GT(std::count(mask.begin(), mask.end(), 0.0F), 0);
}

}  // namespace
}  // namespace cairn::data
