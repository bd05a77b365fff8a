// Any bytes as a tekken file; what is accepted must load as a tokenizer.json, unless its pattern is unknown, and a
// tokenizer that loads must give its own tokens back.
#include <cstdint>
#include <string_view>

#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tekken.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const cairn::Result<cairn::tokenizer::TekkenImport> imported = cairn::tokenizer::import_tekken(input);
  if (!imported.ok()) {
    return 0;
  }
  const auto tokenizer = cairn::tokenizer::Tokenizer::from_json(imported->files.tokenizer_json);
  if (!tokenizer.ok()) {
    CHECK(tokenizer.status().message().find("pattern") != std::string::npos, tokenizer.status().message());
    return 0;
  }
  CHECK(tokenizer->vocab_size() == imported->vocab_size, "a vocabulary of another size");
  for (std::int64_t id = imported->num_special; id < imported->vocab_size; ++id) {
    const std::string_view bytes = tokenizer->id_to_bytes(static_cast<std::int32_t>(id));
    CHECK(!bytes.empty(), "a token without bytes");
  }
  return 0;
}
