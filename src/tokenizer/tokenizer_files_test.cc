#include "tokenizer/tokenizer_files.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/json.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace cairn::tokenizer {
namespace {

// One special token, the bytes, "ab" and "abc".
struct Parts {
  std::vector<std::string> special_tokens = {"<s>"};
  std::vector<std::string> bytes = {""};
  std::vector<BpeMerge> merges;

  Parts() {
    for (int byte = 0; byte < 256; ++byte) {
      bytes.emplace_back(1, static_cast<char>(byte));
    }
    bytes.emplace_back("ab");
    bytes.emplace_back("abc");
    merges = {{1 + 'a', 1 + 'b', 257}, {257, 1 + 'c', 258}};
  }

  TokenizerParts view(std::string_view regex) const {
    return {.special_tokens = special_tokens,
            .roles = {"<s>", "", "", ""},
            .regex = regex,
            .bytes = bytes,
            .merges = merges};
  }
};

TEST(TokenizerFiles, AreReadBack) {
  for (const std::string_view regex : {kGpt2Regex, kLlama3Regex, kQwenRegex, kTekkenRegex, kO200kRegex}) {
    const Parts parts;
    const TokenizerFiles files = write_tokenizer_files(parts.view(regex));
    const Result<Tokenizer> tokenizer = Tokenizer::from_json(files.tokenizer_json);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_EQ(tokenizer->encode("abcab<s>", true).value(), (std::vector<std::int32_t>{0, 258, 257, 0}));
    EXPECT_EQ(tokenizer->bos_id(), 0);
    EXPECT_EQ(tokenizer->vocab_size(), 259);
  }
}

TEST(TokenizerFiles, IgnoreMergesFindsPiecesThatNoMergeMakes) {
  Parts parts;
  parts.merges.pop_back();
  TokenizerParts view = parts.view(kGpt2Regex);
  const Tokenizer merged = Tokenizer::from_json(write_tokenizer_files(view).tokenizer_json).value();
  EXPECT_EQ(merged.encode("abc", false).value(), (std::vector<std::int32_t>{257, 1 + 'c'}));
  view.ignore_merges = true;
  const Tokenizer whole = Tokenizer::from_json(write_tokenizer_files(view).tokenizer_json).value();
  EXPECT_EQ(whole.encode("abc", false).value(), (std::vector<std::int32_t>{258}));
}

TEST(TokenizerFiles, NameTheRolesThatThereAre) {
  const Parts parts;
  TokenizerParts view = parts.view(kGpt2Regex);
  const TokenizerFiles files = write_tokenizer_files(view);
  const Json map = parse_json(files.special_tokens_map_json, JsonLimits{}).value();
  EXPECT_EQ(map, (Json{{"bos_token", "<s>"}}));
  const Json config = parse_json(files.tokenizer_config_json, JsonLimits{}).value();
  EXPECT_EQ(config["bos_token"], "<s>");
  EXPECT_EQ(config["added_tokens_decoder"]["0"]["content"], "<s>");
  EXPECT_FALSE(config.contains("eos_token"));
  view.roles.bos = "";
  const Tokenizer without = Tokenizer::from_json(write_tokenizer_files(view).tokenizer_json).value();
  EXPECT_TRUE(without.template_prefix().empty());
}

}  // namespace
}  // namespace cairn::tokenizer
