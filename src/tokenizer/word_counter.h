// Counts the words of texts for training, on all cores and in bounded memory.
//
// The thread that adds texts hands stretches of them to the others, and counts itself when they have enough. Each
// thread counts in a small table of its own and adds it to tables that all share. When those are full they are written
// to a file in the order of their words, and the files are merged at the end: the counts are exact in every case.
// What is counted does not depend on the number of threads nor on the memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "doors/file_system.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/splitter.h"

namespace cairn::tokenizer {

struct WordCounterOptions {
  Pattern pattern;
  std::optional<Splitter> splitter = std::nullopt;  // cuts instead of the pattern
  int num_threads = 1;
  // Where the shared tables are written when they have memory_bytes; a folder of this name is made and removed.
  // Null: they grow, and who adds texts watches num_words() and word_bytes(). Outlives the counter.
  // Each thread has about 20 MB besides, and 4 MB of text wait for it.
  FileSystem* files = nullptr;
  std::string folder = {};
  std::int64_t memory_bytes = std::int64_t{2} << 30;
};

class WordCounter {
 public:
  explicit WordCounter(WordCounterOptions options);
  ~WordCounter();
  WordCounter(WordCounter&&) noexcept;
  WordCounter& operator=(WordCounter&&) noexcept;

  // Counts the words of one text: the pattern never crosses a call. An error may be that of an earlier text; it is of the
  // files, or of a text on which the splitter takes too many steps.
  // REQUIRES valid UTF-8 below 1 GiB, and that finish() has not been called.
  Status add_text(std::string_view text);

  // Calls visit(word, count) once for each distinct word, in no stated order, and frees the tables on the way.
  // Stops at the first error.
  Status finish(const std::function<Status(std::string_view word, std::int64_t count)>& visit);

  // Of the shared tables: how many different words have come so far, roughly, and their bytes.
  std::int64_t num_words() const;
  std::int64_t word_bytes() const;
  std::int64_t num_files_written() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::tokenizer
