// What lets `cairn data tokenize` go on after a kill: what the work is and how far it has come, beside the growing files in
// PREFIX.partial. Both files are JSON; the progress is replaced whole at each commit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "data/document_splitter.h"
#include "data/text_batch.h"
#include "data/text_input.h"
#include "data/token_shard_writer.h"
#include "doors/file_system.h"

namespace cairn::data {

// Everything that the output depends on.
struct TokenizeWork {
  std::vector<std::pair<std::string, std::string>> settings;  // name and value, always in the same order
  std::vector<TextInput> inputs;
};

struct TokenizeProgress {
  TextPlace place;  // the first text that is not in the shard
  TokenShardWriter::Position shard;
  DocumentCounts counts;
  std::vector<std::int64_t> filled;  // documents with something in each column
};

// Begins the journal. REQUIRES the partial folder.
Status begin_tokenize_journal(FileSystem& files, const std::string& prefix, const TokenizeWork& work);
// Makes `progress` what the next process goes on from. The shard's files are durable that far already.
Status commit_tokenize_journal(FileSystem& files, const std::string& prefix,
                               const TokenizeProgress& progress);

// Where to go on; nothing when there is no work to go on with. kBadConfig listing every difference when what was begun is
// other work (other inputs, another tokenizer, ...), kBadData naming the file when the journal is damaged.
Result<std::optional<TokenizeProgress>> load_tokenize_journal(FileSystem& files, const std::string& prefix,
                                                              const TokenizeWork& work);

}  // namespace cairn::data
