#include "data/document_splitter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cairn::data {
namespace {

bool is_blank(std::string_view line) {
  return trim(line).empty();
}

// `text` with U+FFFD for what is not UTF-8; adds the number of bytes that were replaced.
std::string replace_counting(std::string_view text, std::int64_t& bad_bytes) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8CodePoint c = decode_utf8(text, at);
    const auto length = static_cast<std::size_t>(c.length);
    if (c.is_valid) {
      out.append(text.substr(at, length));
    } else {
      append_utf8(out, c.code_point);
      bad_bytes += c.length;
    }
    at += length;
  }
  return out;
}

std::vector<std::string> wanted_fields(const TextOptions& options) {
  std::vector<std::string> fields = {options.field};
  fields.insert(fields.end(), options.columns.begin(), options.columns.end());
  return fields;
}

// Takes the first line off `text`; `size` is with its newline.
std::string_view take_line(std::string_view text, std::size_t& size) {
  const std::size_t newline = text.find('\n');
  size = newline == std::string_view::npos ? text.size() : newline + 1;
  return text.substr(0, newline);
}

}  // namespace

void DocumentCounts::add(const DocumentCounts& other) {
  documents += other.documents;
  empty += other.empty;
  bad_bytes += other.bad_bytes;
  text_bytes += other.text_bytes;
}

DocumentSplitter::DocumentSplitter(std::span<const TextInput> inputs, TextOptions options)
    : inputs_(inputs), options_(std::move(options)), json_(wanted_fields(options_)) {}

Status DocumentSplitter::bad_line(std::string_view why) const {
  return bad_data(
      fmt::format("{} line {} (byte {}): {}", place_.input->path, place_.line + 1, place_.offset, why));
}

Result<std::string_view> DocumentSplitter::checked_utf8(std::string_view text) {
  const std::optional<std::size_t> wrong = find_invalid_utf8(text);
  if (!wrong) {
    return text;
  }
  if (!options_.replace_bad_bytes) {
    const bool is_row = place_.input->unit == DocumentUnit::kParquetRow;
    return bad_data(
        fmt::format("{}: not UTF-8 at {}; convert the file, or have bad bytes replaced", place_.input->path,
                    is_row ? fmt::format("byte {} of row {}", *wrong, place_.offset)
                           : fmt::format("byte {}", place_.offset + static_cast<std::int64_t>(*wrong))));
  }
  replaced_ = replace_counting(text, counts_->bad_bytes);
  return std::string_view(replaced_);
}

Status DocumentSplitter::take(std::string_view text, const Sink& sink) {
  if (text.size() > static_cast<std::size_t>(options_.document_bytes_max)) {
    return bad_data(fmt::format("{}: the document at byte {} is longer than {}", place_.input->path,
                                place_.offset, format_bytes(options_.document_bytes_max)));
  }
  if (text.empty()) {
    ++counts_->empty;
    return ok_status();
  }
  ++counts_->documents;
  counts_->text_bytes += static_cast<std::int64_t>(text.size());
  return sink({text, place_.input_index, place_.offset, columns_});
}

Status DocumentSplitter::take_json(std::string_view line, const Sink& sink) {
  const Status status = json_.read(line);
  if (!status.ok()) {
    return bad_line(status.message());
  }
  using Kind = JsonLineReader::Kind;
  const JsonLineReader::Value& text = json_.value(0);
  if (text.kind != Kind::kString && text.kind != Kind::kNull) {
    return bad_line(fmt::format("has no string field '{}'", options_.field));
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const JsonLineReader::Value& value = json_.value(i + 1);
    columns_[i] = value.kind == Kind::kNull ? std::string_view() : value.text;
  }
  return take(text.kind == Kind::kNull ? std::string_view() : text.text, sink);
}

Status DocumentSplitter::split_lines(std::string_view text, bool is_json, const Sink& sink) {
  while (!text.empty()) {
    std::size_t size = 0;
    const std::string_view raw = take_line(text, size);
    TRY_ASSIGN(const std::string_view line, checked_utf8(raw));
    if (!is_json) {
      TRY(take(line, sink));
    } else if (!is_blank(line)) {
      TRY(take_json(line, sink));
    }
    text.remove_prefix(size);
    place_.offset += static_cast<std::int64_t>(size);
    ++place_.line;
  }
  return ok_status();
}

Status DocumentSplitter::split_paragraphs(std::string_view text, const Sink& sink) {
  const std::int64_t begin = place_.offset;
  std::size_t at = 0;
  while (at < text.size()) {
    paragraph_.clear();
    place_.offset = begin + static_cast<std::int64_t>(at);
    while (at < text.size()) {
      std::size_t size = 0;
      const std::string_view line = take_line(text.substr(at), size);
      at += size;
      if (!is_blank(line)) {
        paragraph_.append(paragraph_.empty() ? "" : "\n").append(line);
      } else if (!paragraph_.empty()) {
        break;
      } else {
        place_.offset = begin + static_cast<std::int64_t>(at);
      }
    }
    if (!paragraph_.empty()) {
      TRY_ASSIGN(const std::string_view checked, checked_utf8(paragraph_));
      TRY(take(checked, sink));
    }
  }
  return ok_status();
}

Status DocumentSplitter::split(const TextBatch& batch, DocumentCounts& counts, const Sink& sink) {
  counts_ = &counts;
  for (const TextPiece& piece : batch.pieces) {
    const TextInput& input = inputs_[static_cast<std::size_t>(piece.place.input)];
    place_ = {&input, piece.place.input, piece.place.offset, piece.place.line};
    columns_.assign(options_.columns.size(), {});
    const std::string_view text = std::string_view(batch.bytes).substr(piece.begin, piece.size);
    if (input.unit == DocumentUnit::kLine || input.unit == DocumentUnit::kJsonLine) {
      TRY(split_lines(text, input.unit == DocumentUnit::kJsonLine, sink));
      continue;
    }
    if (input.unit == DocumentUnit::kParagraph) {
      TRY(split_paragraphs(text, sink));
      continue;
    }
    if (input.unit == DocumentUnit::kParquetRow) {
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        columns_[i] = batch.values[piece.first_value + i];
      }
    }
    TRY_ASSIGN(const std::string_view checked, checked_utf8(text));
    TRY(take(checked, sink));
  }
  return ok_status();
}

}  // namespace cairn::data
