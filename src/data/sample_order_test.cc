#include "data/sample_order.h"

#include <numeric>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

std::vector<std::int32_t> random_lengths(std::mt19937& random, std::size_t count, std::uint32_t length_max) {
  std::vector<std::int32_t> lengths(count);
  for (std::int32_t& length : lengths) {
    length = static_cast<std::int32_t>(random() % (length_max + 1));
  }
  return lengths;
}

// The ids (document, offset) of the stream, in order.
std::vector<std::pair<std::int64_t, std::int64_t>> stream_of(const SampleOrder& order,
                                                             std::span<const std::int32_t> lengths) {
  std::vector<std::pair<std::int64_t, std::int64_t>> stream;
  for (const std::int32_t document : order.document_index()) {
    for (std::int32_t i = 0; i < lengths[static_cast<std::size_t>(document)]; ++i) {
      stream.emplace_back(document, i);
    }
  }
  return stream;
}

TEST(SampleOrder, SamplesAreWindowsOfTheStreamEachOnce) {
  const std::uint32_t seed = 99;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    SampleOrderOptions options;
    options.sequence = 1 + static_cast<std::int64_t>(random() % 20);
    options.num_samples = static_cast<std::int64_t>(random() % 200);
    options.seed = static_cast<std::uint32_t>(random());
    const std::vector<std::int32_t> lengths = random_lengths(random, 1 + random() % 30, 40);
    const Result<SampleOrder> built = SampleOrder::build(lengths, options);
    if (!built.ok()) {
      EXPECT_LE(std::accumulate(lengths.begin(), lengths.end(), 0), options.sequence);
      continue;
    }
    const SampleOrder& order = *built;
    ASSERT_GE(order.num_samples(), options.num_samples);
    const auto stream = stream_of(order, lengths);
    std::set<std::int64_t> seen;
    for (std::int64_t sample = 0; sample < order.num_samples(); ++sample) {
      ASSERT_TRUE(seen.insert(order.shuffled(sample)).second);
      std::size_t at = static_cast<std::size_t>(order.shuffled(sample) * options.sequence);
      std::int64_t total = 0;
      for (const TokenSpan& span : order.locate(sample)) {
        for (std::int64_t i = 0; i < span.count; ++i, ++at) {
          ASSERT_EQ(stream[at], std::pair(span.document, span.offset + i));
        }
        total += span.count;
      }
      ASSERT_EQ(total, options.sequence + 1);
    }
  }
}

TEST(SampleOrder, ASmallLastEpochIsShuffledOnItsOwn) {
  const std::vector<std::int32_t> lengths(50, 10);  // 500 tokens: 124 samples of 4 an epoch
  SampleOrderOptions options;
  options.sequence = 4;
  options.num_samples = 150;  // 26 of the second epoch: separate
  const SampleOrder separate = SampleOrder::build(lengths, options).value();
  EXPECT_EQ(separate.num_epochs(), 2);
  const auto first = separate.document_index().first(50);
  EXPECT_EQ(std::set<std::int32_t>(first.begin(), first.end()).size(), 50U);
  for (std::int64_t sample = 0; sample < 124; ++sample) {
    EXPECT_LT(separate.shuffled(sample), 124);
  }
  options.num_samples = 245;  // 121 of the second epoch: together
  const SampleOrder together = SampleOrder::build(lengths, options).value();
  const auto half = together.document_index().first(50);
  EXPECT_LT(std::set<std::int32_t>(half.begin(), half.end()).size(), 50U);
}

TEST(SampleOrder, EvaluationReadsInOrderToTheLastToken) {
  const std::vector<std::int32_t> lengths = {3, 0, 5, 2};
  SampleOrderOptions options;
  options.sequence = 4;
  options.shuffle = false;
  options.keep_tail = true;
  const SampleOrder order = SampleOrder::build(lengths, options).value();
  ASSERT_EQ(order.num_samples(), 3);  // tokens 0-4, 4-8, 8-9
  EXPECT_EQ(order.locate(2).size(), 1U);
  EXPECT_EQ(order.locate(2)[0].document, 3);
  EXPECT_EQ(order.locate(2)[0].count, 2);
  options.keep_tail = false;
  EXPECT_EQ(SampleOrder::build(lengths, options).value().num_samples(), 2);
}

TEST(SampleOrder, ItsSizeIsKnownBeforeItIsBuilt) {
  const std::vector<std::int32_t> lengths(50, 10);
  for (const std::int64_t num_samples : {0, 150, 10'000}) {
    SampleOrderOptions options;
    options.sequence = 4;
    options.num_samples = num_samples;
    const SampleOrder order = SampleOrder::build(lengths, options).value();
    const SampleOrderSize size = sample_order_size(50, 500, options).value();
    EXPECT_EQ(size.num_epochs, order.num_epochs());
    EXPECT_EQ(size.num_samples, order.num_samples());
    EXPECT_EQ(size.num_bytes,
              static_cast<std::int64_t>(order.document_index().size()) * 4 + order.num_samples() * 12 + 8);
  }
  SampleOrderOptions long_run;
  long_run.sequence = 16;
  long_run.num_samples = 2'000'000'000;
  EXPECT_GT(sample_order_size(6, 100, long_run).value().num_bytes, 20'000'000'000);
}

TEST(SampleOrder, WhatCannotBeOrderedIsRefused) {
  const std::vector<std::int32_t> lengths = {3, 2};
  SampleOrderOptions options;
  EXPECT_EQ(SampleOrder::build(lengths, options).status().code(), StatusCode::kUsage);
  options.sequence = 5;
  EXPECT_EQ(SampleOrder::build(lengths, options).status().code(), StatusCode::kBadData);
  options.sequence = 2;
  options.num_samples = std::int64_t{1} << 60;
  EXPECT_FALSE(SampleOrder::build(lengths, options).ok());
  options.num_samples = std::int64_t{1} << 33;
  EXPECT_FALSE(SampleOrder::build(lengths, options).ok());
  options.num_samples = -1;
  EXPECT_FALSE(SampleOrder::build(lengths, options).ok());
  options.num_samples = 1;
  options.keep_tail = true;
  EXPECT_FALSE(SampleOrder::build(lengths, options).ok());
  EXPECT_FALSE(SampleOrder::build({}, SampleOrderOptions{2, 0, 0, true, false}).ok());
}

}  // namespace
}  // namespace cairn::data
