#include "data/order_inverse.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

// Every piece of every sample, by document.
std::map<std::int64_t, std::vector<DocumentUse>> uses_by_scan(const SampleOrder& order) {
  std::map<std::int64_t, std::vector<DocumentUse>> uses;
  for (std::int64_t sample = 0; sample < order.num_samples(); ++sample) {
    order.visit_pieces(sample, [&](std::int64_t, const TokenSpan& span, bool is_first) {
      uses[span.document].push_back({sample, span, is_first});
    });
  }
  return uses;
}

void expect_same(const std::vector<DocumentUse>& got, const std::vector<DocumentUse>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].sample, want[i].sample);
    EXPECT_EQ(got[i].span.offset, want[i].span.offset);
    EXPECT_EQ(got[i].span.count, want[i].span.count);
    EXPECT_EQ(got[i].is_first, want[i].is_first);
  }
}

TEST(OrderInverse, FindsWhatAScanFinds) {
  const std::uint32_t seed = 17;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::int32_t> lengths(1 + random() % 30);
    for (std::int32_t& length : lengths) {
      length = static_cast<std::int32_t>(random() % 4 == 0 ? 0 : random() % 60);
    }
    SampleOrderOptions options;
    options.sequence = 1 + static_cast<std::int64_t>(random() % 20);
    options.shuffle = random() % 4 != 0;
    options.num_samples = static_cast<std::int64_t>(random() % 150);
    options.seed = static_cast<std::uint32_t>(random());
    const Result<SampleOrder> order = SampleOrder::build(lengths, options);
    if (!order.ok() || order->num_epochs() > 1) {
      continue;  // a document twice in a sample: below
    }
    const OrderInverse inverse = OrderInverse::make(*order, {}, nullptr).value();
    auto scanned = uses_by_scan(*order);
    for (std::size_t document = 0; document < lengths.size(); ++document) {
      expect_same(inverse.uses_of(static_cast<std::int64_t>(document)),
                  scanned[static_cast<std::int64_t>(document)]);
    }
  }
}

TEST(OrderInverse, FindsEveryEpoch) {
  const std::vector<std::int32_t> lengths = {7, 12, 3, 40, 9};
  SampleOrderOptions options;
  options.sequence = 4;
  options.num_samples = 100;
  const SampleOrder order = SampleOrder::build(lengths, options).value();
  const OrderInverse inverse = OrderInverse::make(order, {}, nullptr).value();
  for (std::int64_t document = 0; document < 5; ++document) {
    std::int64_t predicted = 0;
    for (const DocumentUse& use : inverse.uses_of(document)) {
      predicted += use.span.count - (use.is_first ? 1 : 0);
    }
    // Each token once an epoch; the ends of the stream may miss one and the tokens behind the last sample.
    EXPECT_NEAR(static_cast<double>(predicted),
                static_cast<double>(order.num_epochs() * lengths[static_cast<std::size_t>(document)]), 5.0);
  }
}

}  // namespace
}  // namespace cairn::data
