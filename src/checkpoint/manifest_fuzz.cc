// A manifest from anywhere is refused or survives being written. The input is the text before the trailer and is
// read twice: as it is, and with the trailer that fits it, so that damage is tried behind the checksum, too.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/check.h"
#include "checkpoint/manifest.h"

namespace {

void read(std::string_view text) {
  const auto manifest = cairn::checkpoint::manifest_from_json(text);
  if (!manifest.ok()) {
    return;
  }
  for (const cairn::checkpoint::ManifestFile& file : manifest->files) {
    CHECK(!file.name.starts_with('/') && file.name != "..", "a name that leaves the folder");
    CHECK(!file.name.starts_with("../") && file.name.find("/../") == std::string::npos, file.name);
    CHECK(file.num_bytes >= 0, "a negative size");
  }
  const auto again = cairn::checkpoint::manifest_from_json(cairn::checkpoint::manifest_to_json(*manifest));
  CHECK(again.ok(), again.status().message());
  CHECK(*again == *manifest, "writing changed the manifest");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  read(body);
  cairn::Hasher hasher;
  hasher.update_uint64(cairn::checkpoint::kManifestName.size());
  hasher.update(cairn::checkpoint::kManifestName);
  hasher.update(body);
  read(fmt::format("{},\n  \"manifest_xxh3_128\": \"{}\"\n}}\n", body, hasher.digest().to_hex()));
  return 0;
}
