// Text files to a shard of token ids with origins, on all cores, in bounded memory, in the order of the text whatever the number of
// threads, and so that a killed process's work goes on where it was.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/document_splitter.h"
#include "data/document_tokenizer.h"
#include "data/text_batch.h"
#include "data/text_input.h"
#include "data/tokenize_journal.h"
#include "doors/clock.h"
#include "doors/file_system.h"
#include "tokenizer/tokenizer.h"

namespace cairn::data {

struct TokenizeRequest {
  std::string prefix;
  std::vector<TextInput> inputs;
  TextOptions text;
  std::vector<std::string> column_names;  // how the origins name text.columns
  std::string tokenizer_hash;             // of its file, to know it again
  DocumentEnds ends;
  int num_threads = 1;        // that tokenize; one more writes
  double commit_every_s = 5;  // work that a kill can lose
  bool restart = false;       // drop unfinished work instead of going on with it
};

struct TokenizeResult {
  TokenizeProgress progress;           // of the whole shard
  std::int64_t resumed_documents = 0;  // that were there already
};

// Told now and then, on the calling thread. `file_bytes` of the files, as they are on the disk, are done; `at_start` of them were
// done by an earlier process.
using TokenizeObserver =
    std::function<void(const TokenizeProgress& progress, std::int64_t file_bytes, std::int64_t at_start)>;

// On failure what was committed stays in PREFIX.partial, and the same call goes on from there. kCannotWrite when the shard
// exists, kBadData where the text is damaged (naming file and byte), kBadConfig when other unfinished work is in the way.
Result<TokenizeResult> tokenize(FileSystem& files, Clock& clock, const tokenizer::Tokenizer& tokenizer,
                                const TokenizeRequest& request, const TokenizeObserver& observer);

}  // namespace cairn::data
