// Lists of documents, as opt-outs and deletion requests come: a document a line, by number, URL or domain.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn::train {

struct ListedDocument {
  std::string name;  // the line of the list
  std::string source;
  std::int64_t document = 0;
};

// What a list names in the shards `sources`:
//   12 or PREFIX:12     a document by its number (without a prefix: of the only source)
//   https://a.b/c       documents whose column "url" says just that
//   a.b                 documents whose URL is on that host or on one below it
// '#' begins a comment line; lines without a match are kept in `unmatched`. URLs and domains need PREFIX.origins beside
// every shard. kUsage naming the line; kNoInput and kBadData naming the file.
struct DocumentList {
  std::vector<ListedDocument> documents;
  std::vector<std::string> unmatched;
};
Result<DocumentList> resolve_document_list(FileSystem& files, std::string_view text,
                                           const std::vector<std::string>& sources);

// "PREFIX:12", or "12" where there is one source. kUsage otherwise.
Result<ListedDocument> parse_document_name(const std::string& text, const std::vector<std::string>& sources);

// "https://user@Www.Example.org:8080/x" -> "www.example.org"; "" where there is none.
std::string host_of(std::string_view url);

}  // namespace cairn::train
