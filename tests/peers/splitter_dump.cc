// Prints how a pre-tokenizer cuts texts, for pre_tokenizer_peer.py. Input lines are JSON: {"pre_tokenizer": ...} sets it
// (ByteLevel without a pattern is put behind it) and prints {} or {"refused": message}; {"text": ...} prints
// {"pieces": [[begin, end], ...]} in bytes.
#include <iostream>
#include <string>

#include "formats/json.h"
#include "tokenizer/pre_tokenizer_json.h"

namespace {

using cairn::Json;
using cairn::tokenizer::TokenizerData;

Json set_pre_tokenizer(const Json& value, TokenizerData& data) {
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const Json sequence = {{"type", "Sequence"}, {"pretokenizers", Json::array({value, byte_level})}};
  cairn::Faults faults;
  cairn::tokenizer::FileFaults file_faults(faults, "see docs/tokenizer.md");
  data = TokenizerData();
  read_pre_tokenizer(sequence, data, file_faults);
  const cairn::Status status = faults.to_status(cairn::StatusCode::kBadData, "refused");
  return status.ok() ? Json::object() : Json{{"refused", status.message()}};
}

Json cut(const TokenizerData& data, std::string_view text, cairn::tokenizer::SplitterBuffers& buffers) {
  Json pieces = Json::array();
  const auto add = [&](std::size_t begin, std::size_t end) { pieces.push_back(Json::array({begin, end})); };
  if (data.splitter) {
    const cairn::Status status = data.splitter->split(text, buffers, add);
    return status.ok() ? Json{{"pieces", pieces}} : Json{{"error", status.message()}};
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = piece_end(data.pattern, text, begin);
    add(begin, end);
    begin = end;
  }
  return {{"pieces", pieces}};
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  TokenizerData data;
  cairn::tokenizer::SplitterBuffers buffers;
  for (std::string line; std::getline(std::cin, line);) {
    const cairn::Result<Json> value = cairn::parse_json(line, cairn::JsonLimits{});
    CHECK(value.ok(), "the line is JSON");
    const Json* pre_tokenizer = cairn::find(*value, "pre_tokenizer");
    const Json* text = cairn::find(*value, "text");
    const Json answer = pre_tokenizer != nullptr ? set_pre_tokenizer(*pre_tokenizer, data)
                                                 : cut(data, text->get_ref<const std::string&>(), buffers);
    std::cout << cairn::json_to_text(answer, -1) << '\n';
  }
}
