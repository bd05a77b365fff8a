#include "tokenizer/tekken.h"

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "formats/json.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace cairn::tokenizer {
namespace {

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += at + i > bytes.size() ? '=' : kLetters[bits >> (18 - 6 * i) & 63];
    }
  }
  return text;
}

// The 256 bytes and `more`, in this order.
std::vector<std::string> ranked(const std::vector<std::string>& more) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.emplace_back(1, static_cast<char>(byte));
  }
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

Json tekken_file(const std::vector<std::string>& tokens, std::int64_t num_special) {
  Json vocabulary = Json::array();
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    vocabulary.push_back({{"rank", rank}, {"token_bytes", base64(tokens[rank])}, {"token_str", nullptr}});
  }
  return {{"config",
           {{"pattern", std::string(kTekkenRegex)},
            {"num_vocab_tokens", tokens.size()},
            {"default_vocab_size", static_cast<std::int64_t>(tokens.size()) + num_special},
            {"default_num_special_tokens", num_special},
            {"version", "v3"}}},
          {"vocab", vocabulary}};
}

Result<TekkenImport> import_json(const Json& file) {
  return import_tekken(json_to_text(file, -1));
}

// The rule as tekken's encoder states it, on one piece.
std::vector<std::int32_t> join_by_rank(const std::vector<std::string>& tokens, const std::string& piece) {
  constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();
  std::unordered_map<std::string, std::int32_t> ranks;
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    ranks[tokens[rank]] = static_cast<std::int32_t>(rank);
  }
  std::vector<std::string> parts;
  if (ranks.contains(piece)) {
    return {ranks[piece]};
  }
  for (const char c : piece) {
    parts.emplace_back(1, c);
  }
  while (true) {
    std::int32_t best_rank = kNone;
    std::size_t best = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find(parts[i] + parts[i + 1]);
      if (found != ranks.end() && found->second < best_rank) {
        best_rank = found->second;
        best = i;
      }
    }
    if (best_rank == kNone) {
      break;
    }
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  std::vector<std::int32_t> ids;
  for (const std::string& part : parts) {
    ids.push_back(ranks[part]);
  }
  return ids;
}

std::string random_word(RandomStream& random, std::uint64_t size_min, std::uint64_t size_max) {
  std::string word;
  for (std::uint64_t n = size_min + random.next_below(size_max - size_min + 1); n > 0; --n) {
    word += static_cast<char>('a' + random.next_below(3));
  }
  return word;
}

TEST(Tekken, GivesTheIdsOfTheRuleForAnyRanks) {
  // Ranks in no order that a trainer would give: tokens before their parts, tokens that cannot be reached.
  RandomStream random(random_key(20'251'125, "tekken"), 0);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> more;
    for (int i = 0; i < 40; ++i) {
      const std::string token = random_word(random, 2, 6);
      if (std::find(more.begin(), more.end(), token) == more.end()) {
        more.push_back(token);
      }
    }
    const std::vector<std::string> tokens = ranked(more);
    const Result<TekkenImport> imported = import_json(tekken_file(tokens, 30));
    ASSERT_TRUE(imported.ok()) << imported.status().message();
    EXPECT_LE(imported->num_merges, static_cast<std::int64_t>(more.size()));
    const Tokenizer tokenizer = Tokenizer::from_json(imported->files.tokenizer_json).value();
    for (int i = 0; i < 200; ++i) {
      const std::string word = random_word(random, 1, i % 10 == 0 ? 90 : 16);
      std::vector<std::int32_t> expected = join_by_rank(tokens, word);
      for (std::int32_t& id : expected) {
        id += 30;
      }
      ASSERT_EQ(tokenizer.encode(word, false).value(), expected) << "round " << round << ", " << word;
    }
  }
}

TEST(Tekken, HasOneMergeForEachTokenThatTheRuleReaches) {
  // ab + c and b + cd are joined; no two bytes of xyz are, so it is found as a piece only.
  const Result<TekkenImport> imported =
      import_json(tekken_file(ranked({"ab", "cd", "abc", "bcd", "xyz"}), 20));
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  EXPECT_EQ(imported->num_merges, 4);
  const Tokenizer tokenizer = Tokenizer::from_json(imported->files.tokenizer_json).value();
  EXPECT_EQ(tokenizer.encode("xyz", false).value(), (std::vector<std::int32_t>{20 + 260}));
  EXPECT_EQ(tokenizer.encode("xyzx", false).value(),
            (std::vector<std::int32_t>{20 + 'x', 20 + 'y', 20 + 'z', 20 + 'x'}));
}

TEST(Tekken, CutsTheVocabularyAndNamesTheSpecialTokens) {
  Json file = tekken_file(ranked({"ab", "cd", "never"}), 22);
  file["config"]["default_vocab_size"] = 22 + 258;
  const Result<TekkenImport> imported = import_json(file);
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  EXPECT_EQ(imported->vocab_size, 280);
  const Tokenizer tokenizer = Tokenizer::from_json(imported->files.tokenizer_json).value();
  EXPECT_EQ(tokenizer.vocab_size(), 280);
  EXPECT_EQ(tokenizer.id_to_token(3), "[INST]");
  EXPECT_EQ(tokenizer.id_to_token(21), "<SPECIAL_21>");
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  EXPECT_EQ(tokenizer.pad_id(), 11);
  EXPECT_EQ(tokenizer.encode("ab", true).value(), (std::vector<std::int32_t>{1, 278}));
}

TEST(Tekken, TakesTheSpecialTokensOfTheFile) {
  Json file = tekken_file(ranked({"ab"}), 3);
  file["config"]["version"] = "v13";
  file["special_tokens"] = {{{"rank", 0}, {"token_str", "<unk>"}, {"is_control", true}},
                            {{"rank", 1}, {"token_str", "<s>"}, {"is_control", true}}};
  const Result<TekkenImport> imported = import_json(file);
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  const Tokenizer tokenizer = Tokenizer::from_json(imported->files.tokenizer_json).value();
  EXPECT_EQ(tokenizer.id_to_token(2), "<SPECIAL_2>");
  EXPECT_TRUE(tokenizer.is_special(2));
  EXPECT_EQ(tokenizer.eos_id(), std::nullopt);
}

// What is wrong with a file after `change`.
template <class Change>
std::string fault_of(Change&& change) {
  Json file = tekken_file(ranked({"ab", "cd"}), 20);
  change(file);
  const Result<TekkenImport> imported = import_json(file);
  EXPECT_EQ(imported.ok() ? StatusCode::kOk : imported.status().code(), StatusCode::kBadData);
  return imported.ok() ? "" : imported.status().message();
}

TEST(Tekken, RefusesWhatIsNotATekkenFile) {
  EXPECT_FALSE(import_tekken("").ok());
  EXPECT_FALSE(import_tekken("[]").ok());
  EXPECT_FALSE(import_tekken(R"({"config": {}, "vocab": {}})").ok());
  EXPECT_NE(fault_of([](Json& f) { f["surprise"] = 1; }).find("surprise"), std::string::npos);
  EXPECT_NE(fault_of([](Json& f) { f["config"]["version"] = "v99"; }).find("config.version"),
            std::string::npos);
  EXPECT_NE(fault_of([](Json& f) { f["config"]["version"] = "v11"; }).find("special_tokens"),
            std::string::npos);
  EXPECT_NE(fault_of([](Json& f) { f["config"]["pattern"] = "\\p{L}{1,3}+"; }).find("config.pattern"),
            std::string::npos);
  EXPECT_NE(fault_of([](Json& f) { f["config"]["pattern"] = 3; }).find("config.pattern"), std::string::npos);
}

TEST(Tekken, RefusesSizesThatDoNotFit) {
  for (const std::int64_t size : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{275}, std::int64_t{279},
                                  std::int64_t{1} << 30, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_NE(fault_of([&](Json& f) { f["config"]["default_vocab_size"] = size; }), "");
  }
  for (const std::int64_t size : {std::int64_t{-1}, std::int64_t{19}, std::int64_t{70'000}}) {
    EXPECT_NE(fault_of([&](Json& f) {
                f["config"]["default_num_special_tokens"] = size;
                f["config"]["default_vocab_size"] = size + 256;
              }),
              "");
  }
}

TEST(Tekken, RefusesWrongTokens) {
  const auto with_token = [](int rank, const char* key, const Json& value) {
    return fault_of([&](Json& f) { f["vocab"][static_cast<std::size_t>(rank)][key] = value; });
  };
  EXPECT_NE(with_token(257, "rank", 258).find("vocab[257]"), std::string::npos);
  EXPECT_NE(with_token(257, "more", 1).find("vocab[257]"), std::string::npos);
  EXPECT_NE(with_token(257, "token_bytes", base64("ab")).find("twice"), std::string::npos);
  EXPECT_NE(with_token(7, "token_bytes", base64("a")).find("the byte 7"), std::string::npos);
  EXPECT_NE(with_token(257, "token_bytes", base64("<s>")).find("special token"), std::string::npos);
  EXPECT_NE(with_token(257, "token_bytes", base64(std::string(257, 'a'))), "");
  // Letters outside the alphabet, a wrong length, padding inside, bits behind the end, nothing.
  for (const char* text : {"YW!=", "YWI", "YQ==YWI=", "YWJ=", "====", "Y===", ""}) {
    EXPECT_NE(with_token(257, "token_bytes", text), "") << text;
  }
}

TEST(Tekken, RefusesWrongSpecialTokens) {
  const auto with_special = [](const Json& list) {
    return fault_of([&](Json& f) { f["special_tokens"] = list; });
  };
  const auto token = [](int rank, const std::string& text) {
    return Json{{"rank", rank}, {"token_str", text}, {"is_control", true}};
  };
  EXPECT_NE(with_special(7), "");
  EXPECT_NE(with_special(Json::array({1})), "");
  EXPECT_NE(with_special(Json::array({token(1, "<s>")})), "");
  EXPECT_NE(with_special(Json::array({token(0, "")})), "");
  EXPECT_NE(with_special(Json::array({token(0, std::string(1000, 'x'))})), "");
  EXPECT_NE(with_special(Json::array({token(0, "<s>"), token(1, "<s>")})).find("twice"), std::string::npos);
  EXPECT_NE(with_special(Json::array({token(0, "<SPECIAL_5>")})).find("twice"), std::string::npos);
}

}  // namespace
}  // namespace cairn::tokenizer
