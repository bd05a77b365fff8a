// Any bytes as a tokenizer.json, and any text and ids through those that are accepted. The input is the file,
// then a NUL byte, then the text.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = input.find('\0');
  const std::string_view text = cut == std::string_view::npos ? input : input.substr(cut + 1);
  const cairn::Result<cairn::tokenizer::Tokenizer> tokenizer =
      cairn::tokenizer::Tokenizer::from_json(input.substr(0, cut));
  if (!tokenizer.ok()) {
    return 0;
  }
  const cairn::Result<std::vector<std::int32_t>> ids = tokenizer->encode(text, true);
  const bool takes_too_long = ids.status().message().find("too much work") != std::string::npos;
  CHECK(takes_too_long || ids.ok() == cairn::is_valid_utf8(text),
        "every UTF-8 text is encoded, nothing else is");
  if (ids.ok()) {
    for (const std::int32_t id : *ids) {
      CHECK(id >= 0 && id < tokenizer->vocab_size(), "an id outside the vocabulary");
    }
    CHECK(cairn::is_valid_utf8(tokenizer->decode(*ids, false)), "decoded text is UTF-8");
  }
  std::vector<std::int32_t> any;
  cairn::tokenizer::StreamDecoder stream(*tokenizer, false);
  std::string streamed;
  for (const char c : text) {
    any.push_back(static_cast<std::int32_t>(c) * 3);
    streamed += stream.add(any.back());
  }
  CHECK(streamed + stream.finish() == tokenizer->decode(any, false), "streams decode as at once");
  return 0;
}
