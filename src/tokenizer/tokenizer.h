// Byte-level BPE tokenizers in the tokenizer.json format: the same ids and the same text as the reference
// implementation, for every file that is accepted; anything that is not implemented is refused by name.
// Paper: Sennrich et al. 2016 (arXiv 1508.07909), on bytes as in Radford et al. 2019.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn::tokenizer {

struct TokenizerData;  // the parsed, immutable tables (tokenizer_data.h)

// Immutable and thread-safe; cheap to copy (copies share their tables).
class Tokenizer {
 public:
  // Reads the text of a tokenizer.json. kBadData lists every fault that was found.
  static Result<Tokenizer> from_json(std::string_view text);

  // The ids of `text`. With add_special_tokens the file's template is applied (it may add BOS, EOS or
  // nothing). Special tokens written inside the text are recognised, as the reference does.
  // kBadData naming the byte offset when `text` is not UTF-8, and when a pattern that has no scanner of its own takes too
  // many steps on it (regex.h). Encoder below is faster for many texts.
  Result<std::vector<std::int32_t>> encode(std::string_view text, bool add_special_tokens) const;

  // Ids that no token has are skipped. Bytes that are not UTF-8 become U+FFFD, one per maximal bad part.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const;

  // One more than the largest id: the least size an embedding table needs.
  std::int64_t vocab_size() const;
  // How the token is written in the file (byte-level letters for ordinary tokens); "" for an unused id.
  std::string_view id_to_token(std::int32_t id) const;
  // Looks through all tokens.
  std::optional<std::int32_t> token_to_id(std::string_view token) const;
  // The bytes that a token stands for in decoded text; empty for an unused id.
  std::string_view id_to_bytes(std::int32_t id) const;
  bool is_special(std::int32_t id) const;

  // Found by content among the customary spellings (<s>, <|begin_of_text|>, ...); none when absent.
  std::optional<std::int32_t> bos_id() const;
  std::optional<std::int32_t> eos_id() const;
  std::optional<std::int32_t> pad_id() const;
  // What the template puts around a text, in order.
  std::span<const std::int32_t> template_prefix() const;
  std::span<const std::int32_t> template_suffix() const;

 private:
  friend class Encoder;
  friend class StreamDecoder;
  explicit Tokenizer(std::shared_ptr<const TokenizerData> data);
  std::shared_ptr<const TokenizerData> data_;
};

// Encodes many texts: owns the work buffers and a bounded cache of words. One per thread.
class Encoder {
 public:
  explicit Encoder(Tokenizer tokenizer);
  ~Encoder();
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;

  // Appends the ids of `text` to `ids`; on an error `ids` is as before.
  Status encode(std::string_view text, bool add_special_tokens, std::vector<std::int32_t>& ids);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Decodes ids as they come and only hands out complete characters. The concatenation of all it returns,
// finish() included, equals Tokenizer::decode of all ids.
class StreamDecoder {
 public:
  StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens);
  std::string add(std::int32_t id);  // the text that became complete; often empty
  std::string finish();              // what is left, as U+FFFD if it is an unfinished character

 private:
  Tokenizer tokenizer_;
  bool skip_special_tokens_;
  std::string pending_;
};

}  // namespace cairn::tokenizer
