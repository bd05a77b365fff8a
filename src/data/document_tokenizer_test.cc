#include "data/document_tokenizer.h"

#include <gtest/gtest.h>

#include "tokenizer/bpe_trainer.h"

namespace cairn::data {
namespace {

tokenizer::Tokenizer tokenizer_with(bool bos_in_template) {
  tokenizer::BpeTrainerOptions options;
  options.vocab_size = 260;
  options.roles.bos = bos_in_template ? "<s>" : "";
  tokenizer::BpeTrainer trainer = std::move(tokenizer::BpeTrainer::create(options)).value();
  return tokenizer::Tokenizer::from_json(trainer.train().value().files.tokenizer_json).value();
}

std::vector<std::int32_t> encode(const tokenizer::Tokenizer& tokenizer, DocumentEnds ends,
                                 std::string_view text) {
  DocumentTokenizer documents = std::move(DocumentTokenizer::create(tokenizer, ends)).value();
  std::vector<std::int32_t> ids = {99};
  CHECK(documents.encode(text, ids).ok(), "text refused");
  return ids;
}

using Ids = std::vector<std::int32_t>;

TEST(DocumentTokenizer, OneBosAndOneEosWhateverTheTemplateAdds) {
  for (const bool bos_in_template : {false, true}) {
    const tokenizer::Tokenizer tokenizer = tokenizer_with(bos_in_template);
    const std::int32_t a = *tokenizer.token_to_id("a");
    EXPECT_EQ(encode(tokenizer, {true, true}, "a"), (Ids{1, a, 2}));
    EXPECT_EQ(encode(tokenizer, {true, true}, "<s>a</s>"), (Ids{1, a, 2}));
    EXPECT_EQ(encode(tokenizer, {true, true}, "<s>"), (Ids{1, 2}));
    EXPECT_EQ(encode(tokenizer, {true, true}, ""), (Ids{1, 2}));
    EXPECT_EQ(encode(tokenizer, {false, true}, "a"), (Ids{a, 2}));
    EXPECT_EQ(encode(tokenizer, {false, false}, "a"), (Ids{a}));
  }
}

TEST(DocumentTokenizer, AnEosThatDoesNotExistIsRefused) {
  tokenizer::BpeTrainerOptions options;
  options.vocab_size = 260;
  options.special_tokens = {"<s>"};
  options.roles.eos = options.roles.pad = options.roles.unk = "";
  tokenizer::BpeTrainer trainer = std::move(tokenizer::BpeTrainer::create(options)).value();
  const auto tokenizer =
      tokenizer::Tokenizer::from_json(trainer.train().value().files.tokenizer_json).value();
  EXPECT_EQ(DocumentTokenizer::create(tokenizer, {true, true}).status().code(), StatusCode::kBadData);
  EXPECT_TRUE(DocumentTokenizer::create(tokenizer, {true, false}).ok());
}

}  // namespace
}  // namespace cairn::data
