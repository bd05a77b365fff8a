#include "data/document_reader.h"

#include <algorithm>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/json.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kReadBytes = std::int64_t{1} << 20;

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

}  // namespace

DocumentUnit document_unit_for(std::string_view path) {
  return path.ends_with(".jsonl") || path.ends_with(".ndjson") ? DocumentUnit::kJsonLine
                                                               : DocumentUnit::kFile;
}

Result<DocumentReader> DocumentReader::open(FileSystem& files, const std::string& path,
                                            DocumentOptions options) {
  DocumentReader reader;
  TRY_ASSIGN(reader.file_, files.open(path));
  reader.path_ = path;
  reader.options_ = std::move(options);
  return reader;
}

Status DocumentReader::check_length(std::size_t size) const {
  if (size > static_cast<std::size_t>(options_.document_bytes_max)) {
    return bad_data(fmt::format("{}: the document at byte {} is longer than {}", path_, start_,
                                format_bytes(options_.document_bytes_max)));
  }
  return ok_status();
}

Status DocumentReader::fill() {
  const std::int64_t count = std::min(kReadBytes, file_->size() - offset_);
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + static_cast<std::size_t>(count));
  const Status status = file_->read(offset_, std::as_writable_bytes(std::span(buffer_).subspan(before)));
  if (!status.ok()) {
    return status.with_context(fmt::format("{} at byte {}", path_, offset_));
  }
  offset_ += count;
  return ok_status();
}

Result<bool> DocumentReader::next_line(std::string& line) {
  line.clear();
  if (at_ == buffer_.size() && offset_ == file_->size()) {
    return false;
  }
  while (true) {
    const std::size_t newline = buffer_.find('\n', at_);
    const std::size_t end = std::min(newline, buffer_.size());
    line.append(buffer_, at_, end - at_);
    at_ = newline == std::string::npos ? end : end + 1;
    TRY(check_length(line.size()));
    if (newline != std::string::npos || offset_ == file_->size()) {
      ++line_;
      return true;
    }
    TRY(fill());
  }
}

Result<bool> DocumentReader::next_raw(std::string& document) {
  start_ = bytes_read();
  if (options_.unit == DocumentUnit::kFile) {
    if (is_file_done_) {
      return false;
    }
    is_file_done_ = true;
    TRY(check_length(static_cast<std::size_t>(file_->size())));
    document.resize(static_cast<std::size_t>(file_->size()));
    offset_ = file_->size();
    const Status status = file_->read(0, std::as_writable_bytes(std::span(document)));
    return status.ok() ? Result<bool>(true) : Result<bool>(status.with_context(path_));
  }
  if (options_.unit != DocumentUnit::kParagraph) {
    return next_line(document);
  }
  document.clear();
  std::string line;
  while (true) {
    TRY_ASSIGN(const bool has_line, next_line(line));
    if (!has_line || (is_blank(line) && !document.empty())) {
      return has_line || !document.empty();
    }
    if (is_blank(line)) {
      start_ = bytes_read();
      continue;
    }
    document.append(document.empty() ? "" : "\n").append(line);
    TRY(check_length(document.size()));
  }
}

Status DocumentReader::read_field(std::string& line) const {
  const auto bad = [&](std::string_view why) {
    return bad_data(fmt::format("{} line {} (byte {}): {}", path_, line_, start_, why));
  };
  JsonLimits limits;
  limits.bytes_max = options_.document_bytes_max;
  const Result<Json> value = parse_json(line, limits);
  if (!value.ok()) {
    return bad(value.status().message());
  }
  const Json* field = find(*value, options_.field);
  if (field == nullptr || !as_string(*field)) {
    return bad(fmt::format("has no string field '{}'", options_.field));
  }
  line = std::string(*as_string(*field));
  return ok_status();
}

Status DocumentReader::check_utf8(std::string& document) {
  const std::optional<std::size_t> wrong = find_invalid_utf8(document);
  if (!wrong) {
    return ok_status();
  }
  if (!options_.replace_bad_bytes) {
    return bad_data(fmt::format("{}: not UTF-8 at byte {}; convert the file, or have bad bytes replaced",
                                path_, start_ + static_cast<std::int64_t>(*wrong)));
  }
  document = replace_counting(document, counts_.bad_bytes);
  return ok_status();
}

Result<bool> DocumentReader::next(std::string& document) {
  while (true) {
    TRY_ASSIGN(const bool has_document, next_raw(document));
    if (!has_document) {
      return false;
    }
    if (options_.unit == DocumentUnit::kJsonLine && is_blank(document)) {
      continue;
    }
    TRY(check_utf8(document));
    if (options_.unit == DocumentUnit::kJsonLine) {
      TRY(read_field(document));
    }
    if (!document.empty()) {
      ++counts_.documents;
      return true;
    }
    ++counts_.empty;
  }
}

}  // namespace cairn::data
