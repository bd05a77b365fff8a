#include "data/sample_chain.h"

#include <vector>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

TEST(SampleChain, DependsOnEverySampleAndTheirOrder) {
  const std::vector<std::int32_t> a = {1, 2, 3};
  const std::vector<std::int32_t> b = {1, 2, 4};
  const auto chain_of =
      [](std::initializer_list<std::pair<std::int64_t, const std::vector<std::int32_t>*>> list) {
        SampleChain chain;
        for (const auto& [sample, tokens] : list) {
          chain.add(0, sample, hash_tokens(*tokens));
        }
        return chain;
      };
  const SampleChain chain = chain_of({{7, &a}, {8, &b}});
  EXPECT_EQ(chain, chain_of({{7, &a}, {8, &b}}));
  EXPECT_FALSE(chain == chain_of({{8, &b}, {7, &a}}));
  EXPECT_FALSE(chain == chain_of({{7, &a}, {8, &a}}));
  EXPECT_FALSE(chain == chain_of({{7, &a}, {9, &b}}));
  EXPECT_FALSE(chain == chain_of({{7, &a}}));
}

TEST(SampleChain, GoesOnFromItsText) {
  const std::vector<std::int32_t> tokens = {5, 6};
  SampleChain whole;
  whole.add(1, 2, hash_tokens(tokens));
  SampleChain resumed = SampleChain::from_hex(whole.to_hex()).value();
  whole.add(1, 3, hash_tokens(tokens));
  resumed.add(1, 3, hash_tokens(tokens));
  EXPECT_EQ(whole, resumed);
  EXPECT_EQ(whole.to_hex().size(), 32U);
  EXPECT_EQ(SampleChain().to_hex(), std::string(32, '0'));
  EXPECT_FALSE(SampleChain::from_hex("xyz").ok());
}

}  // namespace
}  // namespace cairn::data
