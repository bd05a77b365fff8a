#include "data/token_shard_writer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "doors/path.h"

namespace cairn::data {
namespace {

// Megatron keeps ids in uint16 when the vocabulary is below this.
constexpr std::int64_t kUint16VocabularyEnd = 65'500;
constexpr std::size_t kBufferBytes = std::size_t{4} << 20;
constexpr std::size_t kDirectBytes = std::size_t{256} << 10;  // so many at once are written as they come
constexpr std::size_t kLengthBuffer = std::size_t{1} << 16;
constexpr std::int64_t kLengthBytes = sizeof(std::int32_t);
constexpr std::int64_t kDirectoryEntryBytes = 40;
constexpr std::string_view kLock = "lock";
constexpr std::array<std::string_view, 2> kBeforeIndex = {"origins", "bin"};  // renamed before the index

std::string final_name(const std::string& prefix, std::string_view part) {
  return fmt::format("{}.{}", prefix, part);
}

Status refuse_existing(FileSystem& files, const std::string& prefix) {
  for (const std::string_view name : {"bin", "idx", "origins"}) {
    if (files.exists(final_name(prefix, name))) {
      return cannot_write(fmt::format("{} exists; a shard is never overwritten", final_name(prefix, name)));
    }
  }
  return ok_status();
}

// Makes the folders that are missing and their entries durable.
Status make_durable_directories(FileSystem& files, const std::string& path) {
  std::vector<std::string> parents;  // of the folders that will be new
  for (std::string at = path; at != "." && at != "/" && !files.exists(at); at = parent_path(at)) {
    parents.push_back(parent_path(at));
  }
  TRY(files.make_directories(path));
  for (const std::string& parent : parents) {
    TRY(files.sync_directory(parent));
  }
  return ok_status();
}

void append_as_uint16(std::span<const std::int32_t> ids, std::vector<std::byte>& bytes) {
  std::array<std::uint16_t, 1024> part;
  while (!ids.empty()) {
    const std::size_t count = std::min(part.size(), ids.size());
    std::transform(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), part.begin(),
                   [](std::int32_t id) { return static_cast<std::uint16_t>(id); });
    const auto added = std::as_bytes(std::span(part).first(count));
    bytes.insert(bytes.end(), added.begin(), added.end());
    ids = ids.subspan(count);
  }
}

}  // namespace

TokenType token_type_for_vocabulary(std::int64_t vocab_size) {
  return vocab_size < kUint16VocabularyEnd ? TokenType::kUint16 : TokenType::kInt32;
}

Status append_token_bytes(std::span<const std::int32_t> ids, std::int64_t vocab_size,
                          std::vector<std::byte>& bytes) {
  // One pass that vectorises; which id it was is asked only when there is one. A negative id is a huge unsigned one.
  std::uint32_t largest = 0;
  for (const std::int32_t id : ids) {
    largest = std::max(largest, static_cast<std::uint32_t>(id));
  }
  if (!ids.empty() && largest >= vocab_size) {
    const auto wrong =
        std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) { return id < 0 || id >= vocab_size; });
    return bad_data(fmt::format("token id {} is outside the vocabulary of {}", *wrong, vocab_size));
  }
  if (token_type_for_vocabulary(vocab_size) == TokenType::kUint16) {
    append_as_uint16(ids, bytes);
  } else {
    const auto added = std::as_bytes(ids);
    bytes.insert(bytes.end(), added.begin(), added.end());
  }
  return ok_status();
}

std::string partial_folder(const std::string& prefix) {
  return prefix + ".partial";
}

std::string progress_file(const std::string& prefix) {
  return join_path(partial_folder(prefix), "progress.json");
}

TokenShardWriter::TokenShardWriter(FileSystem& files, std::string prefix, std::int64_t vocab_size)
    : files_(&files),
      prefix_(std::move(prefix)),
      vocab_size_(vocab_size),
      type_(token_type_for_vocabulary(vocab_size)) {}

TokenShardWriter::TokenShardWriter(TokenShardWriter&& other) noexcept
    : files_(other.files_),
      prefix_(std::move(other.prefix_)),
      vocab_size_(other.vocab_size_),
      type_(other.type_),
      lock_(std::move(other.lock_)),
      bin_(std::move(other.bin_)),
      lengths_(std::move(other.lengths_)),
      origins_(std::move(other.origins_)),
      buffer_(std::move(other.buffer_)),
      length_buffer_(std::move(other.length_buffer_)),
      num_documents_(other.num_documents_),
      num_tokens_(other.num_tokens_),
      is_kept_(other.is_kept_),
      is_finished_(std::exchange(other.is_finished_, true)) {}

TokenShardWriter::~TokenShardWriter() {
  if (!is_finished_ && !is_kept_) {
    bin_.reset();
    lengths_.reset();
    origins_.reset();
    Status ignored = remove_rubbish();  // cleaning up after an error that was told
    ignored = files_->remove_tree(partial_folder(prefix_));
    static_cast<void>(ignored);
  }
}

std::string TokenShardWriter::part(std::string_view name) const {
  return join_path(partial_folder(prefix_), name);
}

// The folder, locked.
Result<TokenShardWriter> TokenShardWriter::open(FileSystem& files, const std::string& prefix,
                                                std::int64_t vocab_size) {
  TRY(make_durable_directories(files, partial_folder(prefix)));
  TokenShardWriter writer(files, prefix, vocab_size);
  writer.is_kept_ = true;  // until it is known whose work this is
  TRY_ASSIGN(writer.lock_, files.lock(writer.part(kLock), fmt::format("a writer of {}", prefix)));
  return writer;
}

// What a killed writer left behind is no shard: the files of its folder, and what got its name when the .idx, which comes
// last, did not. A .bin beside no such folder is somebody else's.
Status TokenShardWriter::remove_rubbish() {
  const bool was_publishing = files_->exists(part("idx")) && !files_->exists(final_name(prefix_, "idx"));
  for (const std::string_view name : kBeforeIndex) {
    if (was_publishing && !files_->exists(part(name)) && files_->exists(final_name(prefix_, name))) {
      TRY(files_->remove_file(final_name(prefix_, name)));
    }
  }
  if (was_publishing) {
    TRY(files_->sync_directory(parent_path(prefix_)));  // before the index, which is how they were known
  }
  if (files_->exists(part("idx"))) {
    TRY(files_->remove_file(part("idx")));
  }
  TRY_ASSIGN(const std::vector<std::string> names, files_->list(partial_folder(prefix_)));
  for (const std::string& name : names) {
    if (name != kLock) {
      TRY(files_->remove_file(part(name)));
    }
  }
  return ok_status();
}

Status TokenShardWriter::open_files(std::optional<OriginNames> origins, const Position& position) {
  TRY_ASSIGN(bin_, files_->append_to(part("bin")));
  TRY_ASSIGN(lengths_, files_->append_to(part("lengths")));
  num_documents_ = position.num_documents;
  num_tokens_ = position.num_tokens;
  if (origins) {
    TRY_ASSIGN(std::unique_ptr<WritableFile> blocks, files_->append_to(part("origins")));
    TRY_ASSIGN(std::unique_ptr<WritableFile> directory, files_->append_to(part("directory")));
    origins_.emplace(std::move(*origins), std::move(blocks), std::move(directory), position);
  }
  return ok_status();
}

Result<TokenShardWriter> TokenShardWriter::create(FileSystem& files, const std::string& prefix,
                                                  std::int64_t vocab_size,
                                                  std::optional<OriginNames> origins) {
  TRY_ASSIGN(TokenShardWriter writer, open(files, prefix, vocab_size));
  if (files.exists(progress_file(prefix))) {
    return cannot_write(
        fmt::format("{} holds unfinished work that `cairn data tokenize` can go on with; run that again, "
                    "or remove the folder",
                    partial_folder(prefix)));
  }
  writer.is_kept_ = false;
  TRY(writer.remove_rubbish());
  TRY(refuse_existing(files, prefix));
  TRY(writer.open_files(std::move(origins), {}));
  if (writer.origins_) {
    TRY(writer.origins_->begin());
  }
  return writer;
}

Result<TokenShardWriter> TokenShardWriter::resume(FileSystem& files, const std::string& prefix,
                                                  std::int64_t vocab_size, OriginNames origins,
                                                  const Position& committed) {
  TRY_ASSIGN(TokenShardWriter writer, open(files, prefix, vocab_size));
  const auto part = [&](std::string_view name) { return writer.part(name); };
  if (files.exists(part("idx")) &&
      !files.exists(final_name(prefix, "idx"))) {  // killed while publishing: back
    for (const std::string_view name : kBeforeIndex) {
      if (!files.exists(part(name)) && files.exists(final_name(prefix, name))) {
        TRY(files.rename(final_name(prefix, name), part(name)));
      }
    }
    TRY(files.remove_file(part("idx")));
  }
  TRY(refuse_existing(files, prefix));
  TRY(files.cut_file(part("bin"), committed.num_tokens * token_type_size(writer.type_)));
  TRY(files.cut_file(part("lengths"), committed.num_documents * kLengthBytes));
  TRY(files.cut_file(part("origins"), committed.num_bytes));
  TRY(files.cut_file(part("directory"), committed.num_blocks * kDirectoryEntryBytes));
  TRY(writer.open_files(std::move(origins), committed));
  return writer;
}

Status TokenShardWriter::add_document(std::span<const std::int32_t> ids) {
  if (ids.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return bad_data(fmt::format("a document of {} tokens does not fit the index", ids.size()));
  }
  std::vector<std::byte> bytes;
  TRY(append_token_bytes(ids, vocab_size_, bytes));
  const auto length = static_cast<std::int32_t>(ids.size());
  return add_documents(bytes, std::span(&length, 1));
}

Status TokenShardWriter::add_documents(std::span<const std::byte> bytes,
                                       std::span<const std::int32_t> lengths) {
  CHECK(!is_finished_, "the shard is finished");
  std::int64_t num_tokens = 0;
  for (const std::int32_t length : lengths) {
    num_tokens += length;
  }
  CHECK(num_tokens * token_type_size(type_) == static_cast<std::int64_t>(bytes.size()),
        "lengths are of other bytes");
  if (bytes.size() >= kDirectBytes) {  // a copy first would be no help
    TRY(flush());
    TRY(bin_->append(bytes));
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
  length_buffer_.insert(length_buffer_.end(), lengths.begin(), lengths.end());
  num_documents_ += static_cast<std::int64_t>(lengths.size());
  num_tokens_ += num_tokens;
  if (origins_) {
    origins_->add_tokens(bytes, num_tokens);
  }
  return buffer_.size() >= kBufferBytes || length_buffer_.size() >= kLengthBuffer ? flush() : ok_status();
}

Status TokenShardWriter::add_origin(std::int64_t source, std::int64_t offset,
                                    std::span<const std::string_view> columns) {
  CHECK(origins_.has_value(), "a shard without origins");
  return origins_->add(source, offset, columns);
}

Status TokenShardWriter::end_block() {
  CHECK(origins_.has_value(), "a shard without origins");
  return origins_->end_block();
}

Status TokenShardWriter::flush() {
  TRY(bin_->append(buffer_));
  TRY(lengths_->append(std::as_bytes(std::span(length_buffer_))));
  buffer_.clear();
  length_buffer_.clear();
  return ok_status();
}

Result<TokenShardWriter::Position> TokenShardWriter::commit() {
  CHECK(
      origins_ && origins_->documents_in_block() == 0 && origins_->position().num_documents == num_documents_,
      "a commit without all origins");
  TRY(flush());
  TRY(bin_->sync());
  TRY(lengths_->sync());
  TRY(origins_->sync());
  TRY(files_->sync_directory(partial_folder(prefix_)));
  return origins_->position();
}

Status TokenShardWriter::write_index() {
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> lengths, files_->open(part("lengths")));
  CHECK(lengths->size() == num_documents_ * kLengthBytes, "a length for each document");
  TRY_ASSIGN(const std::unique_ptr<WritableFile> idx, files_->create(part("idx")));
  TRY(write_token_index(*idx, type_, *lengths));
  TRY(idx->sync());
  return idx->close();
}

Status TokenShardWriter::publish() {
  const std::string folder = parent_path(prefix_);
  TRY(files_->sync_directory(
      partial_folder(prefix_)));  // a .bin beside such an index is known to be unfinished
  for (const std::string_view name : kBeforeIndex) {
    if (name != "origins" || origins_) {
      TRY(files_->rename(part(name), final_name(prefix_, name)));
    }
  }
  TRY(files_->sync_directory(folder));
  TRY(files_->rename(part("idx"), final_name(prefix_, "idx")));
  is_finished_ = true;
  TRY(files_->sync_directory(folder));
  return files_->remove_tree(partial_folder(prefix_));
}

Status TokenShardWriter::finish() {
  CHECK(!is_finished_, "the shard is finished");
  TRY(refuse_existing(*files_, prefix_));
  TRY(flush());
  TRY(bin_->sync());
  TRY(bin_->close());
  TRY(lengths_->close());
  if (origins_) {
    TRY(origins_->end_block());
    CHECK(origins_->position().num_documents == num_documents_, "an origin for each document");
    TRY_ASSIGN(const std::unique_ptr<ReadableFile> directory, files_->open(part("directory")));
    TRY(origins_->finish(*directory));
  }
  TRY(write_index());
  return publish();
}

}  // namespace cairn::data
