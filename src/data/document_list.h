// Lists of what must not be trained on (robots.txt results, deletion requests, licences), held against the origins of
// documents. A list is text: one entry a line; blank lines and lines that begin with # do not count.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"
#include "formats/document_origins.h"

namespace cairn::data {

enum class ListKind : std::uint8_t {
  kDomains,    // "example.org": that host and every host below it
  kUrls,       // the whole URL; case of scheme and host, and what follows '#', do not count
  kDocuments,  // numbers of documents in the shard, from 0
  kValues,     // exact values of a column
};
std::string_view list_kind_name(ListKind kind);  // domains, urls, documents, values

struct ListRequest {
  ListKind kind = ListKind::kDomains;
  std::string path;
  std::string column = "url";  // that domains, URLs or values are looked for in
};

// The host of a URL in lower case, without user and port; empty when it has none.
std::string host_of(std::string_view url);

// Immutable after read(); thread-safe.
class DocumentList {
 public:
  // kNoInput when missing; kBadData listing every line that is no entry of the kind; kBadConfig when the origins have no such
  // column. `num_documents` of the shard.
  static Result<DocumentList> read(FileSystem& files, const ListRequest& request, const OriginNames& names,
                                   std::int64_t num_documents);

  // The entry that names the document: index into entries(), or -1. `index` counts inside the block.
  std::int64_t find(std::int64_t document, const OriginsBlock& block, std::int64_t index) const;
  const std::vector<std::string>& entries() const { return entries_; }
  const ListRequest& request() const { return request_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::int64_t lookup(std::string_view key) const;
  std::int64_t lookup_host(std::string_view host) const;

  ListRequest request_;
  std::int64_t column_ = -1;
  std::vector<std::string> entries_;  // as they were written
  std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> by_key_;
};

}  // namespace cairn::data
