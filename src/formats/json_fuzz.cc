// Texts that parse must print to a text that parses to the same value.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "formats/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr cairn::JsonLimits kLimits = {1 << 20, 32};
  const cairn::Result<cairn::Json> json = cairn::parse_json(text, kLimits);
  if (json.ok()) {
    const std::string printed = cairn::json_to_text(*json, -1);
    const cairn::Result<cairn::Json> again = cairn::parse_json(printed, {1 << 24, 32});
    CHECK(again.ok(), again.status().message());
    CHECK(cairn::json_to_text(*again, -1) == printed, "printing and parsing changed the value");
  }
  return 0;
}
