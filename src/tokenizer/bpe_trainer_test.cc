#include "tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include "formats/json.h"
#include "tokenizer/tokenizer.h"

namespace cairn::tokenizer {
namespace {

BpeTrainerOptions options_of(std::int64_t vocab_size) {
  BpeTrainerOptions options;
  options.vocab_size = vocab_size;
  options.min_frequency = 1;
  return options;
}

TrainedTokenizer train(const BpeTrainerOptions& options, std::initializer_list<std::string_view> texts) {
  Result<BpeTrainer> trainer = BpeTrainer::create(options);
  CHECK(trainer.ok(), trainer.status().message());
  for (const std::string_view text : texts) {
    CHECK(trainer->add_text(text).ok(), "text refused");
  }
  return trainer->train().value();
}

std::vector<std::string> merges_of(const TrainedTokenizer& trained) {
  const Json root = parse_json(trained.tokenizer_json, JsonLimits{}).value();
  std::vector<std::string> merges;
  for (const Json& merge : *find(*find(root, "model"), "merges")) {
    merges.push_back(std::string(*as_string(merge[0])) + " " + std::string(*as_string(merge[1])));
  }
  return merges;
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  // Words: "aab" x 3, " cd" x 2.
  const TrainedTokenizer trained = train(options_of(264), {"aab cd", "aab cd", "aab"});
  EXPECT_EQ(merges_of(trained), (std::vector<std::string>{"a a", "aa b", "c d", "\u0120 cd"}));
  EXPECT_EQ(trained.vocab_size, 264);
}

TEST(BpeTrainer, TiesGoToTheLowestIds) {
  EXPECT_EQ(merges_of(train(options_of(261), {"xy", "bz", "ab"})), (std::vector<std::string>{"a b"}));
}

TEST(BpeTrainer, OverlappingPairsMergeFromTheLeft) {
  const TrainedTokenizer trained = train(options_of(300), {"aaaaa"});
  EXPECT_EQ(merges_of(trained), (std::vector<std::string>{"a a", "aa a", "aa aaa"}));
}

TEST(BpeTrainer, StopsAtTheFrequencyThatWasAsked) {
  BpeTrainerOptions options = options_of(300);
  options.min_frequency = 3;
  EXPECT_EQ(train(options, {"xy", "xy", "zw", "zw", "zw"}).num_merges, 1);
}

TEST(BpeTrainer, NeverMakesASpecialToken) {
  const TrainedTokenizer trained = train(options_of(400), {"<pad>", "<pad>", "<pad>"});
  const Tokenizer tokenizer = Tokenizer::from_json(trained.tokenizer_json).value();
  EXPECT_EQ(tokenizer.pad_id(), 3);
  EXPECT_EQ(tokenizer.encode("<pad>", false).value(), (std::vector<std::int32_t>{3}));
}

TEST(BpeTrainer, TheResultLoadsAndRoundTrips) {
  for (const PatternStyle pattern : {PatternStyle::kGpt2, PatternStyle::kLlama3, PatternStyle::kQwen,
                                     PatternStyle::kTekken, PatternStyle::kO200k}) {
    BpeTrainerOptions options = options_of(320);
    options.pattern = pattern;
    const std::string text = "The glacier melts. Der Gletscher schmilzt; \u6C37\u6CB3 1234 \n\n  ok's\n";
    const TrainedTokenizer trained = train(options, {text, text});
    const Result<Tokenizer> tokenizer = Tokenizer::from_json(trained.tokenizer_json);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_EQ(tokenizer->bos_id(), 1);
    EXPECT_EQ(tokenizer->eos_id(), 2);
    EXPECT_EQ(tokenizer->vocab_size(), trained.vocab_size);
    const std::vector<std::int32_t> ids = tokenizer->encode(text, true).value();
    EXPECT_EQ(ids.front(), 1);
    EXPECT_EQ(tokenizer->decode(ids, true), text);
    EXPECT_LT(ids.size(), text.size());
    EXPECT_TRUE(parse_json(trained.tokenizer_config_json, JsonLimits{}).ok());
    EXPECT_TRUE(parse_json(trained.special_tokens_map_json, JsonLimits{}).ok());
  }
}

TEST(BpeTrainer, BadOptionsAndTextsAreRefused) {
  EXPECT_FALSE(BpeTrainer::create(options_of(100)).ok());
  BpeTrainerOptions options = options_of(1000);
  options.bos_token = "<missing>";
  options.special_tokens.push_back("</s>");
  const Result<BpeTrainer> both = BpeTrainer::create(options);
  ASSERT_FALSE(both.ok());
  EXPECT_NE(both.status().message().find("<missing>"), std::string::npos);
  EXPECT_NE(both.status().message().find("</s>"), std::string::npos);
  BpeTrainer trainer = std::move(BpeTrainer::create(options_of(300))).value();
  EXPECT_EQ(trainer.add_text("\xC3").code(), StatusCode::kBadData);
  options = options_of(300);
  options.words_max = 2;
  trainer = std::move(BpeTrainer::create(options)).value();
  EXPECT_EQ(trainer.add_text("one two three").code(), StatusCode::kBadData);
}

}  // namespace
}  // namespace cairn::tokenizer
