#include "tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "formats/json.h"
#include "tokenizer/regex.h"
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
  const Json root = parse_json(trained.files.tokenizer_json, JsonLimits{}).value();
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
  const Tokenizer tokenizer = Tokenizer::from_json(trained.files.tokenizer_json).value();
  EXPECT_EQ(tokenizer.pad_id(), 3);
  EXPECT_EQ(tokenizer.encode("<pad>", false).value(), (std::vector<std::int32_t>{3}));
}

TEST(BpeTrainer, TheResultLoadsAndRoundTrips) {
  for (const char* style : {"gpt2", "llama3", "qwen", "tekken", "o200k"}) {
    BpeTrainerOptions options = options_of(320);
    options.regex = *regex_of_style(style);
    const std::string text = "The glacier melts. Der Gletscher schmilzt; \u6C37\u6CB3 1234 \n\n  ok's\n";
    const TrainedTokenizer trained = train(options, {text, text});
    const Result<Tokenizer> tokenizer = Tokenizer::from_json(trained.files.tokenizer_json);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_EQ(tokenizer->bos_id(), 1);
    EXPECT_EQ(tokenizer->eos_id(), 2);
    EXPECT_EQ(tokenizer->vocab_size(), trained.vocab_size);
    const std::vector<std::int32_t> ids = tokenizer->encode(text, true).value();
    EXPECT_EQ(ids.front(), 1);
    EXPECT_EQ(tokenizer->decode(ids, true), text);
    EXPECT_LT(ids.size(), text.size());
    EXPECT_TRUE(parse_json(trained.files.tokenizer_config_json, JsonLimits{}).ok());
    EXPECT_TRUE(parse_json(trained.files.special_tokens_map_json, JsonLimits{}).ok());
  }
}

// A pattern without a name: three letters are a word, so nothing is learned across them.
TEST(BpeTrainer, AnyPatternThatCompilesIsTaken) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  for (const int num_threads : {1, 3}) {
    BpeTrainerOptions options = options_of(400);
    options.regex = "\\p{L}{1,3}|[^\\p{L}]";
    options.num_threads = num_threads;
    const std::string text = "\u6C37\u6CB3abcdefabcdefab\n";
    const TrainedTokenizer trained = train(options, {text, text, text});
    const Result<Tokenizer> tokenizer = Tokenizer::from_json(trained.files.tokenizer_json);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    const std::vector<std::int32_t> ids = tokenizer->encode(text, false).value();
    EXPECT_EQ(tokenizer->decode(ids, true), text);
    std::vector<std::string> words;
    for (const std::int32_t id : ids) {
      words.emplace_back(tokenizer->id_to_bytes(id));
    }
    EXPECT_EQ(words, (std::vector<std::string>{"\u6C37\u6CB3"
                                               "a",
                                               "bcd", "efa", "bcd", "efa", "b", "\n"}));
  }
}

TEST(BpeTrainer, ATextThatTakesTooManyStepsIsAnError) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  BpeTrainerOptions options = options_of(400);
  options.regex = "(?:a|a|ab)+[bc]";
  BpeTrainer trainer = std::move(BpeTrainer::create(options)).value();
  Status status = trainer.add_text(std::string(60, 'a'));
  if (status.ok()) {
    status = trainer.train().status();
  }
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_NE(status.message().find("too much work"), std::string::npos) << status.message();
}

// 290,000 different words, 10,000 of them twice.
std::vector<std::string> many_texts() {
  std::vector<std::string> texts;
  for (int text = 0; text < 60; ++text) {
    std::string words;
    for (int i = 0; i < 5000; ++i) {
      std::string word = " w";
      for (int digits = (text * 5000 + i) % 290'000; digits > 0; digits /= 10) {
        word += static_cast<char>('a' + digits % 10);
      }
      words += word;
    }
    texts.push_back(words);
  }
  return texts;
}

TEST(BpeTrainer, ThreadsAndMemoryChangeNothing) {
  const std::vector<std::string> texts = many_texts();
  for (const std::int64_t min_word_count : {1, 2}) {
    std::string first;
    for (const auto& [num_threads, memory_bytes] :
         {std::pair(1, std::int64_t{4} << 30), std::pair(3, std::int64_t{4} << 30),
          std::pair(2, std::int64_t{16} << 20)}) {
      if (min_word_count == 1 && memory_bytes < std::int64_t{1} << 30) {
        continue;  // learning from all words needs more: see below
      }
      SimFileSystem files(1);
      BpeTrainerOptions options = options_of(600);
      options.num_threads = num_threads;
      options.memory_bytes = memory_bytes;
      options.min_word_count = min_word_count;
      options.files = &files;
      options.folder_for_words = "out/words";
      BpeTrainer trainer = std::move(BpeTrainer::create(options)).value();
      for (const std::string& text : texts) {
        ASSERT_TRUE(trainer.add_text(text).ok());
      }
      const TrainedTokenizer trained = trainer.train().value();
      first = first.empty() ? trained.files.tokenizer_json : first;
      EXPECT_TRUE(trained.files.tokenizer_json == first);
      EXPECT_EQ(trained.num_words, min_word_count == 1 ? 290'000 : 10'000);
      EXPECT_EQ(files.num_operations() > 0, memory_bytes < std::int64_t{1} << 30);
    }
  }
}

TEST(BpeTrainer, WordsThatDoNotFitIntoMemoryAreRefusedEarly) {
  BpeTrainerOptions options = options_of(600);
  options.memory_bytes = std::int64_t{16} << 20;
  BpeTrainer trainer = std::move(BpeTrainer::create(options)).value();
  const std::vector<std::string> texts = many_texts();
  std::size_t num_texts = 0;
  Status status;
  for (; num_texts < texts.size() && status.ok(); ++num_texts) {
    status = trainer.add_text(texts[num_texts]);
  }
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_NE(status.message().find("min_word_count"), std::string::npos);
  EXPECT_LT(num_texts, texts.size());
}

TEST(BpeTrainer, RareWordsAreLeftOutWhenAsked) {
  BpeTrainerOptions options = options_of(300);
  options.min_word_count = 2;
  EXPECT_EQ(merges_of(train(options, {"ab", "cd", "cd"})), (std::vector<std::string>{"c d"}));
}

TEST(BpeTrainer, BadOptionsAndTextsAreRefused) {
  EXPECT_FALSE(BpeTrainer::create(options_of(100)).ok());
  BpeTrainerOptions options = options_of(1000);
  options.roles.bos = "<missing>";
  options.special_tokens.push_back("</s>");
  const Result<BpeTrainer> both = BpeTrainer::create(options);
  ASSERT_FALSE(both.ok());
  EXPECT_NE(both.status().message().find("<missing>"), std::string::npos);
  EXPECT_NE(both.status().message().find("</s>"), std::string::npos);
  options = options_of(1000);
  options.regex = "(a|b)*";
  options.num_threads = 0;
  options.memory_bytes = 1;
  options.min_word_count = -1;
  const Result<BpeTrainer> four = BpeTrainer::create(options);
  ASSERT_FALSE(four.ok());
  for (const char* field : {"pattern", "threads", "memory", "min_word_count"}) {
    EXPECT_NE(four.status().message().find(field), std::string::npos) << field;
  }
  BpeTrainer trainer = std::move(BpeTrainer::create(options_of(300))).value();
  EXPECT_EQ(trainer.add_text("\xC3").code(), StatusCode::kBadData);
}

}  // namespace
}  // namespace cairn::tokenizer
