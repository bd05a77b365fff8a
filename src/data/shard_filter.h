// A shard without the documents that lists name, and a report of what went and why. The shard itself is never changed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/document_list.h"
#include "doors/file_system.h"

namespace cairn::data {

struct FilterRequest {
  std::string prefix;
  std::string out;                 // prefix of the new shard
  std::vector<ListRequest> lists;  // the first that names a document is its reason
};

struct FilterReason {
  ListRequest list;
  std::int64_t entries = 0;
  std::int64_t entries_used = 0;  // that named a document
  std::int64_t documents = 0;
  std::int64_t tokens = 0;
};

struct FilterReport {
  std::int64_t documents_before = 0;
  std::int64_t tokens_before = 0;
  std::int64_t documents_kept = 0;
  std::int64_t tokens_kept = 0;
  std::vector<FilterReason> reasons;  // one a list
};

// Writes OUT.bin, .idx and .origins, OUT.removed.tsv (document of the old shard, tokens, list, entry: a line for each that went)
// and OUT.filter.json (the report). The tokens are held against the checksums of the origins on the way: kBadData naming
// file and byte where they differ. kNoInput when the shard has no origins, kCannotWrite when OUT exists, kBadData when no
// document would be left. `observer`: documents done, of how many.
Result<FilterReport> filter_shard(FileSystem& files, const FilterRequest& request,
                                  const std::function<void(std::int64_t done, std::int64_t total)>& observer);

std::string filter_report_json(const FilterRequest& request, const FilterReport& report);

}  // namespace cairn::data
