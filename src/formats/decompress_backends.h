// The decompressors of decompress.h; each is there when its library was found.
#pragma once

#include <memory>

#include "base/status.h"
#include "formats/decompress.h"

namespace cairn {

Result<std::unique_ptr<Decompressor>> make_gzip_decompressor();
Result<std::unique_ptr<Decompressor>> make_zstd_decompressor();

}  // namespace cairn
