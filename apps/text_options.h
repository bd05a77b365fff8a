// What the commands that read text files share: the options and the loop over documents with its progress bar.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "commands.h"
#include "data/document_splitter.h"
#include "data/text_batch.h"
#include "data/text_input.h"
#include "tokenizer/tokenizer.h"

namespace cairn::apps {

struct TextOptions {
  std::string documents;  // file, line, paragraph, jsonl; empty = by the file's name
  std::string field = "text";
  std::string bad_bytes = "refuse";  // or replace
};
void add_text_options(CLI::App& command, TextOptions& options);

// What the options say; kUsage listing every fault.
Result<data::TextOptions> text_options(const TextOptions& options);
// The files, with a note in the log about those of folders that were left out.
Result<std::vector<data::TextInput>> list_inputs(CommandContext& context,
                                                 const std::vector<std::string>& paths,
                                                 const TextOptions& options);
std::int64_t total_bytes(const std::vector<data::TextInput>& inputs);

struct TextTotals {
  data::DocumentCounts counts;
  std::int64_t bytes = 0;  // of the files
};

// Calls `work` with each document of each file, in order. Stops at the first error. A progress bar on a terminal.
Status for_each_document(CommandContext& context, const std::vector<std::string>& paths,
                         const TextOptions& options, const char* label, TextTotals& totals,
                         const std::function<Status(std::string_view text)>& work);

Result<tokenizer::Tokenizer> load_tokenizer(FileSystem& files, const std::string& path);

}  // namespace cairn::apps
