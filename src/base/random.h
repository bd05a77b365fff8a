// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
// 3"). A draw is a pure function of (seed, name, stream, index), so any rank or thread can make any part of a
// sequence. The same bits on every machine: the functions below use only + - * / sqrt of IEEE double.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace cairn {

// Ten rounds of Philox4x32 of one 128-bit counter under a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// Names one family of independent streams: "init.model.layers.3.mlp.up_proj.weight", "data.shuffle", ...
struct RandomKey {
  std::uint64_t value = 0;
};
// XXH3-64 of the name, seeded with `seed`.
RandomKey random_key(std::uint64_t seed, std::string_view name);

// Four words of stream `stream` (a step, a sample, an epoch) at `index`.
std::array<std::uint32_t, 4> random_block(RandomKey key, std::uint64_t stream, std::uint64_t index);

// Uniform in [0, 1): the upper 24 bits of a word, the upper 53 bits of two. Never 1.
float uniform_float(std::uint32_t word);
double uniform_double(std::uint32_t high_word, std::uint32_t low_word);

// Two independent standard normals from one block (Box and Muller 1958). The logarithm, sine and cosine are
// ours, within 2e-15 relative of the exact values; |normal| < 8.7.
struct NormalPair {
  double first = 0;
  double second = 0;
};
NormalPair normal_pair(const std::array<std::uint32_t, 4>& block);

// out[i] = mean + deviation * normal number (first_index + i) of (key, stream), rounded once to float32.
// Cutting a fill into parts gives the same numbers. Writes (=).
void fill_normal(std::span<float> out, RandomKey key, std::uint64_t stream, std::uint64_t first_index,
                 double mean, double deviation);

// A cursor over one stream, for code that draws one after the other; words_drawn() and skip_to() make it
// resumable.
class RandomStream {
 public:
  RandomStream(RandomKey key, std::uint64_t stream) : key_(key), stream_(stream) {}

  std::uint32_t next_uint32();
  std::uint64_t next_uint64();
  float next_float();                             // uniform [0, 1), 24 bits
  double next_double();                           // uniform [0, 1), 53 bits
  double next_normal();                           // takes four words, keeps the first of the pair
  std::uint64_t next_below(std::uint64_t bound);  // uniform in [0, bound), no bias. REQUIRES bound >= 1
  std::uint64_t words_drawn() const { return position_; }
  void skip_to(std::uint64_t words_drawn);

 private:
  RandomKey key_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;  // in 32-bit words
  std::uint64_t block_index_ = ~std::uint64_t{0};
  std::array<std::uint32_t, 4> block_{};
};

// Deterministic elementary functions of double, the same bits everywhere.
double portable_log(double x);  // REQUIRES x > 0 and normal. Relative error below 1e-15.
struct SinCos {
  double sine = 0;
  double cosine = 0;
};
SinCos portable_sincos_turns(
    double turns);  // of 2 pi turns. REQUIRES 0 <= turns < 1. Absolute error < 4e-16.

}  // namespace cairn
