#include "data/shard_filter.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "data/token_shard.h"
#include "data/token_shard_writer.h"
#include "doors/path.h"
#include "formats/document_origins.h"
#include "formats/json.h"

namespace cairn::data {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{1} << 20;

// A vocabulary that has the shard's element type; the ids are copied as they are.
std::int64_t vocabulary_for(TokenType type) {
  return type == TokenType::kUint16 ? 65'499 : std::int64_t{1} << 31;
}

// OUT.removed.tsv, under a temporary name until the new shard is about to be. Without OUT.idx an older one is of no shard.
class RemovedList {
 public:
  static Result<RemovedList> create(FileSystem& files, const std::string& out) {
    const std::string path = out + ".removed.tsv";
    RemovedList list(files, path);
    if (files.exists(list.temporary())) {
      TRY(files.remove_file(list.temporary()));  // of a killed filter
    }
    TRY_ASSIGN(list.file_, files.create(list.temporary()));
    list.buffer_ = "document\ttokens\tlist\tentry\n";
    return list;
  }

  Status add(std::int64_t document, std::int64_t tokens, const DocumentList& list, std::int64_t entry) {
    buffer_ += fmt::format("{}\t{}\t{}\t{}\n", document, tokens, list.request().path,
                           list.entries()[static_cast<std::size_t>(entry)]);
    return buffer_.size() < kFlushBytes ? ok_status() : flush();
  }

  Status finish() {
    TRY(flush());
    TRY(file_->sync());
    TRY(file_->close());
    TRY(files_->rename(temporary(), path_));
    return files_->sync_directory(parent_path(path_));
  }

 private:
  RemovedList(FileSystem& files, std::string path) : files_(&files), path_(std::move(path)) {}
  std::string temporary() const { return path_ + ".tmp"; }
  Status flush() {
    TRY(file_->append(std::as_bytes(std::span(buffer_))));
    buffer_.clear();
    return ok_status();
  }

  FileSystem* files_;
  std::string path_;
  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
};

class Filter {
 public:
  Filter(const DocumentOrigins& origins, const TokenShard& shard, std::vector<DocumentList> lists,
         TokenShardWriter writer, RemovedList removed)
      : origins_(origins),
        shard_(shard),
        lists_(std::move(lists)),
        writer_(std::move(writer)),
        removed_(std::move(removed)) {
    for (const DocumentList& list : lists_) {
      used_.emplace_back(list.entries().size(), false);
      report.reasons.push_back({list.request(), static_cast<std::int64_t>(list.entries().size()), 0, 0, 0});
    }
    report.documents_before = origins.num_documents();
    report.tokens_before = origins.num_tokens();
  }

  Status take_block(std::int64_t b, const ReadableFile& bin) {
    TRY_ASSIGN(const OriginsBlock block, origins_.read_block(b));
    TRY(read_tokens(b, block.num_documents(), bin));
    const std::int64_t first = origins_.blocks()[static_cast<std::size_t>(b)].first_document;
    const std::int64_t begin_byte = shard_.index().offsets[static_cast<std::size_t>(first)];
    for (std::int64_t i = 0; i < block.num_documents(); ++i) {
      const std::int64_t document = first + i;
      const std::int32_t length = shard_.index().lengths[static_cast<std::size_t>(document)];
      TRY_ASSIGN(const bool is_removed, remove(document, length, block, i));
      if (is_removed) {
        continue;
      }
      const auto at =
          static_cast<std::size_t>(shard_.index().offsets[static_cast<std::size_t>(document)] - begin_byte);
      const auto size = static_cast<std::size_t>(length * token_type_size(shard_.index().type));
      TRY(writer_.add_documents(std::span<const std::byte>(tokens_).subspan(at, size),
                                std::span(&length, 1)));
      columns_.clear();
      for (std::size_t c = 0; c < origins_.names().columns.size(); ++c) {
        columns_.push_back(block.column(static_cast<std::int64_t>(c), i));
      }
      TRY(writer_.add_origin(block.source(i), block.offset(i), columns_));
    }
    return writer_.end_block();
  }

  Status finish(FileSystem& files, const FilterRequest& request) {
    report.documents_kept = writer_.num_documents();
    report.tokens_kept = writer_.num_tokens();
    if (report.documents_kept == 0) {
      return bad_data(
          fmt::format("{}: the lists name every document, so no shard is written", request.prefix));
    }
    for (std::size_t i = 0; i < used_.size(); ++i) {
      report.reasons[i].entries_used = std::count(used_[i].begin(), used_[i].end(), true);
    }
    TRY(removed_.finish());
    TRY(files.replace_text(request.out + ".filter.json", filter_report_json(request, report)));
    return writer_.finish();
  }

  FilterReport report;

 private:
  // The ids of a block, held against their checksum: what is copied is what was written.
  Status read_tokens(std::int64_t b, std::int64_t num_documents, const ReadableFile& bin) {
    const OriginsBlockFacts& facts = origins_.blocks()[static_cast<std::size_t>(b)];
    const TokenIndex& index = shard_.index();
    const auto last = static_cast<std::size_t>(facts.first_document + num_documents - 1);
    const std::int64_t begin = index.offsets[static_cast<std::size_t>(facts.first_document)];
    const std::int64_t end = index.offsets[last] + index.lengths[last] * token_type_size(index.type);
    tokens_.resize(static_cast<std::size_t>(end - begin));
    TRY(bin.read(begin, tokens_));
    if (xxh3_128(tokens_).low != facts.tokens_checksum) {
      return bad_data(fmt::format("{}: the ids from byte {} to {} are not those that were written (checksum)",
                                  shard_.bin_path(), begin, end));
    }
    return ok_status();
  }

  Result<bool> remove(std::int64_t document, std::int64_t tokens, const OriginsBlock& block, std::int64_t i) {
    for (std::size_t l = 0; l < lists_.size(); ++l) {
      const std::int64_t entry = lists_[l].find(document, block, i);
      if (entry < 0) {
        continue;
      }
      used_[l][static_cast<std::size_t>(entry)] = true;
      ++report.reasons[l].documents;
      report.reasons[l].tokens += tokens;
      TRY(removed_.add(document, tokens, lists_[l], entry));
      return true;
    }
    return false;
  }

  const DocumentOrigins& origins_;
  const TokenShard& shard_;
  std::vector<DocumentList> lists_;
  TokenShardWriter writer_;
  RemovedList removed_;
  std::vector<std::vector<bool>> used_;  // entries of each list
  std::vector<std::byte> tokens_;
  std::vector<std::string_view> columns_;
};

}  // namespace

std::string filter_report_json(const FilterRequest& request, const FilterReport& report) {
  Json reasons = Json::array();
  for (const FilterReason& reason : report.reasons) {
    reasons.push_back({{"list", reason.list.path},
                       {"kind", list_kind_name(reason.list.kind)},
                       {"column", reason.list.kind == ListKind::kDocuments ? "" : reason.list.column},
                       {"entries", reason.entries},
                       {"entries_used", reason.entries_used},
                       {"documents", reason.documents},
                       {"tokens", reason.tokens}});
  }
  return json_to_text(Json{{"shard", request.prefix},
                           {"out", request.out},
                           {"documents_before", report.documents_before},
                           {"tokens_before", report.tokens_before},
                           {"documents_kept", report.documents_kept},
                           {"tokens_kept", report.tokens_kept},
                           {"removed", reasons}},
                      2) +
         "\n";
}

Result<FilterReport> filter_shard(
    FileSystem& files, const FilterRequest& request,
    const std::function<void(std::int64_t done, std::int64_t total)>& observer) {
  TRY_ASSIGN(const TokenShard shard, TokenShard::open(files, request.prefix));
  const std::string origins_path = request.prefix + ".origins";
  if (!files.exists(origins_path)) {
    return no_input(fmt::format(
        "{} is not there, so nobody knows where the documents of {} came from; make the shard from its text "
        "with `cairn data tokenize`, which writes it",
        origins_path, request.prefix));
  }
  TRY_ASSIGN(const DocumentOrigins origins, DocumentOrigins::open(files, origins_path));
  if (shard.num_sequences() != origins.num_documents() ||
      shard.index().num_documents() != origins.num_documents() ||
      shard.num_tokens() != origins.num_tokens()) {
    return bad_data(fmt::format("{0}.origins is of {1} documents and {2} tokens, {0}.idx of {3} and {4}",
                                request.prefix, origins.num_documents(), origins.num_tokens(),
                                shard.num_sequences(), shard.num_tokens()));
  }
  std::vector<DocumentList> lists;
  for (const ListRequest& list : request.lists) {
    TRY_ASSIGN(DocumentList read, DocumentList::read(files, list, origins.names(), origins.num_documents()));
    lists.push_back(std::move(read));
  }
  TRY_ASSIGN(
      TokenShardWriter writer,
      TokenShardWriter::create(files, request.out, vocabulary_for(shard.index().type), origins.names()));
  TRY_ASSIGN(RemovedList removed, RemovedList::create(files, request.out));
  Filter filter(origins, shard, std::move(lists), std::move(writer), std::move(removed));
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> bin, files.open(shard.bin_path()));
  for (std::size_t b = 0; b < origins.blocks().size(); ++b) {
    TRY(filter.take_block(static_cast<std::int64_t>(b), *bin));
    const bool is_last = b + 1 == origins.blocks().size();
    observer(is_last ? origins.num_documents() : origins.blocks()[b + 1].first_document,
             origins.num_documents());
  }
  TRY(filter.finish(files, request));
  return filter.report;
}

}  // namespace cairn::data
