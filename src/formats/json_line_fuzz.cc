// JsonLineReader against parse_json: what the one takes, the other takes too, with the same strings.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "formats/json.h"
#include "formats/json_line.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  cairn::JsonLineReader reader({"text", "url"});
  const cairn::Status status = reader.read(line);
  if (!cairn::is_valid_utf8(line)) {
    return 0;
  }
  const cairn::Result<cairn::Json> value = cairn::parse_json(line, {});
  if (value.ok() && value->is_object()) {
    CHECK(status.ok(), status.message());
    for (std::size_t i = 0; i < 2; ++i) {
      const cairn::Json* field = cairn::find(*value, i == 0 ? "text" : "url");
      const auto& read = reader.value(i);
      CHECK((field == nullptr) == (read.kind == cairn::JsonLineReader::Kind::kMissing),
            "a field more or less");
      const auto text = field == nullptr ? std::nullopt : cairn::as_string(*field);
      CHECK(text.has_value() == (read.kind == cairn::JsonLineReader::Kind::kString), "another kind");
      CHECK(!text || *text == read.text, "another text");
    }
  } else if (status.ok()) {
    // The two differences: members of other names may be there twice, and numbers may be of any size.
    const std::string& why = value.status().message();
    CHECK(why.find("twice") != std::string::npos || why.find("number") != std::string::npos, why);
  }
  return 0;
}
