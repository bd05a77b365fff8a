#include "tokenizer/inspection.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tokenizer/bpe_trainer.h"

namespace cairn::tokenizer {
namespace {

// Knows " the" and "ice" as one token each.
std::string trained_json(const char* style) {
  BpeTrainerOptions options;
  options.vocab_size = 265;
  options.regex = *regex_of_style(style);
  BpeTrainer trainer = std::move(BpeTrainer::create(options)).value();
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(trainer.add_text(" the the the\nice\nice").ok());
  }
  return trainer.train().value().files.tokenizer_json;
}

Inspection inspection() {
  return Inspection(Tokenizer::from_json(trained_json("gpt2")).value());
}

TEST(Inspection, CountsWordsAsTheyStand) {
  Inspection inspected = inspection();
  ASSERT_TRUE(inspected.add_text("en", "ice the  the\n\xC3\xA9").ok());
  const TextFigures& figures = inspected.languages().at("en");
  EXPECT_EQ(figures.documents, 1);
  EXPECT_EQ(figures.bytes, 15);
  EXPECT_EQ(figures.characters, 14);
  EXPECT_EQ(figures.words, 4);        // "ice", " the", " the", "e with an accent"
  EXPECT_EQ(figures.word_tokens, 5);  // 1, 1, 1, 2
  EXPECT_EQ(figures.continued_words, 1);
  EXPECT_EQ(figures.tokens, 7);  // the words, a space and a newline
  EXPECT_DOUBLE_EQ(figures.tokens_per_word(), 1.25);
  EXPECT_DOUBLE_EQ(figures.bytes_per_token(), 15.0 / 7);
  EXPECT_DOUBLE_EQ(figures.characters_per_token(), 2.0);
  EXPECT_DOUBLE_EQ(figures.continued_share(), 0.25);
}

TEST(Inspection, AddsLanguagesUp) {
  Inspection inspected = inspection();
  ASSERT_TRUE(inspected.add_text("en", "the the").ok());
  ASSERT_TRUE(inspected.add_text("de", "der").ok());
  ASSERT_TRUE(inspected.add_text("de", "das").ok());
  EXPECT_EQ(inspected.languages().size(), 2U);
  EXPECT_EQ(inspected.languages().at("de").documents, 2);
  EXPECT_EQ(inspected.all().documents, 3);
  EXPECT_EQ(inspected.all().words, 4);
  EXPECT_EQ(inspected.all().bytes, 13);
}

TEST(Inspection, NamesTheWorstWords) {
  Inspection inspected = inspection();
  ASSERT_TRUE(inspected.add_text("de", "abcd abc\nabc ice\nabd abd\nxyzxyz").ok());
  const std::vector<CutWord> worst = inspected.worst_words("de", 3, 1);
  ASSERT_EQ(worst.size(), 3U);
  EXPECT_EQ(worst[0].word, "xyzxyz");
  EXPECT_EQ(worst[0].tokens, 6);
  EXPECT_EQ(worst[1].word, " abc");  // four tokens, as " abd" and "abcd"; in byte order
  EXPECT_EQ(worst[2].word, " abd");
  EXPECT_TRUE(inspected.worst_words("de", 3, 2).empty());
  EXPECT_TRUE(inspected.worst_words("fr", 3, 1).empty());
}

TEST(Inspection, NamesTheTokensThatNeverCame) {
  Inspection inspected = inspection();
  const std::size_t before = inspected.unused_tokens().size();
  ASSERT_TRUE(inspected.add_text("en", "ice<s> the").ok());
  EXPECT_EQ(inspected.unused_tokens().size(), before - 2);  // the special token never counts
}

TEST(Inspection, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(inspection().add_text("en", "\xC3").code(), StatusCode::kBadData);
}

TEST(PatternOf, NamesTheKnownStyles) {
  for (const char* style : {"gpt2", "llama3", "qwen", "tekken", "o200k"}) {
    EXPECT_EQ(pattern_of(trained_json(style)).value(), style);
  }
  EXPECT_EQ(pattern_of("{}").value(), "none");
  EXPECT_EQ(pattern_of(R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a+"}}})").value(), "a+");
  EXPECT_EQ(pattern_of(R"({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Digits"}, {"type": "Split", "pattern": {"String": "-"}}, {"type": "ByteLevel"}]}})")
                .value(),
            "Digits, then -, then gpt2");
  EXPECT_FALSE(pattern_of("{").ok());
}

}  // namespace
}  // namespace cairn::tokenizer
