#include "formats/token_index.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace cairn {
namespace {

constexpr std::string_view kMagic("MMIDIDX\0\0", 9);
constexpr std::uint64_t kVersion = 1;
constexpr std::int64_t kHeaderBytes = 34;
constexpr std::int64_t kSequenceBytes = 12;  // length and offset
constexpr std::int64_t kDocumentBytes = 8;
constexpr std::size_t kFlushBytes = 64 * 1024;
constexpr std::size_t kFaultsMax = 100;

struct TypeFacts {
  std::string_view name;
  std::int64_t size;
};

constexpr std::array<TypeFacts, 9> kTypes = {{{"", 0},
                                              {"uint8", 1},
                                              {"int8", 1},
                                              {"int16", 2},
                                              {"int32", 4},
                                              {"int64", 8},
                                              {"float64", 8},
                                              {"float32", 4},
                                              {"uint16", 2}}};

struct Header {
  TokenType type = TokenType::kInt32;
  std::int64_t num_sequences = 0;
  std::int64_t num_boundaries = 0;
};

template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// `bytes`: the first 34 of a file of `file_size`.
Result<Header> parse_header(std::span<const std::byte> bytes, std::int64_t file_size) {
  if (file_size < kHeaderBytes) {
    return bad_data(fmt::format("{} bytes are too few for a token index", file_size));
  }
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return bad_data("it does not begin as a token index does");
  }
  if (const auto version = load<std::uint64_t>(bytes, 9); version != kVersion) {
    return bad_data(fmt::format("version {} of the token index; only {} is known", version, kVersion));
  }
  const auto code = load<std::uint8_t>(bytes, 17);
  if (code < 1 || code >= kTypes.size()) {
    return bad_data(fmt::format("element type {} is not known", code));
  }
  const auto num_sequences = load<std::uint64_t>(bytes, 18);
  const auto num_boundaries = load<std::uint64_t>(bytes, 26);
  // Each count against the file by division first: the sum below then cannot overflow.
  const std::int64_t rest = file_size - kHeaderBytes;
  if (num_sequences > static_cast<std::uint64_t>(rest / kSequenceBytes) ||
      num_boundaries > static_cast<std::uint64_t>(rest / kDocumentBytes)) {
    return bad_data(fmt::format("{} sequences and {} document boundaries do not fit {} bytes", num_sequences,
                                num_boundaries, file_size));
  }
  const Header header = {static_cast<TokenType>(code), static_cast<std::int64_t>(num_sequences),
                         static_cast<std::int64_t>(num_boundaries)};
  const std::int64_t needed = header.num_sequences * kSequenceBytes + header.num_boundaries * kDocumentBytes;
  if (rest == needed + header.num_sequences && header.num_sequences > 0) {
    return bad_data("it has modes of sequences (multimodal data), which are not supported");
  }
  if (rest != needed) {
    return bad_data(fmt::format("{} sequences and {} document boundaries need {} bytes, the file has {}",
                                header.num_sequences, header.num_boundaries, kHeaderBytes + needed,
                                file_size));
  }
  if (header.num_boundaries < 1) {
    return bad_data("the document index is empty; it must begin with 0");
  }
  return header;
}

// Calls fault(text) for all that is wrong with the sequences, until it answers false. Behind a wrong place the ones that follow
// are held against where that one says it is, so that one fault is told once.
template <class Fault>
void find_sequence_faults(const TokenIndex& index, std::int64_t bin_size, Fault fault) {
  const std::int64_t size = token_type_size(index.type);
  const auto next_offset = [&](std::size_t i) {
    return i + 1 < index.offsets.size() ? index.offsets[i + 1] : bin_size;
  };
  bool is_beyond = false;
  std::int64_t position = 0;
  for (std::size_t i = 0; i < index.lengths.size(); ++i) {
    const std::int64_t offset = index.offsets[i];
    if (index.lengths[i] < 0) {
      if (!fault(fmt::format("sequence {} has length {}", i, index.lengths[i]))) {
        return;
      }
      position = next_offset(i);
      continue;
    }
    if (offset != position &&
        !fault(fmt::format("sequence {} begins at byte {}, but the ones before it end at {}", i, offset,
                           position))) {
      return;
    }
    const std::int64_t num_bytes = index.lengths[i] * size;
    if (offset < 0 || offset > bin_size || num_bytes > bin_size - offset) {
      // Where the .bin is cut, all that follows lies behind its end: the first says it.
      if (!is_beyond &&
          !fault(fmt::format("sequence {} of {} bytes from byte {} runs beyond the .bin file of {}", i,
                             num_bytes, offset, bin_size))) {
        return;
      }
      is_beyond = true;
      position = next_offset(i);
      continue;
    }
    position = offset + num_bytes;
  }
  if (position != bin_size) {
    fault(fmt::format("the sequences end at byte {}, but the .bin file has {}", position, bin_size));
  }
}

// The same for the boundaries of documents.
template <class Fault>
void find_document_faults(std::span<const std::int64_t> documents, std::int64_t num_sequences, Fault fault) {
  if (documents.empty() || documents.front() != 0) {
    if (!fault("the document index does not begin with 0") || documents.empty()) {
      return;
    }
  }
  for (std::size_t i = 1; i < documents.size(); ++i) {
    if ((documents[i] < documents[i - 1] || documents[i] > num_sequences) &&
        !fault(fmt::format("document boundary {} is {} after {}, of {} sequences", i, documents[i],
                           documents[i - 1], num_sequences))) {
      return;
    }
  }
  if (documents.back() != num_sequences) {
    fault(fmt::format("the documents end at sequence {}, but there are {}", documents.back(), num_sequences));
  }
}

// A Status of the first fault that `find` tells.
template <class Find>
Status first_fault(Find find) {
  Status status;
  find([&](std::string text) {
    status = bad_data(std::move(text));
    return false;
  });
  return status;
}

Status check_sequences(TokenIndex& index, std::int64_t bin_size) {
  TRY(first_fault([&](auto fault) { find_sequence_faults(index, bin_size, fault); }));
  index.num_tokens = bin_size / token_type_size(index.type);
  return ok_status();
}

Status check_documents(std::span<const std::int64_t> documents, std::int64_t num_sequences) {
  return first_fault([&](auto fault) { find_document_faults(documents, num_sequences, fault); });
}

// Arrays from a reader of (offset, bytes), so that a file needs no second copy in memory. They are not checked.
template <class Read>
Result<TokenIndex> read_arrays(const Header& header, Read read) {
  TokenIndex index;
  index.type = header.type;
  index.lengths.resize(static_cast<std::size_t>(header.num_sequences));
  index.offsets.resize(static_cast<std::size_t>(header.num_sequences));
  index.documents.resize(static_cast<std::size_t>(header.num_boundaries));
  std::int64_t offset = kHeaderBytes;
  for (const std::span<std::byte> part :
       {std::as_writable_bytes(std::span(index.lengths)), std::as_writable_bytes(std::span(index.offsets)),
        std::as_writable_bytes(std::span(index.documents))}) {
    TRY(read(offset, part));
    offset += static_cast<std::int64_t>(part.size());
  }
  return index;
}

template <class Read>
Result<TokenIndex> build(const Header& header, std::int64_t bin_size, Read read) {
  TRY_ASSIGN(TokenIndex index, read_arrays(header, read));
  TRY(check_sequences(index, bin_size));
  TRY(check_documents(index.documents, header.num_sequences));
  return index;
}

Result<Header> read_header(const ReadableFile& idx) {
  std::array<std::byte, kHeaderBytes> bytes{};
  TRY(idx.read(0, std::span(bytes).first(static_cast<std::size_t>(std::min(kHeaderBytes, idx.size())))));
  return parse_header(bytes, idx.size());
}

class BufferedWriter {
 public:
  explicit BufferedWriter(WritableFile& file) : file_(file) {}

  template <class T>
  void put(T value) {
    std::array<char, sizeof(T)> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    buffer_.append(bytes.data(), bytes.size());
  }
  void put_text(std::string_view text) { buffer_ += text; }
  template <class T>
  Status add(T value) {
    put(value);
    return buffer_.size() < kFlushBytes ? ok_status() : flush();
  }
  Status flush() {
    const Status status = file_.append(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
    return status;
  }

 private:
  WritableFile& file_;
  std::string buffer_;
};

void put_header(BufferedWriter& out, TokenType type, std::uint64_t num_sequences,
                std::uint64_t num_boundaries) {
  out.put_text(kMagic);
  out.put(kVersion);
  out.put(static_cast<std::uint8_t>(type));
  out.put(num_sequences);
  out.put(num_boundaries);
}

}  // namespace

std::int64_t token_type_size(TokenType type) {
  return kTypes[static_cast<std::size_t>(type)].size;
}

std::string_view token_type_name(TokenType type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

Result<TokenIndex> parse_token_index(std::span<const std::byte> bytes, std::int64_t bin_size) {
  TRY_ASSIGN(const Header header, parse_header(bytes, static_cast<std::int64_t>(bytes.size())));
  return build(header, bin_size, [&](std::int64_t offset, std::span<std::byte> out) {
    std::copy_n(bytes.begin() + offset, out.size(), out.begin());
    return ok_status();
  });
}

Result<TokenIndex> read_token_index(FileSystem& files, const std::string& idx_path,
                                    const std::string& bin_path) {
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> bin, files.open(bin_path));
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> idx, files.open(idx_path));
  const Result<Header> header = read_header(*idx);
  if (!header.ok()) {
    return header.status().with_context(idx_path);
  }
  Result<TokenIndex> index = build(*header, bin->size(), [&](std::int64_t offset, std::span<std::byte> out) {
    return idx->read(offset, out);
  });
  if (!index.ok()) {
    return index.status().with_context(idx_path);
  }
  return index;
}

std::vector<std::string> list_token_index_faults(FileSystem& files, const std::string& idx_path,
                                                 const std::string& bin_path) {
  std::vector<std::string> faults;
  const auto add = [&](std::string text) {
    faults.push_back(fmt::format("{}: {}", idx_path, text));
    return faults.size() < kFaultsMax;
  };
  const Result<std::unique_ptr<ReadableFile>> bin = files.open(bin_path);
  const Result<std::unique_ptr<ReadableFile>> idx = files.open(idx_path);
  for (const Status& status : {bin.status(), idx.status()}) {
    if (!status.ok()) {
      faults.push_back(status.message());
    }
  }
  if (!faults.empty()) {
    return faults;
  }
  const Result<Header> header = read_header(**idx);
  if (!header.ok()) {
    add(header.status().message());
    return faults;
  }
  const Result<TokenIndex> index = read_arrays(
      *header, [&](std::int64_t offset, std::span<std::byte> out) { return (*idx)->read(offset, out); });
  if (!index.ok()) {
    add(index.status().message());
    return faults;
  }
  find_sequence_faults(*index, (*bin)->size(), add);
  if (faults.size() < kFaultsMax) {
    find_document_faults(index->documents, header->num_sequences, add);
  }
  return faults;
}

Status write_token_index(WritableFile& file, TokenType type, std::span<const std::int32_t> lengths,
                         std::span<const std::int64_t> documents) {
  const bool has_negative = std::any_of(lengths.begin(), lengths.end(), [](std::int32_t x) { return x < 0; });
  const Status checked = check_documents(documents, static_cast<std::int64_t>(lengths.size()));
  if (has_negative || !checked.ok()) {
    return {StatusCode::kBug, has_negative ? "a sequence of negative length" : checked.message()};
  }
  BufferedWriter out(file);
  put_header(out, type, std::uint64_t{lengths.size()}, std::uint64_t{documents.size()});
  std::int64_t offset = 0;
  for (const std::int32_t length : lengths) {
    TRY(out.add(length));
  }
  for (const std::int32_t length : lengths) {
    TRY(out.add(offset));
    offset += length * token_type_size(type);
  }
  for (const std::int64_t document : documents) {
    TRY(out.add(document));
  }
  return out.flush();
}

Status write_token_index(WritableFile& file, TokenType type, const ReadableFile& lengths) {
  const std::int64_t num_documents = lengths.size() / static_cast<std::int64_t>(sizeof(std::int32_t));
  BufferedWriter out(file);
  put_header(out, type, static_cast<std::uint64_t>(num_documents),
             static_cast<std::uint64_t>(num_documents) + 1);
  std::vector<std::int32_t> part(kFlushBytes / sizeof(std::int32_t));
  const auto for_each_length = [&](auto&& work) -> Status {
    for (std::int64_t begin = 0; begin < num_documents; begin += static_cast<std::int64_t>(part.size())) {
      part.resize(std::min(part.size(), static_cast<std::size_t>(num_documents - begin)));
      TRY(lengths.read(begin * static_cast<std::int64_t>(sizeof(std::int32_t)),
                       std::as_writable_bytes(std::span(part))));
      for (const std::int32_t length : part) {
        TRY(work(length));
      }
    }
    part.resize(kFlushBytes / sizeof(std::int32_t));
    return ok_status();
  };
  TRY(for_each_length([&](std::int32_t length) { return out.add(length); }));
  std::int64_t offset = 0;
  TRY(for_each_length([&](std::int32_t length) {
    const std::int64_t begin = offset;
    offset += length * token_type_size(type);
    return out.add(begin);
  }));
  for (std::int64_t document = 0; document <= num_documents; ++document) {
    TRY(out.add(document));
  }
  return out.flush();
}

}  // namespace cairn
