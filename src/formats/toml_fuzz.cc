// The parser and the conversion of its tree; every value has a place in the text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "formats/toml.h"

namespace {

void visit(const cairn::TomlValue& value, int depth) {
  CHECK(depth <= 16, "deeper than the limit");
  for (const cairn::TomlEntry& entry : value.table) {
    CHECK(value.find(entry.key) == &entry.value, "keys are unique");
    visit(entry.value, depth + 1);
  }
  for (const cairn::TomlValue& element : value.array) {
    visit(element, depth + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const cairn::Result<cairn::TomlValue> root = cairn::parse_toml(text, cairn::TomlLimits{});
  if (root.ok()) {
    visit(*root, 0);
  }
  return 0;
}
