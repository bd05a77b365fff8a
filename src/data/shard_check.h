// Reads a whole shard and finds what is wrong with it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn::data {

struct ShardCheckRequest {
  std::string prefix;
  std::int64_t vocab_size = std::int64_t{1} << 31;
  std::optional<std::int32_t> eos_id;  // that documents end with
};

struct ShardCheck {
  std::int64_t num_documents = 0;
  std::int64_t num_tokens = 0;
  std::int32_t largest_id = -1;
  std::int64_t empty_documents = 0;
  std::int64_t without_eos =
      0;  // of the documents with tokens; all of them: the shard was made so, which is no fault
  bool has_origins = false;  // without them there are no checksums of the ids
  std::string fingerprint;
  std::vector<std::string> faults;  // each with file and byte; the first 20
  std::int64_t num_faults = 0;
};

// Told now and then: units of work done, and of all.
using ShardObserver = std::function<void(std::int64_t done, std::int64_t total)>;

// An error only when a file of the shard is not there or cannot be read. When the index is damaged, its faults and those of
// the origins by themselves are listed: without lengths, nothing can be said of the ids. `observer`: tokens read.
Result<ShardCheck> check_shard(FileSystem& files, const ShardCheckRequest& request,
                               const ShardObserver& observer);

}  // namespace cairn::data
