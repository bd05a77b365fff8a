#include "data/index_cache.h"

#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "doors/path.h"

namespace cairn::data {
namespace {

constexpr std::array<char, 8> kMagic = {'C', 'A', 'I', 'R', 'N', 'I', 'X', '1'};
constexpr std::size_t kArraysMax = 4;
constexpr std::size_t kAlignment = 64;
constexpr std::int64_t kWaitNs = 20'000'000;
constexpr std::int64_t kWaitMaxNs = 24 * 3600 * kNsPerSecond;

// The first bytes of a file, little endian as everything here; followed by the arrays, each at a multiple of 64 bytes.
struct Header {
  std::array<char, 8> magic;
  std::uint64_t num_arrays;
  Hash128 key;
  std::array<std::uint64_t, kArraysMax> num_bytes;
  std::array<Hash128, kArraysMax> checksums;
  Hash128 header_checksum;  // of all of the above
};
static_assert(sizeof(Header) % 8 == 0);

std::size_t aligned(std::size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

Hash128 header_checksum(const Header& header) {
  return xxh3_128(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, header_checksum)));
}

}  // namespace

IndexCache::IndexCache(FileSystem& files, Clock& clock, std::string folder)
    : files_(files), clock_(clock), folder_(std::move(folder)) {}

Result<IndexArrays> IndexCache::load_or_make(const std::string& kind, const Hash128& key, const Make& make) {
  if (folder_.empty()) {
    return make();
  }
  const std::string path = fmt::format("{}/{}-{}.index", folder_, kind, key.to_hex());
  if (files_.exists(path)) {
    return load(path, key);
  }
  std::unique_ptr<FileLock> lock;
  if (files_.exists(folder_) || files_.make_directories(folder_).ok()) {
    Result<std::unique_ptr<FileLock>> waited = lock_or_file(path);
    if (waited.ok()) {
      lock = std::move(waited).value();
    } else if (waited.status().code() == StatusCode::kTransient) {
      return waited.status();
    }
  }
  if (files_.exists(path)) {  // made by the process that was waited for
    lock = nullptr;           // reading and verifying it is no reason for others to wait
    return load(path, key);
  }
  TRY_ASSIGN(IndexArrays made, make());
  const Status written =
      lock ? write(path, key, made) : cannot_write(fmt::format("'{}' cannot be used for indices", folder_));
  if (!written.ok()) {
    notes_.push_back(fmt::format("an index is not kept and will be made again: {}", written.message()));
    return made;
  }
  made = {};  // twice the memory otherwise
  return load(path, key);
}

Result<std::unique_ptr<FileLock>> IndexCache::lock_or_file(const std::string& path) {
  const std::int64_t begin_ns = clock_.monotonic_ns();
  while (true) {
    Result<std::unique_ptr<FileLock>> lock = files_.lock(path + ".lock", "a process that makes this index");
    const bool is_over = clock_.monotonic_ns() - begin_ns > kWaitMaxNs;
    if (lock.ok() || lock.status().code() != StatusCode::kTransient || is_over) {
      return lock;
    }
    if (files_.exists(path)) {
      return std::unique_ptr<FileLock>();
    }
    clock_.sleep_for_ns(kWaitNs);
  }
}

Status IndexCache::write(const std::string& path, const Hash128& key, const IndexArrays& arrays) const {
  CHECK(arrays.arrays.size() <= kArraysMax, "an index file has few arrays");
  Header header = {};
  header.magic = kMagic;
  header.num_arrays = arrays.arrays.size();
  header.key = key;
  for (std::size_t i = 0; i < arrays.arrays.size(); ++i) {
    header.num_bytes[i] = arrays.arrays[i].size();
    header.checksums[i] = xxh3_128(arrays.arrays[i]);
  }
  header.header_checksum = header_checksum(header);
  const std::string temporary = path + ".tmp";
  if (files_.exists(temporary)) {  // of a process that died; this one holds the lock
    TRY(files_.remove_file(temporary));
  }
  TRY_ASSIGN(const std::unique_ptr<WritableFile> file, files_.create(temporary));
  const std::array<std::byte, kAlignment> zeros{};
  const auto append = [&](std::span<const std::byte> bytes) -> Status {
    TRY(file->append(bytes));
    return file->append(std::span(zeros).first(aligned(bytes.size()) - bytes.size()));
  };
  TRY(append(std::as_bytes(std::span(&header, 1))));
  for (const auto& array : arrays.arrays) {
    TRY(append(array));
  }
  TRY(file->sync());
  TRY(file->close());
  TRY(files_.rename(temporary, path));
  return files_.sync_directory(folder_);
}

Result<IndexArrays> IndexCache::load(const std::string& path, const Hash128& key) const {
  TRY_ASSIGN(std::unique_ptr<MappedFile> mapped, files_.map(path));
  const std::shared_ptr<const MappedFile> file(std::move(mapped));
  const std::span<const std::byte> bytes = file->bytes();
  const auto damage = [&](const std::string& what) {
    return bad_data(fmt::format("'{}' is damaged ({}); remove it, it is made again", path, what));
  };
  Header header = {};
  if (bytes.size() < sizeof header) {
    return damage(fmt::format("{} bytes are too few", bytes.size()));
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic || header.header_checksum != header_checksum(header) || !(header.key == key) ||
      header.num_arrays > kArraysMax) {
    return damage("its first bytes are not those of this index");
  }
  IndexArrays arrays;
  std::size_t offset = aligned(sizeof header);
  for (std::size_t i = 0; i < header.num_arrays; ++i) {
    const std::size_t size = header.num_bytes[i];
    if (offset > bytes.size() || size > bytes.size() - offset) {
      return damage(fmt::format("it ends at byte {}, inside array {}", bytes.size(), i));
    }
    arrays.arrays.push_back(bytes.subspan(offset, size));
    if (!(xxh3_128(arrays.arrays.back()) == header.checksums[i])) {
      return damage(
          fmt::format("the checksum of the array at bytes {} to {} is another", offset, offset + size));
    }
    offset = aligned(offset + size);
  }
  arrays.storage = file;
  return arrays;
}

}  // namespace cairn::data
