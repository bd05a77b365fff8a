#include "formats/document_origins.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace cairn {
namespace {

constexpr std::string_view kMagic = "CAIRNDOC";
constexpr std::string_view kEndMagic = "CAIRNEND";
constexpr std::uint32_t kVersion = 1;
constexpr std::int64_t kFixedHeaderBytes = 32;
constexpr std::int64_t kChecksumBytes = 8;
constexpr std::int64_t kEntryBytes = 40;
constexpr std::int64_t kTrailerBytes = 48;
constexpr std::size_t kBlockValueBytesMax = std::size_t{1} << 31;
constexpr std::size_t kDictionaryMax = 256;
constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

enum Encoding : std::uint32_t { kPlain = 0, kDictionary = 1, kConstant = 2 };

std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  return xxh3_128(bytes).low;
}

std::size_t padded(std::size_t size) {
  return (size + 7) / 8 * 8;
}

template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void put(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

template <class T>
void put_all(std::string& out, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void pad(std::string& out) {
  out.append(padded(out.size()) - out.size(), '\0');
}

std::string header_of(const OriginNames& names) {
  std::string text;
  std::vector<std::uint64_t> ends;
  for (const std::vector<std::string>* group : {&names.columns, &names.sources}) {
    for (const std::string& name : *group) {
      text += name;
      ends.push_back(text.size());
    }
  }
  std::string out(kMagic);
  put(out, kVersion);
  put(out, static_cast<std::uint32_t>(names.columns.size()));
  put(out, std::uint64_t{names.sources.size()});
  put(out, std::uint64_t{text.size()});
  put_all<std::uint64_t>(out, ends);
  out += text;
  pad(out);
  put(out, checksum_of(std::as_bytes(std::span(out))));
  return out;
}

struct HeaderSizes {
  std::int64_t num_columns = 0;
  std::int64_t num_sources = 0;
  std::int64_t name_bytes = 0;
  std::int64_t total_bytes() const {
    return static_cast<std::int64_t>(padded(
               static_cast<std::size_t>(kFixedHeaderBytes + 8 * (num_columns + num_sources) + name_bytes))) +
           kChecksumBytes;
  }
};

// `fixed`: the first 32 bytes of a file of `file_size`.
Result<HeaderSizes> parse_sizes(std::span<const std::byte> fixed, std::int64_t file_size) {
  if (std::memcmp(fixed.data(), kMagic.data(), kMagic.size()) != 0) {
    return bad_data("it does not begin as a file of document origins does");
  }
  if (const auto version = load<std::uint32_t>(fixed, 8); version != kVersion) {
    return bad_data(fmt::format("version {} of document origins; only {} is known", version, kVersion));
  }
  const auto num_columns = load<std::uint32_t>(fixed, 12);
  const auto num_sources = load<std::uint64_t>(fixed, 16);
  const auto name_bytes = load<std::uint64_t>(fixed, 24);
  const auto size = static_cast<std::uint64_t>(file_size);
  if (num_columns > kOriginColumnsMax || num_sources > size / 8 || name_bytes > size) {
    return bad_data(
        fmt::format("a header of {} columns, {} sources and {} bytes of names does not fit {} bytes",
                    num_columns, num_sources, name_bytes, file_size));
  }
  const HeaderSizes sizes = {static_cast<std::int64_t>(num_columns), static_cast<std::int64_t>(num_sources),
                             static_cast<std::int64_t>(name_bytes)};
  if (sizes.total_bytes() > file_size) {
    return bad_data(
        fmt::format("a header of {} bytes does not fit {} bytes", sizes.total_bytes(), file_size));
  }
  return sizes;
}

Result<OriginNames> parse_names(std::span<const std::byte> header, const HeaderSizes& sizes) {
  const std::size_t end = header.size() - kChecksumBytes;
  if (checksum_of(header.first(end)) != load<std::uint64_t>(header, end)) {
    return bad_data("the checksum of the header is wrong");
  }
  OriginNames names;
  const std::int64_t count = sizes.num_columns + sizes.num_sources;
  const char* text = reinterpret_cast<const char*>(header.data()) + kFixedHeaderBytes + 8 * count;
  std::uint64_t begin = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto name_end = load<std::uint64_t>(header, static_cast<std::size_t>(kFixedHeaderBytes + 8 * i));
    if (name_end < begin || name_end > static_cast<std::uint64_t>(sizes.name_bytes)) {
      return bad_data(fmt::format("name {} ends at {}, beyond the names or before it begins", i, name_end));
    }
    (i < sizes.num_columns ? names.columns : names.sources).emplace_back(text + begin, name_end - begin);
    begin = name_end;
  }
  return names;
}

OriginsBlockFacts load_entry(std::span<const std::byte> bytes, std::size_t at) {
  return {load<std::int64_t>(bytes, at), load<std::int64_t>(bytes, at + 8),
          load<std::int64_t>(bytes, at + 16), load<std::uint64_t>(bytes, at + 24),
          load<std::uint64_t>(bytes, at + 32)};
}

// The blocks must follow each other from `begin` to `end` without a gap, each with a document.
Status check_directory(std::span<const OriginsBlockFacts> blocks, std::int64_t begin, std::int64_t end,
                       std::int64_t num_documents) {
  std::int64_t first = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const OriginsBlockFacts& block = blocks[i];
    if (block.byte_offset != begin || block.num_bytes <= 0 || block.num_bytes > end - begin) {
      return bad_data(fmt::format("block {} of {} bytes at byte {} does not follow the one before it", i,
                                  block.num_bytes, block.byte_offset));
    }
    const bool is_first_wrong = i == 0 ? block.first_document != 0 : block.first_document <= first;
    if (is_first_wrong || block.first_document >= num_documents) {
      return bad_data(
          fmt::format("block {} begins with document {} of {}", i, block.first_document, num_documents));
    }
    begin += block.num_bytes;
    first = block.first_document;
  }
  return begin == end && (num_documents == 0) == blocks.empty()
             ? ok_status()
             : bad_data(fmt::format("the blocks end at byte {}, the directory begins at {}", begin, end));
}

// Distinct values in the order they are met, and the code of each document; nothing when there are too many.
struct Dictionary {
  std::string values;
  std::vector<std::uint32_t> ends;
  std::vector<std::uint8_t> codes;
};
std::optional<Dictionary> make_dictionary(std::string_view values, std::span<const std::uint32_t> ends) {
  Dictionary dictionary;
  std::unordered_map<std::string_view, std::uint8_t> codes;
  std::uint32_t begin = 0;
  for (const std::uint32_t end : ends) {
    const std::string_view value = values.substr(begin, end - begin);
    begin = end;
    auto found = codes.find(value);
    if (found == codes.end()) {
      if (codes.size() == kDictionaryMax) {
        return std::nullopt;
      }
      found = codes.emplace(value, static_cast<std::uint8_t>(codes.size())).first;
      dictionary.values += value;
      dictionary.ends.push_back(static_cast<std::uint32_t>(dictionary.values.size()));
    }
    dictionary.codes.push_back(found->second);
  }
  return dictionary;
}

void put_column(std::string& out, std::string_view values, std::span<const std::uint32_t> ends) {
  const auto put_values = [&out](Encoding encoding, std::string_view text,
                                 std::span<const std::uint32_t> at) {
    put(out, static_cast<std::uint32_t>(at.size()));
    put(out, static_cast<std::uint32_t>(encoding));
    put_all(out, at);
    pad(out);
    out += text;
    pad(out);
  };
  const std::optional<Dictionary> dictionary = make_dictionary(values, ends);
  if (!dictionary) {
    put_values(kPlain, values, ends);
    return;
  }
  const bool is_constant = dictionary->ends.size() == 1;
  const bool is_smaller = dictionary->values.size() + dictionary->codes.size() + 4 * dictionary->ends.size() <
                          values.size() + 4 * ends.size();
  if (!is_constant && !is_smaller) {
    put_values(kPlain, values, ends);
    return;
  }
  put_values(is_constant ? kConstant : kDictionary, dictionary->values, dictionary->ends);
  if (!is_constant) {
    put_all<std::uint8_t>(out, dictionary->codes);
    pad(out);
  }
}

}  // namespace

std::int64_t OriginNames::column_index(std::string_view name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  return found == columns.end() ? -1 : found - columns.begin();
}

Result<OriginsBlock::Column> OriginsBlock::parse_column(std::size_t& at) const {
  const auto n = static_cast<std::size_t>(num_documents_);
  const auto left = [&] { return bytes_.size() - at; };  // at never passes the end
  const auto bad = [&](std::string_view what) { return bad_data(fmt::format("{} at byte {}", what, at)); };
  if (left() < 8) {
    return bad("a column is cut short");
  }
  const std::size_t m = load<std::uint32_t>(bytes_, at);
  Column column;
  column.encoding = load<std::uint32_t>(bytes_, at + 4);
  const bool fits = column.encoding == kPlain        ? m == n
                    : column.encoding == kDictionary ? m >= 1 && m <= kDictionaryMax
                                                     : column.encoding == kConstant && m == 1;
  if (!fits) {
    return bad(fmt::format("{} values in encoding {} for {} documents", m, column.encoding, n));
  }
  at += 8;
  if (left() < padded(4 * m)) {
    return bad("the ends of a column are cut short");
  }
  column.ends = at;
  std::uint32_t before = 0;
  for (std::size_t i = 0; i < m; ++i) {
    const auto end = load<std::uint32_t>(bytes_, at + 4 * i);
    if (end < before) {
      return bad(fmt::format("value {} ends before it begins", i));
    }
    before = end;
  }
  at += padded(4 * m);
  if (left() < padded(before)) {
    return bad("the values of a column are cut short");
  }
  column.values = at;
  at += padded(before);
  if (column.encoding != kDictionary) {
    return column;
  }
  if (left() < padded(n)) {
    return bad("the codes of a column are cut short");
  }
  column.codes = at;
  for (std::size_t i = 0; i < n; ++i) {
    if (static_cast<std::size_t>(bytes_[at + i]) >= m) {
      return bad(fmt::format("document {} has value {} of {}", i, static_cast<int>(bytes_[at + i]), m));
    }
  }
  at += padded(n);
  return column;
}

Result<OriginsBlock> OriginsBlock::parse(std::vector<std::byte> bytes, std::int64_t num_columns,
                                         std::int64_t num_sources) {
  OriginsBlock block;
  block.bytes_ = std::move(bytes);
  const std::size_t size = block.bytes_.size();
  if (size < 8) {
    return bad_data("a block is cut short at byte 0");
  }
  const std::size_t n = load<std::uint32_t>(block.bytes_, 0);
  if (n == 0 || n > (size - 8) / 12 || 8 + 8 * n + padded(4 * n) > size) {
    return bad_data(fmt::format("{} documents do not fit a block of {} bytes", n, size));
  }
  block.num_documents_ = static_cast<std::int64_t>(n);
  block.sources_ = 8 + 8 * n;
  for (std::size_t i = 0; i < n; ++i) {
    if (block.offset(static_cast<std::int64_t>(i)) < 0 ||
        block.source(static_cast<std::int64_t>(i)) >= num_sources) {
      return bad_data(fmt::format("document {} of the block has no place in {} sources", i, num_sources));
    }
  }
  std::size_t at = block.sources_ + padded(4 * n);
  for (std::int64_t c = 0; c < num_columns; ++c) {
    TRY_ASSIGN(Column column, block.parse_column(at));
    block.columns_.push_back(column);
  }
  return at == size ? Result<OriginsBlock>(std::move(block))
                    : bad_data(fmt::format("a block of {} bytes ends at byte {}", size, at));
}

std::int64_t OriginsBlock::source(std::int64_t document) const {
  return load<std::uint32_t>(bytes_, sources_ + 4 * static_cast<std::size_t>(document));
}

std::int64_t OriginsBlock::offset(std::int64_t document) const {
  return load<std::int64_t>(bytes_, 8 + 8 * static_cast<std::size_t>(document));
}

std::string_view OriginsBlock::column(std::int64_t column, std::int64_t document) const {
  const Column& c = columns_[static_cast<std::size_t>(column)];
  std::size_t value = 0;
  if (c.encoding == kPlain) {
    value = static_cast<std::size_t>(document);
  } else if (c.encoding == kDictionary) {
    value = static_cast<std::size_t>(bytes_[c.codes + static_cast<std::size_t>(document)]);
  }
  const std::size_t begin = value == 0 ? 0 : load<std::uint32_t>(bytes_, c.ends + 4 * (value - 1));
  const std::size_t end = load<std::uint32_t>(bytes_, c.ends + 4 * value);
  return {reinterpret_cast<const char*>(bytes_.data()) + c.values + begin, end - begin};
}

Status DocumentOrigins::read_header() {
  std::vector<std::byte> bytes(kFixedHeaderBytes);
  if (file_->size() < kFixedHeaderBytes + kTrailerBytes) {
    return bad_data(fmt::format("{} bytes are too few for document origins", file_->size()));
  }
  TRY(file_->read(0, bytes));
  TRY_ASSIGN(const HeaderSizes sizes, parse_sizes(bytes, file_->size()));
  bytes.resize(static_cast<std::size_t>(sizes.total_bytes()));
  TRY(file_->read(0, bytes));
  TRY_ASSIGN(names_, parse_names(bytes, sizes));
  blocks_begin_ = sizes.total_bytes();
  return ok_status();
}

Status DocumentOrigins::read_directory() {
  const std::int64_t trailer_begin = file_->size() - kTrailerBytes;
  std::vector<std::byte> bytes(kTrailerBytes);
  TRY(file_->read(trailer_begin, bytes));
  if (std::memcmp(bytes.data() + 40, kEndMagic.data(), kEndMagic.size()) != 0) {
    return bad_data(fmt::format(
        "it does not end as a file of document origins does (byte {}); it is cut short", trailer_begin + 40));
  }
  const auto checksum = load<std::uint64_t>(bytes, 32);
  const auto num_blocks = load<std::uint64_t>(bytes, 16);
  const auto begin = load<std::int64_t>(bytes, 24);
  const auto available = static_cast<std::uint64_t>(trailer_begin) / kEntryBytes;
  if (num_blocks > available || begin < blocks_begin_ ||
      begin != trailer_begin - static_cast<std::int64_t>(num_blocks) * kEntryBytes) {
    return bad_data(fmt::format("a directory of {} blocks at byte {} does not fit {} bytes", num_blocks,
                                begin, file_->size()));
  }
  num_documents_ = load<std::int64_t>(bytes, 0);
  num_tokens_ = load<std::int64_t>(bytes, 8);
  bytes.resize(static_cast<std::size_t>(trailer_begin + 32 - begin));
  TRY(file_->read(begin, bytes));
  if (checksum_of(bytes) != checksum || num_documents_ < 0 || num_tokens_ < 0) {
    return bad_data(fmt::format("the checksum of the directory at byte {} is wrong", begin));
  }
  for (std::size_t i = 0; i < num_blocks; ++i) {
    blocks_.push_back(load_entry(bytes, i * kEntryBytes));
  }
  return check_directory(blocks_, blocks_begin_, begin, num_documents_);
}

Result<DocumentOrigins> DocumentOrigins::open(FileSystem& files, const std::string& path) {
  DocumentOrigins origins;
  origins.path_ = path;
  TRY_ASSIGN(origins.file_, files.open(path));
  Status status = origins.read_header();
  if (status.ok()) {
    status = origins.read_directory();
  }
  return status.ok() ? Result<DocumentOrigins>(std::move(origins))
                     : Result<DocumentOrigins>(status.with_context(path));
}

std::int64_t DocumentOrigins::block_of(std::int64_t document) const {
  CHECK(document >= 0 && document < num_documents_, "document out of range");
  const auto above = std::upper_bound(
      blocks_.begin(), blocks_.end(), document,
      [](std::int64_t d, const OriginsBlockFacts& block) { return d < block.first_document; });
  return above - blocks_.begin() - 1;
}

Result<OriginsBlock> DocumentOrigins::read_block(std::int64_t block) const {
  CHECK(block >= 0 && block < static_cast<std::int64_t>(blocks_.size()), "block out of range");
  const OriginsBlockFacts& facts = blocks_[static_cast<std::size_t>(block)];
  const auto next = static_cast<std::size_t>(block) + 1;
  const std::int64_t end = next < blocks_.size() ? blocks_[next].first_document : num_documents_;
  std::vector<std::byte> bytes(static_cast<std::size_t>(facts.num_bytes));
  TRY(file_->read(facts.byte_offset, bytes));
  const std::string place = fmt::format("{} block {} (from byte {})", path_, block, facts.byte_offset);
  if (checksum_of(bytes) != facts.checksum) {
    return bad_data(place + ": the checksum is wrong");
  }
  Result<OriginsBlock> parsed =
      OriginsBlock::parse(std::move(bytes), static_cast<std::int64_t>(names_.columns.size()),
                          static_cast<std::int64_t>(names_.sources.size()));
  if (!parsed.ok()) {
    return parsed.status().with_context(place);
  }
  if (parsed->num_documents() != end - facts.first_document) {
    return bad_data(fmt::format("{}: {} documents, the directory says {}", place, parsed->num_documents(),
                                end - facts.first_document));
  }
  return parsed;
}

DocumentOriginsWriter::DocumentOriginsWriter(OriginNames names, std::unique_ptr<WritableFile> origins,
                                             std::unique_ptr<WritableFile> directory, Position position)
    : names_(std::move(names)),
      origins_(std::move(origins)),
      directory_(std::move(directory)),
      position_(position),
      columns_(names_.columns.size()) {
  CHECK(names_.columns.size() <= kOriginColumnsMax, "too many columns");
}

Status DocumentOriginsWriter::append(std::string_view bytes) {
  position_.num_bytes += static_cast<std::int64_t>(bytes.size());
  return origins_->append(std::as_bytes(std::span(bytes)));
}

Status DocumentOriginsWriter::begin() {
  return append(header_of(names_));
}

Status DocumentOriginsWriter::add(std::int64_t source, std::int64_t offset,
                                  std::span<const std::string_view> columns) {
  CHECK(source >= 0 && source < static_cast<std::int64_t>(names_.sources.size()), "no such source");
  CHECK(offset >= 0 && columns.size() == columns_.size(), "an origin has a place and one value a column");
  for (std::size_t c = 0; c < columns.size(); ++c) {
    Column& column = columns_[c];
    if (columns[c].size() > kBlockValueBytesMax - column.values.size()) {
      return bad_data(fmt::format("the column '{}' takes more than 2 GiB in one block", names_.columns[c]));
    }
    column.values += columns[c];
    column.ends.push_back(static_cast<std::uint32_t>(column.values.size()));
  }
  offsets_.push_back(static_cast<std::uint64_t>(offset));
  sources_.push_back(static_cast<std::uint32_t>(source));
  ++position_.num_documents;
  return ok_status();
}

void DocumentOriginsWriter::add_tokens(std::span<const std::byte> bytes, std::int64_t num_tokens) {
  tokens_hash_.update(bytes);
  position_.num_tokens += num_tokens;
}

Status DocumentOriginsWriter::end_block() {
  if (offsets_.empty()) {
    return ok_status();
  }
  std::string block;
  put(block, static_cast<std::uint32_t>(offsets_.size()));
  put(block, std::uint32_t{0});
  put_all<std::uint64_t>(block, offsets_);
  put_all<std::uint32_t>(block, sources_);
  pad(block);
  for (Column& column : columns_) {
    put_column(block, column.values, column.ends);
    column = {};
  }
  std::string entry;
  put(entry, position_.num_documents - documents_in_block());
  put(entry, position_.num_bytes);
  put(entry, std::uint64_t{block.size()});
  put(entry, checksum_of(std::as_bytes(std::span(block))));
  put(entry, tokens_hash_.digest().low);
  offsets_.clear();
  sources_.clear();
  tokens_hash_.reset();
  TRY(append(block));
  ++position_.num_blocks;
  return directory_->append(std::as_bytes(std::span(entry)));
}

Status DocumentOriginsWriter::sync() {
  TRY(origins_->sync());
  return directory_->sync();
}

Status DocumentOriginsWriter::finish(const ReadableFile& directory) {
  CHECK(offsets_.empty(), "a block is open");
  const std::int64_t directory_bytes = position_.num_blocks * kEntryBytes;
  const std::int64_t begin = position_.num_bytes;
  Hasher hasher;
  std::vector<std::byte> buffer(kCopyBytes);
  for (std::int64_t at = 0; at < directory_bytes; at += static_cast<std::int64_t>(kCopyBytes)) {
    const auto part =
        std::span(buffer).first(std::min(kCopyBytes, static_cast<std::size_t>(directory_bytes - at)));
    TRY(directory.read(at, part));
    hasher.update(part);
    TRY(origins_->append(part));
  }
  std::string trailer;
  put(trailer, position_.num_documents);
  put(trailer, position_.num_tokens);
  put(trailer, position_.num_blocks);
  put(trailer, begin);
  hasher.update(trailer);
  put(trailer, hasher.digest().low);
  trailer += kEndMagic;
  TRY(append(trailer));
  TRY(origins_->sync());
  TRY(origins_->close());
  return directory_->close();
}

}  // namespace cairn
