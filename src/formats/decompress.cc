#include "formats/decompress.h"

#include <fmt/format.h>

#include "base/check.h"
#include "formats/decompress_backends.h"

namespace cairn {

Compression compression_for(std::string_view path) {
  if (path.ends_with(".gz")) {
    return Compression::kGzip;
  }
  return path.ends_with(".zst") ? Compression::kZstd : Compression::kNone;
}

std::string_view without_compression(std::string_view path) {
  switch (compression_for(path)) {
    case Compression::kGzip:
      return path.substr(0, path.size() - 3);
    case Compression::kZstd:
      return path.substr(0, path.size() - 4);
    case Compression::kNone:
      break;
  }
  return path;
}

Result<std::unique_ptr<Decompressor>> make_decompressor(Compression compression) {
  CHECK(compression != Compression::kNone, "nothing to decompress");
  if (compression == Compression::kGzip) {
#ifdef CAIRN_HAS_ZLIB
    return make_gzip_decompressor();
#else
    return bad_config(
        "this program was built without zlib; install zlib1g-dev and build again, or decompress the file");
#endif
  }
#ifdef CAIRN_HAS_ZSTD
  return make_zstd_decompressor();
#else
  return bad_config(
      "this program was built without Zstandard; install libzstd-dev and build again, or decompress the "
      "file");
#endif
}

}  // namespace cairn
