#include "data/shard_check.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "data/token_shard.h"
#include "formats/document_origins.h"
#include "formats/token_index.h"

namespace cairn::data {
namespace {

constexpr std::size_t kFaultsMax = 20;
constexpr std::int64_t kReadTokens = std::int64_t{1} << 16;
constexpr std::int64_t kReadBytes = std::int64_t{1} << 20;

void add_fault(ShardCheck& check, std::string text) {
  ++check.num_faults;
  if (check.faults.size() < kFaultsMax) {
    check.faults.push_back(std::move(text));
  }
}

class Checker {
 public:
  Checker(const TokenShard& shard, const ShardCheckRequest& request) : shard_(shard), request_(request) {
    check.num_documents = shard.index().num_documents();
    check.num_tokens = shard.num_tokens();
    check.fingerprint = shard.fingerprint();
  }

  void read_ids(const ShardObserver& observer) {
    std::int64_t done = 0;
    for (std::int64_t sequence = 0; sequence < shard_.num_sequences(); ++sequence) {
      const std::int64_t length = shard_.index().lengths[static_cast<std::size_t>(sequence)];
      read_sequence(sequence, length);
      done += length;
      observer(done, shard_.num_tokens());
    }
    if (request_.eos_id && check.without_eos > 0 && check.without_eos < num_filled_) {
      add_fault(fmt::format(
          "{}: {} of {} documents do not end with EOS ({}); the first is document {}, which ends at byte {}",
          shard_.bin_path(), check.without_eos, num_filled_, *request_.eos_id, first_without_eos_,
          first_without_eos_byte_));
    }
  }

  void read_origins(FileSystem& files, const std::string& path) {
    if (!files.exists(path)) {
      return;
    }
    check.has_origins = true;
    const Result<DocumentOrigins> origins = DocumentOrigins::open(files, path);
    if (!origins.ok()) {
      add_fault(origins.status().message());
      return;
    }
    if (origins->num_documents() != check.num_documents || origins->num_tokens() != check.num_tokens ||
        shard_.num_sequences() != check.num_documents) {
      add_fault(fmt::format("{}: of {} documents and {} tokens, but the shard has {} and {}", path,
                            origins->num_documents(), origins->num_tokens(), check.num_documents,
                            check.num_tokens));
      return;
    }
    const Result<std::unique_ptr<ReadableFile>> bin = files.open(shard_.bin_path());
    for (std::size_t b = 0; bin.ok() && b < origins->blocks().size(); ++b) {
      check_block(*origins, b, **bin);
    }
  }

  ShardCheck check;

  void add_fault(std::string text) { data::add_fault(check, std::move(text)); }

 private:
  void read_sequence(std::int64_t sequence, std::int64_t length) {
    ids_.resize(static_cast<std::size_t>(kReadTokens));
    std::int32_t last = -1;
    for (std::int64_t offset = 0; offset < length; offset += kReadTokens) {
      const auto part =
          std::span(ids_).first(static_cast<std::size_t>(std::min(kReadTokens, length - offset)));
      const Status status = shard_.read(sequence, offset, request_.vocab_size, part);
      if (!status.ok()) {
        add_fault(status.message());
        return;
      }
      check.largest_id = std::max(check.largest_id, *std::max_element(part.begin(), part.end()));
      last = part.back();
    }
    if (length == 0) {
      ++check.empty_documents;
      return;
    }
    ++num_filled_;
    if (request_.eos_id && last != *request_.eos_id && check.without_eos++ == 0) {
      first_without_eos_ = sequence;
      first_without_eos_byte_ = shard_.index().offsets[static_cast<std::size_t>(sequence)] +
                                length * token_type_size(shard_.index().type);
    }
  }

  void check_block(const DocumentOrigins& origins, std::size_t b, const ReadableFile& bin) {
    const Result<OriginsBlock> block = origins.read_block(static_cast<std::int64_t>(b));
    if (!block.ok()) {
      add_fault(block.status().message());
      return;
    }
    const OriginsBlockFacts& facts = origins.blocks()[b];
    const TokenIndex& index = shard_.index();
    const auto last = static_cast<std::size_t>(facts.first_document + block->num_documents() - 1);
    std::int64_t at = index.offsets[static_cast<std::size_t>(facts.first_document)];
    const std::int64_t begin = at;
    const std::int64_t end = index.offsets[last] + index.lengths[last] * token_type_size(index.type);
    Hasher hasher;
    for (; at < end; at += kReadBytes) {
      bytes_.resize(static_cast<std::size_t>(std::min(kReadBytes, end - at)));
      const Status status = bin.read(at, bytes_);
      if (!status.ok()) {
        add_fault(status.message());
        return;
      }
      hasher.update(bytes_);
    }
    if (hasher.digest().low != facts.tokens_checksum) {
      add_fault(fmt::format("{}: the ids from byte {} to {} are not those that were written (checksum)",
                            shard_.bin_path(), begin, end));
    }
  }

  const TokenShard& shard_;
  const ShardCheckRequest& request_;
  std::vector<std::int32_t> ids_;
  std::vector<std::byte> bytes_;
  std::int64_t num_filled_ = 0;
  std::int64_t first_without_eos_ = 0;
  std::int64_t first_without_eos_byte_ = 0;
};

// What can be said of a shard whose index is damaged.
ShardCheck check_without_index(FileSystem& files, const std::string& prefix, const Status& why) {
  ShardCheck check;
  for (std::string& fault : list_token_index_faults(files, prefix + ".idx", prefix + ".bin")) {
    add_fault(check, std::move(fault));
  }
  if (check.num_faults == 0) {
    add_fault(check, why.message());
  }
  const std::string path = prefix + ".origins";
  check.has_origins = files.exists(path);
  if (!check.has_origins) {
    return check;
  }
  const Result<DocumentOrigins> origins = DocumentOrigins::open(files, path);
  if (!origins.ok()) {
    add_fault(check, origins.status().message());
    return check;
  }
  for (std::size_t b = 0; b < origins->blocks().size(); ++b) {
    const Result<OriginsBlock> block = origins->read_block(static_cast<std::int64_t>(b));
    if (!block.ok()) {
      add_fault(check, block.status().message());
    }
  }
  return check;
}

}  // namespace

Result<ShardCheck> check_shard(FileSystem& files, const ShardCheckRequest& request,
                               const ShardObserver& observer) {
  const Result<TokenShard> shard = TokenShard::open(files, request.prefix);
  if (shard.status().code() == StatusCode::kBadData) {
    return check_without_index(files, request.prefix, shard.status());
  }
  TRY(shard.status());
  Checker checker(*shard, request);
  checker.read_ids(observer);
  checker.read_origins(files, request.prefix + ".origins");
  return checker.check;
}

}  // namespace cairn::data
