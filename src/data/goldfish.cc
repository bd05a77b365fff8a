#include "data/goldfish.h"

#include <random>

#include "base/check.h"

namespace cairn::data {
namespace {

constexpr std::uint32_t kTableSeed = 2971215073U;
constexpr std::uint32_t kMantissaMask = 0xFFFFFF;

}  // namespace

GoldfishMask::GoldfishMask(const GoldfishOptions& options) : options_(options) {
  CHECK(options.k >= 1 && options.h >= 1, "goldfish k and h are at least 1");
  std::mt19937 engine(kTableSeed);
  table_.resize(kTableSize);
  for (float& entry : table_) {
    entry = static_cast<float>(static_cast<std::uint32_t>(engine()) & kMantissaMask) * 0x1.0p-24F;
  }
}

void GoldfishMask::apply(std::span<const std::int32_t> labels_T, std::span<float> mask_T) const {
  CHECK(labels_T.size() == mask_T.size(), "labels and mask differ in length");
  // Compared in float, as the reference compares its float32 table with the Python number 1/k.
  const auto limit = static_cast<float>(1.0 / static_cast<double>(options_.k));
  const auto window = static_cast<std::size_t>(options_.h);
  for (std::size_t i = window - 1; i < labels_T.size(); ++i) {
    std::uint64_t product = 1;
    for (std::size_t j = i + 1 - window; j <= i; ++j) {
      product *= static_cast<std::uint64_t>(static_cast<std::int64_t>(labels_T[j]));
    }
    std::int64_t key = static_cast<std::int64_t>(product) % kTableSize;
    key += key < 0 ? kTableSize : 0;
    if (table_[static_cast<std::size_t>(key)] < limit) {
      mask_T[i] = 0.0F;
    }
  }
}

}  // namespace cairn::data
