// gzip members by zlib.
#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <zlib.h>

#include "formats/decompress_backends.h"

namespace cairn {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr auto kPartMax = std::size_t{std::numeric_limits<uInt>::max()};

class GzipDecompressor : public Decompressor {
 public:
  GzipDecompressor() = default;
  ~GzipDecompressor() override {
    if (is_open_) {
      inflateEnd(&stream_);
    }
  }
  GzipDecompressor(const GzipDecompressor&) = delete;
  GzipDecompressor& operator=(const GzipDecompressor&) = delete;

  bool open() {
    is_open_ = inflateInit2(&stream_, kGzipOnly) == Z_OK;
    return is_open_;
  }

  Result<Step> step(std::span<const std::byte> in, std::span<std::byte> out) override {
    if (in.empty() && is_complete_) {
      return Step{};
    }
    if (is_complete_) {
      static_cast<void>(inflateReset(&stream_));  // fails for a broken stream only, which open() excludes
      is_complete_ = false;
    }
    // zlib's interface is not const; it only reads the input.
    stream_.next_in = const_cast<Bytef*>(  // NOLINT(cppcoreguidelines-pro-type-const-cast)
        reinterpret_cast<const Bytef*>(in.data()));
    stream_.avail_in = static_cast<uInt>(std::min(in.size(), kPartMax));
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min(out.size(), kPartMax));
    const uInt in_before = stream_.avail_in;
    const uInt out_before = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return bad_data(
          fmt::format("damaged gzip data ({})", stream_.msg != nullptr ? stream_.msg : "no reason given"));
    }
    is_complete_ = code == Z_STREAM_END;
    return Step{in_before - stream_.avail_in, out_before - stream_.avail_out};
  }

  bool is_complete() const override { return is_complete_; }

 private:
  z_stream stream_ = {};
  bool is_open_ = false;
  bool is_complete_ = false;
};

}  // namespace

Result<std::unique_ptr<Decompressor>> make_gzip_decompressor() {
  auto decompressor = std::make_unique<GzipDecompressor>();
  if (!decompressor->open()) {
    return Status(StatusCode::kTransient, "no memory for a gzip decoder");
  }
  return std::unique_ptr<Decompressor>(std::move(decompressor));
}

}  // namespace cairn
