#include "tokenizer/tokenizer.h"

#include <memory>
#include <random>

#include <gtest/gtest.h>

#include "base/text.h"
#include "doors/file_system.h"
#include "formats/json.h"

namespace cairn::tokenizer {
namespace {

std::string read(const std::string& path) {
  const std::unique_ptr<FileSystem> files = make_real_file_system();
  Result<std::string> text = files->read_text(path);
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? text.value() : "";
}

std::string golden_folder(const std::string& style) {
  return std::string(CAIRN_GOLDEN_TOKENIZERS) + "/tokenizer-" + style + "-style/";
}

Tokenizer load(const std::string& style) {
  Result<Tokenizer> tokenizer = Tokenizer::from_json(read(golden_folder(style) + "tokenizer.json"));
  CHECK(tokenizer.ok(), tokenizer.status().message());
  return tokenizer.value();
}

std::vector<std::int32_t> ids_of(const Json& value) {
  std::vector<std::int32_t> ids;
  for (const Json& id : value) {
    ids.push_back(static_cast<std::int32_t>(*as_int64(id)));
  }
  return ids;
}

std::string stream_decode(const Tokenizer& tokenizer, std::span<const std::int32_t> ids, bool skip) {
  StreamDecoder decoder(tokenizer, skip);
  std::string text;
  for (const std::int32_t id : ids) {
    const std::string part = decoder.add(id);
    EXPECT_TRUE(is_valid_utf8(part));
    text += part;
  }
  return text + decoder.finish();
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, IdsAndTextsAreTheReferences) {
  const Tokenizer tokenizer = load(GetParam());
  Encoder encoder(tokenizer);
  Result<Json> golden = parse_json(read(golden_folder(GetParam()) + "golden.json"), JsonLimits{});
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  ASSERT_GT(golden->size(), 100U);
  for (const Json& entry : *golden) {
    const std::string text(*as_string(*find(entry, "text")));
    const std::vector<std::int32_t> with = ids_of(*find(entry, "ids"));
    const std::vector<std::int32_t> without = ids_of(*find(entry, "ids_no_special"));
    EXPECT_EQ(tokenizer.encode(text, true).value(), with) << text;
    EXPECT_EQ(tokenizer.encode(text, false).value(), without) << text;
    std::vector<std::int32_t> cached;
    ASSERT_TRUE(encoder.encode(text, true, cached).ok());
    EXPECT_EQ(cached, with) << text;
    EXPECT_EQ(tokenizer.decode(without, false), *as_string(*find(entry, "decoded")));
    EXPECT_EQ(tokenizer.decode(with, true), *as_string(*find(entry, "decoded_skip_special")));
    EXPECT_EQ(stream_decode(tokenizer, without, false), *as_string(*find(entry, "decoded")));
    EXPECT_EQ(stream_decode(tokenizer, with, true), *as_string(*find(entry, "decoded_skip_special")));
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, Golden, ::testing::Values("gpt2", "llama3", "tekken", "qwen"));

TEST(Tokenizer, FindsSpecialTokensByContent) {
  const Tokenizer tokenizer = load("tekken");
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  EXPECT_EQ(tokenizer.pad_id(), 3);
  EXPECT_EQ(tokenizer.vocab_size(), 1200);
  EXPECT_TRUE(tokenizer.is_special(4));
  EXPECT_FALSE(tokenizer.is_special(300));
  EXPECT_EQ(tokenizer.id_to_token(4), "[INST]");
  EXPECT_EQ(tokenizer.token_to_id("[INST]"), 4);
  EXPECT_EQ(tokenizer.token_to_id("no such token"), std::nullopt);
  ASSERT_EQ(tokenizer.template_prefix().size(), 1U);
  EXPECT_EQ(tokenizer.template_prefix()[0], 1);
}

TEST(Tokenizer, EveryTextSurvivesTheRoundTrip) {
  const std::uint32_t seed = 20250101;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const Tokenizer tokenizer = load("llama3");
  for (int round = 0; round < 300; ++round) {
    std::string text;
    const int length = static_cast<int>(random() % 60);
    for (int i = 0; i < length; ++i) {
      const std::uint32_t range[] = {0x80, 0x250, 0x3000, 0x110000};
      auto c = static_cast<char32_t>(random() % range[random() % 4]);
      c = c >= 0xD800 && c < 0xE000 ? U' ' : c;
      append_utf8(text, c);
    }
    const std::vector<std::int32_t> ids = tokenizer.encode(text, false).value();
    EXPECT_EQ(tokenizer.decode(ids, false), text);
    EXPECT_EQ(stream_decode(tokenizer, ids, false), text);
  }
}

TEST(Tokenizer, RandomIdsDecodeAlikeInStreamsAndAtOnce) {
  const std::uint32_t seed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const Tokenizer tokenizer = load("gpt2");
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::int32_t> ids(random() % 12);
    for (std::int32_t& id : ids) {
      // Mostly single bytes: broken characters of every kind.
      id = static_cast<std::int32_t>(random() % 8 == 0 ? random() % 3010 : 6 + random() % 256);
    }
    EXPECT_EQ(stream_decode(tokenizer, ids, true), tokenizer.decode(ids, true));
  }
}

TEST(Tokenizer, LongWordsTakeLinearithmicTime) {
  // Quadratic merging of these would take minutes.
  const Tokenizer tokenizer = load("llama3");
  Encoder encoder(tokenizer);
  for (const std::string& unit : {std::string("a"), std::string("ab"), std::string(" "), std::string("-="),
                                  std::string("\xC3\xA9"), std::string("<s> ")}) {
    std::string text;
    while (text.size() < 400'000) {
      text += unit;
    }
    std::vector<std::int32_t> ids;
    ASSERT_TRUE(encoder.encode(text, false, ids).ok());
    EXPECT_EQ(tokenizer.decode(ids, false), text);
  }
}

TEST(Tokenizer, LongAndShortPiecesMergeAlike) {
  // The same letters as one long piece and as its first part: both ways of merging agree on what they share.
  const Tokenizer tokenizer = load("gpt2");
  const std::vector<std::int32_t> unit = tokenizer.encode(" information", false).value();
  std::string text;
  for (int i = 0; i < 40; ++i) {
    text += " information";
  }
  std::vector<std::int32_t> expected;
  for (int i = 0; i < 40; ++i) {
    expected.insert(expected.end(), unit.begin(), unit.end());
  }
  EXPECT_EQ(tokenizer.encode(text, false).value(), expected);
}

TEST(Tokenizer, TextThatIsNotUtf8IsRefusedWithItsPlace) {
  const Result<std::vector<std::int32_t>> ids = load("gpt2").encode("ab\xFFz", true);
  ASSERT_FALSE(ids.ok());
  EXPECT_EQ(ids.status().code(), StatusCode::kBadData);
  EXPECT_NE(ids.status().message().find("byte 2"), std::string::npos) << ids.status().message();
}

// One change to a good file, and what the message must name.
struct Damage {
  const char* name;
  void (*change)(Json&);
  const char* named;
};

void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.name;
}

class Refused : public ::testing::TestWithParam<Damage> {};

TEST_P(Refused, WithItsName) {
  Result<Json> root = parse_json(read(golden_folder("llama3") + "tokenizer.json"), JsonLimits{});
  ASSERT_TRUE(root.ok());
  GetParam().change(*root);
  const Result<Tokenizer> tokenizer = Tokenizer::from_json(json_to_text(*root, -1));
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.status().code(), StatusCode::kBadData);
  EXPECT_NE(tokenizer.status().message().find(GetParam().named), std::string::npos)
      << tokenizer.status().message();
}

INSTANTIATE_TEST_SUITE_P(
    Files, Refused,
    ::testing::Values(
        Damage{"model_type", [](Json& j) { j["model"]["type"] = "Unigram"; }, "model.type"},
        Damage{"dropout", [](Json& j) { j["model"]["dropout"] = 0.1; }, "model.dropout"},
        Damage{"byte_fallback", [](Json& j) { j["model"]["byte_fallback"] = true; }, "model.byte_fallback"},
        Damage{"prefix", [](Json& j) { j["model"]["continuing_subword_prefix"] = "##"; }, "subword_prefix"},
        Damage{"huge_id", [](Json& j) { j["model"]["vocab"]["huge"] = 2'000'000'000; }, "vocab['huge']"},
        Damage{"negative_id", [](Json& j) { j["model"]["vocab"]["minus"] = -1; }, "vocab['minus']"},
        Damage{"same_id", [](Json& j) { j["model"]["vocab"]["twin"] = 300; }, "vocab['twin']"},
        Damage{"missing_byte", [](Json& j) { j["model"]["vocab"].erase("a"); }, "0x61"},
        Damage{"no_vocabulary", [](Json& j) { j["model"].erase("vocab"); }, "model.vocab"},
        Damage{"bad_merge", [](Json& j) { j["model"]["merges"][3] = "one two three"; }, "merges[3]"},
        Damage{"unknown_in_merge", [](Json& j) { j["model"]["merges"][5] = "zq qz"; }, "merges[5]"},
        Damage{"merge_twice", [](Json& j) { j["model"]["merges"][8] = j["model"]["merges"][1]; },
               "merges[8]"},
        Damage{"normalizer",
               [](Json& j) {
                 j["normalizer"] = {{"type", "NFKC"}};
               },
               "normalizer"},
        Damage{"pattern",
               [](Json& j) { j["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\h+"; },
               "pretokenizers[0].pattern"},
        Damage{"behavior", [](Json& j) { j["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Kept"; },
               "behavior"},
        Damage{"no_pre_tokenizer", [](Json& j) { j["pre_tokenizer"] = nullptr; }, "pre_tokenizer"},
        Damage{"post_processor", [](Json& j) { j["post_processor"]["type"] = "BertProcessing"; },
               "post_processor"},
        Damage{"template_token",
               [](Json& j) { j["post_processor"]["special_tokens"]["<s>"]["ids"][0] = 99999; },
               "post_processor.single[0]"},
        Damage{"decoder", [](Json& j) { j["decoder"]["type"] = "WordPiece"; }, "decoder"},
        Damage{"truncation",
               [](Json& j) {
                 j["truncation"] = {{"max_length", 5}};
               },
               "truncation"},
        Damage{"unknown_field", [](Json& j) { j["surprise"] = 1; }, "surprise"},
        Damage{"added_id", [](Json& j) { j["added_tokens"][0]["id"] = 7; }, "added_tokens[0]"},
        Damage{"added_twice", [](Json& j) { j["added_tokens"].push_back(j["added_tokens"][0]); },
               "added_tokens[6]"},
        Damage{"added_empty", [](Json& j) { j["added_tokens"][1]["content"] = ""; }, "added_tokens[1]"},
        Damage{"flag", [](Json& j) { j["added_tokens"][2]["lstrip"] = "yes"; }, "added_tokens[2].lstrip"}),
    [](const auto& file) { return std::string(file.param.name); });

TEST(Tokenizer, HostileJsonIsRefused) {
  const std::string deep(100'000, '[');
  for (const std::string& text : {std::string(), std::string("{"), deep, std::string("[]"),
                                  std::string("null"), std::string(R"({"model":{"vocab":{"a":1,"a":2}}})")}) {
    EXPECT_FALSE(Tokenizer::from_json(text).ok());
  }
}

}  // namespace
}  // namespace cairn::tokenizer
