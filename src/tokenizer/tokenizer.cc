#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "base/text.h"
#include "tokenizer/piece_cache.h"
#include "tokenizer/tokenizer_data.h"
#include "tokenizer/unicode.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kTextBytesMax = std::numeric_limits<std::int32_t>::max() / 2;

// Short pieces are most words of scripts with one byte a letter, middling ones most of the others.
using ShortPieces = PieceCache<2, 4>;
using MiddlingPieces = PieceCache<4, 8>;

constexpr std::size_t kCacheSlots = std::size_t{1} << 16;  // with both caches 3 MB

// Whether a piece ends with a character from U+3000 to U+9FFF, most of Chinese and Japanese. REQUIRES three bytes.
bool ends_with_cjk(std::string_view piece) {
  const auto lead = static_cast<unsigned char>(piece[piece.size() - 3]);
  return lead >= 0xE3 && lead <= 0xE9;
}

// One way through the pipeline: split at added tokens, normalise, cut into pieces, merge.
class Pipeline {
 public:
  // REQUIRES a power of two of slots for each of the caches.
  Pipeline(const TokenizerData& data, std::size_t num_cache_slots)
      : data_(data), short_pieces_(num_cache_slots), middling_pieces_(num_cache_slots / 4) {}

  Status encode(std::string_view text, std::vector<std::int32_t>& ids) {
    raw_segments_.clear();
    data_.raw_matcher.split(text, raw_segments_);
    for (const TextSegment& segment : raw_segments_) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
      } else {
        TRY(encode_raw(text.substr(segment.begin, segment.end - segment.begin), ids));
      }
    }
    return ok_status();
  }

 private:
  Status encode_raw(std::string_view text, std::vector<std::int32_t>& ids) {
    std::string normalized;
    if (data_.has_nfc && !is_surely_nfc(text)) {
      normalized = normalize_nfc(text);
      text = normalized;
    }
    if (data_.normalized_matcher.empty()) {
      return encode_text(text, ids);
    }
    segments_.clear();
    data_.normalized_matcher.split(text, segments_);
    for (const TextSegment& segment : segments_) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
      } else {
        TRY(encode_text(text.substr(segment.begin, segment.end - segment.begin), ids));
      }
    }
    return ok_status();
  }

  Status encode_text(std::string_view text, std::vector<std::int32_t>& ids) {
    if (!data_.splitter) {
      encode_words(text, ids);
      return ok_status();
    }
    return data_.splitter->split(text, splitter_buffers_, [&](std::size_t begin, std::size_t end) {
      encode_words(text.substr(begin, end - begin), ids);
    });
  }

  void encode_words(std::string_view text, std::vector<std::int32_t>& ids) {
    std::string prefixed;
    const bool needs_prefix = data_.adds_prefix_space && !data_.prefixes_every_piece;
    if (needs_prefix && !text.starts_with(' ')) {
      prefixed = " " + std::string(text);
      text = prefixed;
    }
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = piece_end(data_.pattern, text, begin);
      encode_piece(text.substr(begin, end - begin), text.size() - begin, ids);
      begin = end;
    }
  }

  // `num_readable`: bytes that may be read from the piece's first on.
  void encode_piece(std::string_view piece, std::size_t num_readable, std::vector<std::int32_t>& ids) {
    std::string prefixed;
    if (data_.adds_prefix_space && data_.prefixes_every_piece && !piece.starts_with(' ')) {
      prefixed = " " + std::string(piece);
      piece = prefixed;
      num_readable = piece.size();
    }
    if (piece.size() <= ShortPieces::Key::kPieceBytesMax) {
      encode_cached(short_pieces_, {piece, num_readable}, piece, ids);
    } else if (piece.size() <= MiddlingPieces::Key::kPieceBytesMax && !is_clause(piece)) {
      encode_cached(middling_pieces_, {piece, num_readable}, piece, ids);
    } else {
      data_.model.encode_piece(piece, buffers_, ids);
    }
  }

  // Long pieces of Chinese and Japanese are clauses, not words: they seldom come again, and matching them is fast.
  bool is_clause(std::string_view piece) const {
    return data_.model.encodes_by_matching() && ends_with_cjk(piece);
  }

  template <typename Cache>
  void encode_cached(Cache& cache, const typename Cache::Key& key, std::string_view piece,
                     std::vector<std::int32_t>& ids) {
    if (!cache.find(key, ids)) {
      const std::size_t before = ids.size();
      data_.model.encode_piece(piece, buffers_, ids);
      cache.add(key, std::span(ids).subspan(before));
    }
  }

  const TokenizerData& data_;
  ShortPieces short_pieces_;
  MiddlingPieces middling_pieces_;
  MergeBuffers buffers_;
  std::vector<TextSegment> raw_segments_;
  std::vector<TextSegment> segments_;
  SplitterBuffers splitter_buffers_;
};

Status encode_with(const TokenizerData& data, Pipeline& pipeline, std::string_view text,
                   bool add_special_tokens, std::vector<std::int32_t>& ids) {
  if (text.size() > kTextBytesMax) {
    return bad_data(fmt::format("one text of {} bytes is more than {}", text.size(), kTextBytesMax));
  }
  if (const std::optional<std::size_t> wrong = find_invalid_utf8(text)) {
    return bad_data(fmt::format("the text is not UTF-8 at byte {}", *wrong));
  }
  const std::size_t size_before = ids.size();
  if (add_special_tokens) {
    ids.insert(ids.end(), data.template_prefix.begin(), data.template_prefix.end());
  }
  const Status status = pipeline.encode(text, ids);
  if (!status.ok()) {
    ids.resize(size_before);
    return status;
  }
  if (add_special_tokens) {
    ids.insert(ids.end(), data.template_suffix.begin(), data.template_suffix.end());
  }
  return ok_status();
}

// Bytes at the end of `text` that may be the start of a character still to be completed.
std::size_t unfinished_tail(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(3, text.size()); ++length) {
    const auto byte = static_cast<unsigned char>(text[text.size() - length]);
    if ((byte & 0xC0) == 0x80) {
      continue;
    }
    // A lead byte: unfinished when nothing behind it is wrong yet and bytes are missing.
    const Utf8CodePoint c = decode_utf8(text, text.size() - length);
    const std::size_t needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return !c.is_valid && length < needed && static_cast<std::size_t>(c.length) == length && byte >= 0xC2 &&
                   byte < 0xF5
               ? length
               : 0;
  }
  return 0;
}

}  // namespace

Tokenizer::Tokenizer(std::shared_ptr<const TokenizerData> data) : data_(std::move(data)) {}

Result<Tokenizer> Tokenizer::from_json(std::string_view text) {
  auto data = std::make_shared<TokenizerData>();
  TRY(parse_tokenizer_json(text, *data));
  return Tokenizer(std::move(data));
}

Result<std::vector<std::int32_t>> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  Pipeline pipeline(*data_, 256);
  std::vector<std::int32_t> ids;
  TRY(encode_with(*data_, pipeline, text, add_special_tokens, ids));
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    if (!skip_special_tokens || !is_special(id)) {
      bytes += id_to_bytes(id);
    }
  }
  return replace_invalid_utf8(bytes);
}

std::int64_t Tokenizer::vocab_size() const {
  return static_cast<std::int64_t>(data_->tokens.size());
}

std::string_view Tokenizer::id_to_token(std::int32_t id) const {
  return id >= 0 && id < vocab_size() ? std::string_view(data_->tokens[static_cast<std::size_t>(id)].content)
                                      : std::string_view();
}

std::string_view Tokenizer::id_to_bytes(std::int32_t id) const {
  return id >= 0 && id < vocab_size() ? std::string_view(data_->tokens[static_cast<std::size_t>(id)].bytes)
                                      : std::string_view();
}

bool Tokenizer::is_special(std::int32_t id) const {
  return id >= 0 && id < vocab_size() && data_->tokens[static_cast<std::size_t>(id)].is_special;
}

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  const auto place = std::ranges::find_if(
      data_->tokens, [&](const TokenEntry& entry) { return entry.is_used && entry.content == token; });
  return place != data_->tokens.end()
             ? std::optional(static_cast<std::int32_t>(place - data_->tokens.begin()))
             : std::nullopt;
}

std::optional<std::int32_t> Tokenizer::bos_id() const {
  return data_->bos_id;
}

std::optional<std::int32_t> Tokenizer::eos_id() const {
  return data_->eos_id;
}

std::optional<std::int32_t> Tokenizer::pad_id() const {
  return data_->pad_id;
}

std::span<const std::int32_t> Tokenizer::template_prefix() const {
  return data_->template_prefix;
}

std::span<const std::int32_t> Tokenizer::template_suffix() const {
  return data_->template_suffix;
}

struct Encoder::State {
  explicit State(const Tokenizer& owner, const TokenizerData& data)
      : tokenizer(owner), pipeline(data, kCacheSlots) {}
  Tokenizer tokenizer;  // keeps the tables alive that the pipeline refers to
  Pipeline pipeline;
};

Encoder::Encoder(Tokenizer tokenizer) : state_(std::make_unique<State>(tokenizer, *tokenizer.data_)) {}
Encoder::~Encoder() = default;
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;

Status Encoder::encode(std::string_view text, bool add_special_tokens, std::vector<std::int32_t>& ids) {
  return encode_with(*state_->tokenizer.data_, state_->pipeline, text, add_special_tokens, ids);
}

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)), skip_special_tokens_(skip_special_tokens) {}

std::string StreamDecoder::add(std::int32_t id) {
  if (skip_special_tokens_ && tokenizer_.is_special(id)) {
    return "";
  }
  pending_ += tokenizer_.id_to_bytes(id);
  const std::size_t complete = pending_.size() - unfinished_tail(pending_);
  std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = replace_invalid_utf8(pending_);
  pending_.clear();
  return text;
}

}  // namespace cairn::tokenizer
