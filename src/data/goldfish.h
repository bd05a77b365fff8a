// The Goldfish loss mask: a token is left out of the loss when a hash of the tokens up to it says so, so that
// no passage can be learned by heart in full. Hans et al. 2024 (arXiv 2406.10209); table and hash as in the
// Apertus run: the product of the last h labels, wrapping in 64 bits, floor-mod the table's size.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cairn::data {

struct GoldfishOptions {
  bool enabled = false;
  std::int64_t k = 50;  // one token of k is dropped
  std::int64_t h = 50;  // labels that the hash sees
};

class GoldfishMask {
 public:
  static constexpr std::int64_t kTableSize = 1'000'003;

  // Builds the table (4 MB). REQUIRES k >= 1 and h >= 1.
  explicit GoldfishMask(const GoldfishOptions& options);

  // mask_T[i] = 0 where labels_T[i] is dropped; other entries are left alone. The first h-1 labels never are.
  // The window ignores document boundaries. Labels >= 0 (padding written as 0).
  void apply(std::span<const std::int32_t> labels_T, std::span<float> mask_T) const;

  // Uniform [0, 1) numbers with 24 bits, of std::mt19937(2971215073), as torch.rand draws them on a CPU.
  std::span<const float> table() const { return table_; }

 private:
  GoldfishOptions options_;
  std::vector<float> table_;
};

}  // namespace cairn::data
