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

Status check_sequences(TokenIndex& index, std::int64_t bin_size) {
  const std::int64_t size = token_type_size(index.type);
  std::int64_t position = 0;
  for (std::size_t i = 0; i < index.lengths.size(); ++i) {
    if (index.lengths[i] < 0) {
      return bad_data(fmt::format("sequence {} has length {}", i, index.lengths[i]));
    }
    if (index.offsets[i] != position) {
      return bad_data(fmt::format("sequence {} begins at byte {}, but the ones before it end at {}", i,
                                  index.offsets[i], position));
    }
    const std::int64_t num_bytes = index.lengths[i] * size;
    if (num_bytes > bin_size - position) {
      return bad_data(fmt::format("sequence {} of {} bytes from byte {} runs beyond the .bin file of {}", i,
                                  num_bytes, position, bin_size));
    }
    position += num_bytes;
  }
  if (position != bin_size) {
    return bad_data(
        fmt::format("the sequences end at byte {}, but the .bin file has {}", position, bin_size));
  }
  index.num_tokens = position / size;
  return ok_status();
}

Status check_documents(std::span<const std::int64_t> documents, std::int64_t num_sequences) {
  if (documents.empty() || documents.front() != 0) {
    return bad_data("the document index does not begin with 0");
  }
  for (std::size_t i = 1; i < documents.size(); ++i) {
    if (documents[i] < documents[i - 1] || documents[i] > num_sequences) {
      return bad_data(fmt::format("document boundary {} is {} after {}, of {} sequences", i, documents[i],
                                  documents[i - 1], num_sequences));
    }
  }
  if (documents.back() != num_sequences) {
    return bad_data(
        fmt::format("the documents end at sequence {}, but there are {}", documents.back(), num_sequences));
  }
  return ok_status();
}

// Arrays from a reader of (offset, bytes), so that a file needs no second copy in memory.
template <class Read>
Result<TokenIndex> build(const Header& header, std::int64_t bin_size, Read read) {
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
  TRY(check_sequences(index, bin_size));
  TRY(check_documents(index.documents, header.num_sequences));
  return index;
}

template <class T>
void put(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
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
  std::array<std::byte, kHeaderBytes> bytes{};
  TRY(idx->read(0, std::span(bytes).first(static_cast<std::size_t>(std::min(kHeaderBytes, idx->size())))));
  Result<Header> header = parse_header(bytes, idx->size());
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

Status write_token_index(WritableFile& file, TokenType type, std::span<const std::int32_t> lengths,
                         std::span<const std::int64_t> documents) {
  constexpr std::size_t kFlushBytes = 64 * 1024;
  const bool has_negative = std::any_of(lengths.begin(), lengths.end(), [](std::int32_t x) { return x < 0; });
  const Status checked = check_documents(documents, static_cast<std::int64_t>(lengths.size()));
  if (has_negative || !checked.ok()) {
    return {StatusCode::kBug, has_negative ? "a sequence of negative length" : checked.message()};
  }
  std::string buffer(kMagic);
  put(buffer, kVersion);
  put(buffer, static_cast<std::uint8_t>(type));
  put(buffer, std::uint64_t{lengths.size()});
  put(buffer, std::uint64_t{documents.size()});
  const auto flush_above = [&](std::size_t limit) {
    if (buffer.size() <= limit) {
      return ok_status();
    }
    const Status status = file.append(std::as_bytes(std::span(buffer)));
    buffer.clear();
    return status;
  };
  for (const std::int32_t length : lengths) {
    put(buffer, length);
    TRY(flush_above(kFlushBytes));
  }
  std::int64_t offset = 0;
  for (const std::int32_t length : lengths) {
    put(buffer, offset);
    offset += length * token_type_size(type);
    TRY(flush_above(kFlushBytes));
  }
  for (const std::int64_t document : documents) {
    put(buffer, document);
    TRY(flush_above(kFlushBytes));
  }
  return flush_above(0);
}

}  // namespace cairn
