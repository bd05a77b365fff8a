#include "data/batch_builder.h"

#include <vector>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

// A batch of two rows of T = 6, filled with rubbish.
struct Fixture {
  std::vector<std::int32_t> tokens = std::vector<std::int32_t>(12, -7);
  std::vector<std::int32_t> targets = tokens;
  std::vector<std::int32_t> positions = tokens;
  std::vector<std::int32_t> first_key = tokens;
  std::vector<float> mask = std::vector<float>(12, -7.0F);
  MutableBatch batch{make_view(std::span(tokens), {2, 6}), make_view(std::span(targets), {2, 6}),
                     make_view(std::span(mask), {2, 6}), make_view(std::span(positions), {2, 6}),
                     make_view(std::span(first_key), {2, 6})};

  template <class T>
  static std::vector<T> row(const std::vector<T>& values, int index) {
    return std::vector<T>(values.begin() + 6 * index, values.begin() + 6 * index + 6);
  }
};

using Ids = std::vector<std::int32_t>;
using Mask = std::vector<float>;
const Ids kTokens = {1, 50, 2, 1, 60, 61, 2};  // two documents, EOD is 2

TEST(BatchBuilder, DefaultsAreThoseOfApertus) {
  Fixture f;
  BatchOptions options;
  options.eod_id = 2;
  BatchBuilder(options).fill_row(kTokens, 7, 1, f.batch);
  EXPECT_EQ(f.row(f.tokens, 1), (Ids{1, 50, 2, 1, 60, 61}));
  EXPECT_EQ(f.row(f.targets, 1), (Ids{50, 2, 1, 60, 61, 2}));
  EXPECT_EQ(f.row(f.mask, 1), (Mask{1, 1, 0, 1, 1, 1}));  // no loss from EOD, but on it
  EXPECT_EQ(f.row(f.positions, 1), (Ids{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(f.row(f.first_key, 1), (Ids{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(f.row(f.tokens, 0), Ids(6, -7));  // the other row is left alone
}

TEST(BatchBuilder, DocumentsMayBeKeptApart) {
  Fixture f;
  BatchOptions options;
  options.eod_id = 2;
  options.eod_loss = EodLoss::kKeep;
  options.positions = PositionRule::kRestart;
  options.document_mask = true;
  BatchBuilder(options).fill_row(kTokens, 7, 0, f.batch);
  EXPECT_EQ(f.row(f.mask, 0), (Mask{1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(f.row(f.positions, 0), (Ids{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(f.row(f.first_key, 0), (Ids{0, 0, 0, 3, 3, 3}));
}

TEST(BatchBuilder, AShortTailIsPaddedWithoutLoss) {
  Fixture f;
  BatchOptions options;
  options.eod_id = 0;  // even where the padding looks like EOD
  options.positions = PositionRule::kRestart;
  BatchBuilder(options).fill_row(kTokens, 4, 0, f.batch);
  EXPECT_EQ(f.row(f.tokens, 0), (Ids{1, 50, 2, 1, 0, 0}));
  EXPECT_EQ(f.row(f.targets, 0), (Ids{50, 2, 1, 0, 0, 0}));
  EXPECT_EQ(f.row(f.mask, 0), (Mask{1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(f.row(f.positions, 0), (Ids{0, 1, 2, 3, 4, 5}));
}

TEST(BatchBuilder, GoldfishIsMultipliedIn) {
  Fixture f;
  BatchOptions options;
  options.eod_id = 2;
  options.goldfish = {true, 1, 2};  // k = 1 drops every label that has a whole window
  BatchBuilder(options).fill_row(kTokens, 7, 0, f.batch);
  EXPECT_EQ(f.row(f.mask, 0), (Mask{1, 0, 0, 0, 0, 0}));
}

TEST(BatchBuilder, OptionsThatNeedAnEodAreRefusedWithoutOne) {
  BatchOptions options;
  EXPECT_EQ(check_batch_options(options).code(), StatusCode::kBadConfig);
  options.eod_loss = EodLoss::kKeep;
  EXPECT_TRUE(check_batch_options(options).ok());
  options.goldfish = {true, 0, 50};
  EXPECT_EQ(check_batch_options(options).code(), StatusCode::kBadConfig);
}

}  // namespace
}  // namespace cairn::data
