// Cuts a batch of text into documents: the work on text that is done on many threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "data/text_batch.h"
#include "formats/json_line.h"

namespace cairn::data {

struct Document {
  std::string_view text;
  std::int64_t input = 0;
  std::int64_t offset = 0;                    // byte of the file's text, or row of a Parquet file
  std::span<const std::string_view> columns;  // one for each of TextOptions::columns, "" where there is none
};

struct DocumentCounts {
  std::int64_t documents = 0;
  std::int64_t empty = 0;      // left out
  std::int64_t bad_bytes = 0;  // bytes that were no part of a character, replaced
  std::int64_t text_bytes = 0;

  void add(const DocumentCounts& other);
};

// One per thread. The inputs outlive it.
class DocumentSplitter {
 public:
  // What is handed the documents; the text lives until it returns.
  using Sink = std::function<Status(const Document&)>;

  DocumentSplitter(std::span<const TextInput> inputs, TextOptions options);

  // Hands over each document that is not empty, in order, and counts. kBadData naming file and byte (JSON: line too) where
  // the text is not UTF-8, no JSON object with the string field, or too long; and what the sink returns.
  Status split(const TextBatch& batch, DocumentCounts& counts, const Sink& sink);

 private:
  struct Place {  // of the document at hand, for messages
    const TextInput* input = nullptr;
    std::int64_t input_index = 0;
    std::int64_t offset = 0;
    std::int64_t line = 0;
  };

  Status split_lines(std::string_view text, bool is_json, const Sink& sink);
  Status split_paragraphs(std::string_view text, const Sink& sink);
  Status take_json(std::string_view line, const Sink& sink);
  Status take(std::string_view text, const Sink& sink);
  Result<std::string_view> checked_utf8(std::string_view text);
  Status bad_line(std::string_view why) const;

  std::span<const TextInput> inputs_;
  TextOptions options_;
  JsonLineReader json_;
  Place place_;
  DocumentCounts* counts_ = nullptr;
  std::vector<std::string_view> columns_;
  std::string replaced_;
  std::string paragraph_;
};

}  // namespace cairn::data
