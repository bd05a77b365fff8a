// Zstandard frames by libzstd.
#include <fmt/format.h>
#include <zstd.h>

#include "formats/decompress_backends.h"

namespace cairn {
namespace {

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

class ZstdDecompressor : public Decompressor {
 public:
  explicit ZstdDecompressor(std::unique_ptr<ZSTD_DStream, FreeStream> stream) : stream_(std::move(stream)) {}

  Result<Step> step(std::span<const std::byte> in, std::span<std::byte> out) override {
    if (in.empty() && is_complete_) {
      return Step{};
    }
    ZSTD_inBuffer input = {in.data(), in.size(), 0};
    ZSTD_outBuffer output = {out.data(), out.size(), 0};
    const std::size_t hint = ZSTD_decompressStream(stream_.get(), &output, &input);
    if (ZSTD_isError(hint) != 0) {
      // A frame may ask for a window of gigabytes; the library's limit (128 MiB) keeps memory bounded.
      return bad_data(fmt::format("damaged Zstandard data ({})", ZSTD_getErrorName(hint)));
    }
    is_complete_ = hint == 0;
    return Step{input.pos, output.pos};
  }

  bool is_complete() const override { return is_complete_; }

 private:
  std::unique_ptr<ZSTD_DStream, FreeStream> stream_;
  bool is_complete_ = false;
};

}  // namespace

Result<std::unique_ptr<Decompressor>> make_zstd_decompressor() {
  std::unique_ptr<ZSTD_DStream, FreeStream> stream(ZSTD_createDStream());
  if (!stream) {
    return Status(StatusCode::kTransient, "no memory for a Zstandard decoder");
  }
  return std::unique_ptr<Decompressor>(std::make_unique<ZstdDecompressor>(std::move(stream)));
}

}  // namespace cairn
