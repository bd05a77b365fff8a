// Counted words on disk, as runs: files in the order of their words. What WordCounter writes when its memory is full.
// A record is the size of the word (4 bytes), its count (8 bytes), both in the machine's order, and the word.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"
#include "tokenizer/word_table.h"

namespace cairn::tokenizer {

class WordRuns {
 public:
  using Visit = std::function<Status(std::string_view word, std::int64_t count)>;

  // At this many runs they are merged into one, so that merging needs little memory and few open files.
  static constexpr std::size_t kRunsMax = 64;

  // The folder is made with the first run, after removing what a killed process left there, and removed at the end.
  // `files` outlives this.
  WordRuns(FileSystem& files, std::string folder);
  ~WordRuns();
  WordRuns(const WordRuns&) = delete;
  WordRuns& operator=(const WordRuns&) = delete;

  bool empty() const { return runs_.empty(); }
  std::int64_t num_written() const { return num_written_; }

  // Writes all words of the tables as one run. A word may be in several tables.
  Status write(std::span<const WordTable> tables);
  // Calls visit(word, count) once for each word of all runs, in order, with the sum of its counts.
  Status merge(const Visit& visit);

 private:
  Status merge_into_one();
  std::string next_path();

  FileSystem& files_;
  std::string folder_;
  std::vector<std::string> runs_;  // paths
  std::int64_t num_written_ = 0;
};

}  // namespace cairn::tokenizer
