#include "tokenizer/piece_cache.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn::tokenizer {
namespace {

using Cache = PieceCache<2, 4>;

std::vector<std::int32_t> found(const Cache& cache, std::string_view piece) {
  std::vector<std::int32_t> ids;
  cache.find({piece, piece.size()}, ids);
  return ids;
}

TEST(PieceCache, RemembersPiecesOfEveryLength) {
  Cache cache(1024);
  const std::string text = "abcdefghijklmno";
  for (std::size_t size = 1; size <= Cache::Key::kPieceBytesMax; ++size) {
    const std::string_view piece = std::string_view(text).substr(0, size);
    EXPECT_TRUE(found(cache, piece).empty());
    const auto id = static_cast<std::int32_t>(size);
    cache.add({piece, piece.size()}, std::vector<std::int32_t>{id, 7});
    EXPECT_EQ(found(cache, piece), (std::vector<std::int32_t>{id, 7}));
  }
}

TEST(PieceCache, TellsZerosFromTheEnd) {
  Cache cache(2);  // everything meets
  const std::string_view longer("a\0", 2);
  cache.add({longer, 2}, std::vector<std::int32_t>{1});
  EXPECT_TRUE(found(cache, "a").empty());
  EXPECT_EQ(found(cache, longer), std::vector<std::int32_t>{1});
}

TEST(PieceCache, WhatFollowsThePieceDoesNotMatter) {
  Cache cache(16);
  const std::string text = "word and much more text behind it";
  cache.add({std::string_view(text).substr(0, 4), text.size()}, std::vector<std::int32_t>{5, 6, 7, 8});
  EXPECT_EQ(found(cache, "word"), (std::vector<std::int32_t>{5, 6, 7, 8}));
}

TEST(PieceCache, DoesNotRememberTooManyIds) {
  Cache cache(16);
  cache.add({"word", 4}, std::vector<std::int32_t>{1, 2, 3, 4, 5});
  EXPECT_TRUE(found(cache, "word").empty());
}

TEST(PieceCache, NeverAnswersWithAnotherPiecesIds) {
  RandomStream random(RandomKey{3}, 0);
  Cache cache(64);
  std::map<std::string, std::int32_t> all;
  std::int64_t hits = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string piece;
    for (std::uint64_t size = 1 + random.next_below(15); piece.size() < size;) {
      piece += static_cast<char>('a' + random.next_below(2));
    }
    const auto id = all.emplace(piece, static_cast<std::int32_t>(all.size())).first->second;
    const std::vector<std::int32_t> ids = found(cache, piece);
    if (!ids.empty()) {
      EXPECT_EQ(ids, std::vector<std::int32_t>{id});
      ++hits;
    }
    cache.add({piece, piece.size()}, std::vector<std::int32_t>{id});
  }
  EXPECT_GT(hits, 0);
}

}  // namespace
}  // namespace cairn::tokenizer
