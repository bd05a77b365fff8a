#include "data/text_batch.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace cairn::data {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{1} << 20;
constexpr std::size_t kReadBytes = std::size_t{1} << 18;  // a batch this near to full takes no other file

// Behind the last newline of `text`, 0 when there is none.
std::size_t end_of_last_line(std::string_view text) {
  const std::size_t newline = text.rfind('\n');
  return newline == std::string_view::npos ? 0 : newline + 1;
}

// Behind the last blank line of `text`, 0 when there is none. The first line may be what a cut left of one.
std::size_t end_of_last_paragraph(std::string_view text) {
  std::size_t end = end_of_last_line(text);
  while (end > 0) {
    const std::size_t begin = end_of_last_line(text.substr(0, end - 1));
    if (trim(text.substr(begin, end - begin)).empty()) {
      return end;
    }
    end = begin;
  }
  return 0;
}

std::size_t last_cut(DocumentUnit unit, std::string_view text) {
  return unit == DocumentUnit::kParagraph ? end_of_last_paragraph(text) : end_of_last_line(text);
}

}  // namespace

TextBatchReader::TextBatchReader(FileSystem& files, std::span<const TextInput> inputs, TextOptions options,
                                 TextPlace begin, std::int64_t end_input)
    : files_(&files), inputs_(inputs), options_(std::move(options)), place_(begin), end_input_(end_input) {
  CHECK(end_input >= 0 && end_input <= static_cast<std::int64_t>(inputs.size()), "no such inputs");
}

Status TextBatchReader::check_length(std::size_t size) const {
  if (size > static_cast<std::size_t>(options_.document_bytes_max)) {
    return bad_data(fmt::format("{}: the document at byte {} is longer than {}", input().path, place_.offset,
                                format_bytes(options_.document_bytes_max)));
  }
  return ok_status();
}

Status TextBatchReader::open_input() {
  TRY(check_unchanged(*files_, input()));
  carry_.clear();
  is_stream_done_ = false;
  file_offset_ = 0;
  if (input().unit == DocumentUnit::kParquetRow) {
    std::vector<ParquetReader::Column> columns = {{options_.field, false}};
    for (const std::string& name : options_.columns) {
      columns.push_back({name, !options_.requires_columns});
    }
    TRY_ASSIGN(rows_, ParquetReader::open(input().path, columns, place_.offset));
    return ok_status();
  }
  TRY_ASSIGN(stream_, ByteStream::open(*files_, input().path));
  TRY(stream_->skip(place_.offset));
  file_offset_ = stream_->file_offset();
  return ok_status();
}

Status TextBatchReader::close_input() {
  TRY(check_unchanged(*files_, input()));
  stream_.reset();
  rows_.reset();
  place_ = {place_.input + 1, 0, 0};
  return ok_status();
}

// Appends up to `count` bytes of text.
Status TextBatchReader::read_more(std::string& bytes, std::size_t count, bool& is_end) {
  const std::size_t before = bytes.size();
  bytes.resize(before + count);
  TRY_ASSIGN(const std::size_t got, stream_->read(std::as_writable_bytes(std::span(bytes).subspan(before))));
  bytes.resize(before + got);
  is_end = got < count;
  return ok_status();
}

// The next piece of the open text file; closes the file with its last one.
Status TextBatchReader::read_piece(TextBatch& batch) {
  const std::size_t begin = batch.bytes.size();
  batch.bytes += carry_;
  carry_.clear();
  const std::size_t target = std::max(kBatchBytes - std::min(kBatchBytes, begin), kReadBytes);
  const bool is_whole_file = input().unit == DocumentUnit::kFile;
  const auto piece = [&] { return std::string_view(batch.bytes).substr(begin); };
  std::size_t cut = 0;
  std::size_t searched = 0;  // no cut before this
  while (!is_stream_done_) {
    const std::size_t want = piece().size() < target ? target - piece().size() : kBatchBytes;
    TRY(read_more(batch.bytes, want, is_stream_done_));
    if (!is_whole_file && piece().size() >= target) {
      const std::size_t from = input().unit == DocumentUnit::kParagraph ? 0 : searched;
      cut = last_cut(input().unit, piece().substr(from));
      if (cut > 0) {
        cut += from;
        break;
      }
      searched = piece().size();
    }
    TRY(check_length(is_stream_done_ && !is_whole_file ? 0 : piece().size()));
  }
  if (is_stream_done_ && cut == 0) {
    cut = piece().size();
  }
  carry_ = piece().substr(cut);
  batch.bytes.resize(begin + cut);
  if (cut > 0) {
    batch.pieces.push_back({place_, begin, cut, 0});
  }
  batch.file_bytes += stream_->file_offset() - file_offset_;
  file_offset_ = stream_->file_offset();
  place_.offset += static_cast<std::int64_t>(cut);
  place_.line += std::count(piece().begin(), piece().end(), '\n');
  return is_stream_done_ && carry_.empty() ? close_input() : ok_status();
}

Status TextBatchReader::read_rows(TextBatch& batch) {
  TRY_ASSIGN(const bool has_rows, rows_->next());
  if (!has_rows) {
    batch.file_bytes += input().bytes - file_offset_;
    return close_input();
  }
  for (std::int64_t row = 0; row < rows_->num_rows(); ++row) {
    const std::string_view text = rows_->value(0, row);
    place_.offset = rows_->first_row() + row;
    if (text.size() > static_cast<std::size_t>(options_.document_bytes_max)) {
      return bad_data(fmt::format("{}: the document of row {} is longer than {}", input().path, place_.offset,
                                  format_bytes(options_.document_bytes_max)));
    }
    batch.pieces.push_back({place_, batch.bytes.size(), text.size(), batch.values.size()});
    batch.bytes += text;
    for (std::size_t column = 1; column <= options_.columns.size(); ++column) {
      batch.values.emplace_back(rows_->value(static_cast<std::int64_t>(column), row));
    }
  }
  ++place_.offset;
  return ok_status();
}

Result<bool> TextBatchReader::next(TextBatch& batch) {
  batch.bytes.clear();
  batch.pieces.clear();
  batch.values.clear();
  batch.file_bytes = 0;
  while (place_.input < end_input_ && batch.bytes.size() + kReadBytes <= kBatchBytes) {
    if (!stream_ && !rows_) {
      TRY(open_input());
    }
    TRY(rows_ ? read_rows(batch) : read_piece(batch));
  }
  batch.end = place_;
  return !batch.pieces.empty() || batch.file_bytes > 0;
}

}  // namespace cairn::data
