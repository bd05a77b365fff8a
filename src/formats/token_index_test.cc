#include "formats/token_index.h"

#include <cstring>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "doors/sim_file_system.h"

namespace cairn {
namespace {

constexpr TokenType kAllTypes[] = {TokenType::kUint8,   TokenType::kInt8,  TokenType::kInt16,
                                   TokenType::kInt32,   TokenType::kInt64, TokenType::kFloat64,
                                   TokenType::kFloat32, TokenType::kUint16};

std::string write(TokenType type, std::span<const std::int32_t> lengths,
                  std::span<const std::int64_t> documents) {
  SimFileSystem files(1);
  const auto file = std::move(files.create("x.idx")).value();
  const Status status = write_token_index(*file, type, lengths, documents);
  EXPECT_TRUE(status.ok()) << status.message();
  return files.read_text("x.idx").value();
}

Result<TokenIndex> parse(const std::string& text, std::int64_t bin_size) {
  return parse_token_index(std::as_bytes(std::span(text)), bin_size);
}

template <class T>
std::string patched(std::string text, std::size_t offset, T value) {
  std::memcpy(text.data() + offset, &value, sizeof value);
  return text;
}

TEST(TokenIndex, BytesAreThoseOfTheFormat) {
  const std::int32_t lengths[] = {3, 2};
  const std::int64_t documents[] = {0, 1, 2};
  const std::string text = write(TokenType::kInt32, lengths, documents);
  ASSERT_EQ(text.size(), 42U + 20 * 2);
  EXPECT_EQ(text.substr(0, 17), std::string("MMIDIDX\0\0\x01\0\0\0\0\0\0\0", 17));
  EXPECT_EQ(text[17], 4);
  EXPECT_EQ(text.substr(18, 16), std::string("\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(text.substr(34, 8), std::string("\x03\0\0\0\x02\0\0\0", 8));
  EXPECT_EQ(text.substr(42, 16), std::string("\0\0\0\0\0\0\0\0\x0C\0\0\0\0\0\0\0", 16));
}

TEST(TokenIndex, RoundTripOfEveryType) {
  constexpr std::uint64_t kSeed = 21;
  RandomStream random(random_key(kSeed, "token index"), 0);
  for (const TokenType type : kAllTypes) {
    std::vector<std::int32_t> lengths(20'000);
    std::vector<std::int64_t> documents = {0};
    std::int64_t num_tokens = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      lengths[i] = static_cast<std::int32_t>(random.next_below(5000));
      num_tokens += lengths[i];
      if (random.next_below(3) == 0) {
        documents.push_back(static_cast<std::int64_t>(i));
      }
    }
    documents.push_back(static_cast<std::int64_t>(lengths.size()));
    const std::int64_t bin_size = num_tokens * token_type_size(type);
    const Result<TokenIndex> index = parse(write(type, lengths, documents), bin_size);
    ASSERT_TRUE(index.ok()) << token_type_name(type) << ": " << index.status().message() << " seed " << kSeed;
    EXPECT_EQ(index->type, type);
    EXPECT_EQ(index->lengths, lengths);
    EXPECT_EQ(index->documents, documents);
    EXPECT_EQ(index->num_tokens, num_tokens);
    EXPECT_EQ(index->num_documents(), static_cast<std::int64_t>(documents.size()) - 1);
  }
}

TEST(TokenIndex, EmptyIndexIsFine) {
  const std::int64_t documents[] = {0};
  const TokenIndex index = parse(write(TokenType::kUint16, {}, documents), 0).value();
  EXPECT_EQ(index.num_sequences(), 0);
  EXPECT_EQ(index.num_documents(), 0);
}

class DamagedTokenIndex : public testing::Test {
 protected:
  void expect_refused(const std::string& text, std::string_view reason, std::int64_t bin_size = 20) {
    const Result<TokenIndex> index = parse(text, bin_size);
    ASSERT_FALSE(index.ok()) << reason;
    EXPECT_EQ(index.status().code(), StatusCode::kBadData);
    EXPECT_NE(index.status().message().find(reason), std::string::npos) << index.status().message();
  }

  const std::vector<std::int32_t> lengths_ = {3, 2};
  const std::vector<std::int64_t> documents_ = {0, 1, 2};
  const std::string good_ = write(TokenType::kInt32, lengths_, documents_);
};

TEST_F(DamagedTokenIndex, EveryTruncationAndEveryAddedByteIsRefused) {
  ASSERT_TRUE(parse(good_, 20).ok());
  for (std::size_t size = 0; size < good_.size(); ++size) {
    ASSERT_FALSE(parse(good_.substr(0, size), 20).ok()) << size;
  }
  for (std::size_t extra = 1; extra < 40; ++extra) {
    ASSERT_FALSE(parse(good_ + std::string(extra, '\0'), 20).ok()) << extra;
  }
  expect_refused(good_ + std::string(2, '\0'), "multimodal");
}

TEST_F(DamagedTokenIndex, EveryFlippedBitIsRefusedOrChangesTheValue) {
  for (std::size_t bit = 0; bit < good_.size() * 8; ++bit) {
    std::string damaged = good_;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const Result<TokenIndex> index = parse(damaged, 20);
    if (index.ok()) {  // another type of the same size, or another boundary between documents
      ASSERT_TRUE(index->type != TokenType::kInt32 || index->documents != documents_) << bit;
    }
  }
}

TEST_F(DamagedTokenIndex, HugeCountsAreRefusedBeforeAnyAllocation) {
  for (const std::uint64_t count : {std::uint64_t{3}, std::uint64_t{1} << 40, ~std::uint64_t{0},
                                    ~std::uint64_t{0} / 12, std::uint64_t{1} << 63}) {
    expect_refused(patched(good_, 18, count), "document boundaries");
    if (count != 3) {
      expect_refused(patched(good_, 26, count), "document boundaries");
    }
  }
}

TEST_F(DamagedTokenIndex, ContentsMustAgreeWithEachOther) {
  expect_refused(patched(good_, 0, 'X'), "does not begin");
  expect_refused(patched(good_, 9, std::uint64_t{2}), "version 2");
  expect_refused(patched(good_, 17, std::uint8_t{0}), "type 0");
  expect_refused(patched(good_, 17, std::uint8_t{9}), "type 9");
  expect_refused(patched(good_, 34, std::int32_t{-1}), "length -1");
  expect_refused(patched(good_, 34, std::numeric_limits<std::int32_t>::max()), "beyond the .bin");
  expect_refused(patched(good_, 50, std::int64_t{8}), "begins at byte 8");
  expect_refused(patched(good_, 42, std::int64_t{-4}), "begins at byte -4");
  expect_refused(patched(good_, 58, std::int64_t{1}), "does not begin with 0");
  expect_refused(patched(good_, 66, std::int64_t{-1}), "boundary 1");
  expect_refused(patched(good_, 66, std::int64_t{3}), "boundary 1");
  expect_refused(patched(good_, 74, std::int64_t{1}), "end at sequence 1");
  expect_refused(good_, "beyond the .bin", 19);
  expect_refused(good_, "has 21", 21);
}

TEST_F(DamagedTokenIndex, FilesAreReadAndNamed) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.replace_text("x.idx", good_).ok());
  EXPECT_EQ(read_token_index(files, "x.idx", "x.bin").status().code(), StatusCode::kNoInput);
  ASSERT_TRUE(files.replace_text("x.bin", std::string(20, '\0')).ok());
  EXPECT_EQ(read_token_index(files, "x.idx", "x.bin").value().lengths, lengths_);
  ASSERT_TRUE(files.replace_text("x.bin", std::string(24, '\0')).ok());
  EXPECT_EQ(read_token_index(files, "x.idx", "x.bin").status().message().rfind("x.idx: ", 0), 0U);
  ASSERT_TRUE(files.replace_text("x.idx", "MMIDIDX").ok());
  EXPECT_EQ(read_token_index(files, "x.idx", "x.bin").status().code(), StatusCode::kBadData);
}

TEST(TokenIndexWriter, RefusesWhatItCouldNotReadBack) {
  SimFileSystem files(1);
  const auto file = std::move(files.create("x.idx")).value();
  const std::vector<std::int32_t> lengths = {1, 2};
  const std::vector<std::int32_t> negative = {1, -2};
  for (const std::vector<std::int64_t>& documents :
       std::vector<std::vector<std::int64_t>>{{}, {0}, {1, 2}, {0, 3}, {0, 2, 1, 2}}) {
    EXPECT_EQ(write_token_index(*file, TokenType::kInt32, lengths, documents).code(), StatusCode::kBug);
  }
  const std::vector<std::int64_t> good = {0, 2};
  EXPECT_EQ(write_token_index(*file, TokenType::kInt32, negative, good).code(), StatusCode::kBug);
}

}  // namespace
}  // namespace cairn
