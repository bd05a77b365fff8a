#include "tokenizer/bpe_model.h"

#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;

// Tokens 0, 1, ... are the bytes 'a', 'b', ...
struct Merges {
  std::vector<std::string> tokens;
  std::vector<BpeMerge> list;

  explicit Merges(std::int32_t alphabet) {
    for (std::int32_t i = 0; i < alphabet; ++i) {
      tokens.emplace_back(1, static_cast<char>('a' + i));
    }
  }
  void add(std::int32_t left, std::int32_t right) {
    const std::string text = tokens[static_cast<std::size_t>(left)] + tokens[static_cast<std::size_t>(right)];
    const auto place = std::ranges::find(tokens, text);
    const auto id = static_cast<std::int32_t>(place - tokens.begin());
    if (place == tokens.end()) {
      tokens.push_back(text);
    }
    const bool is_new = std::ranges::none_of(
        list, [&](const BpeMerge& merge) { return merge.left == left && merge.right == right; });
    if (is_new) {
      list.push_back({left, right, id});
    }
  }
  BpeModel model(std::int32_t alphabet) const {
    BpeModel model;
    model.byte_ids.fill(-1);
    for (std::int32_t i = 0; i < alphabet; ++i) {
      model.byte_ids[static_cast<std::size_t>('a' + i)] = i;
    }
    for (const BpeMerge& merge : list) {
      EXPECT_TRUE(model.add_merge(merge));
    }
    const std::vector<std::string_view> bytes(tokens.begin(), tokens.end());
    model.finish(bytes);
    return model;
  }
};

// The definition: the pair of lowest rank, of equal ones the leftmost, until there is none.
Ids merged_by_definition(const Merges& merges, std::string_view piece) {
  std::map<std::pair<std::int32_t, std::int32_t>, std::size_t> ranks;
  for (std::size_t rank = 0; rank < merges.list.size(); ++rank) {
    ranks[{merges.list[rank].left, merges.list[rank].right}] = rank;
  }
  Ids ids;
  for (const char c : piece) {
    ids.push_back(c - 'a');
  }
  while (true) {
    std::size_t best = merges.list.size();
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = ranks.find({ids[i], ids[i + 1]});
      if (found != ranks.end() && found->second < best) {
        best = found->second;
        place = i;
      }
    }
    if (best == merges.list.size()) {
      return ids;
    }
    ids[place] = merges.list[best].id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

std::string random_piece(RandomStream& random, std::int32_t alphabet, std::uint64_t longest) {
  std::string piece;
  for (std::uint64_t size = 1 + random.next_below(longest); piece.size() < size;) {
    piece += static_cast<char>('a' + random.next_below(static_cast<std::uint64_t>(alphabet)));
  }
  return piece;
}

// Compares with the definition on random pieces; returns whether the model matches.
bool check_random_model(RandomStream& random, bool in_order) {
  const auto alphabet = static_cast<std::int32_t>(1 + random.next_below(4));
  Merges merges(alphabet);
  for (std::uint64_t count = random.next_below(60); count > 0; --count) {
    const auto any = [&] { return static_cast<std::int32_t>(random.next_below(merges.tokens.size())); };
    merges.add(any(), any());
  }
  if (!in_order) {
    for (std::size_t i = merges.list.size(); i > 1; --i) {
      std::swap(merges.list[i - 1], merges.list[random.next_below(i)]);
    }
  }
  const BpeModel model = merges.model(alphabet);
  MergeBuffers buffers;
  for (int i = 0; i < 60; ++i) {
    const std::string piece = random_piece(random, alphabet, 40);
    Ids ids = {-7};  // what is there stays
    model.encode_piece(piece, buffers, ids);
    Ids expected = merged_by_definition(merges, piece);
    expected.insert(expected.begin(), -7);
    EXPECT_EQ(ids, expected) << piece;
  }
  return model.encodes_by_matching();
}

// In three thousand models; returns how many of them match.
int check_random_models(std::uint64_t seed, bool in_order) {
  RandomStream random(RandomKey{seed}, 0);
  int matching = 0;
  for (int i = 0; i < 3000 && !::testing::Test::HasFailure(); ++i) {
    matching += check_random_model(random, in_order) ? 1 : 0;
  }
  return matching;
}

TEST(BpeModel, MatchingIsMergingWhereTokensComeAfterTheirParts) {
  // Not in all: a token that is made anew by a second merge may have been a part before.
  EXPECT_GT(check_random_models(1, true), 2500);
}

TEST(BpeModel, MergesOfAnyOrderAreFollowed) {
  const int matching = check_random_models(2, false);
  EXPECT_GT(matching, 100);         // by chance no merge comes too early, or none that matters
  EXPECT_LT(matching, 3000 - 100);  // the others are merged
}

TEST(BpeModel, ATokenIsBornByTheMergeThatHappens) {
  Merges merges(3);      // a b c
  merges.add(1, 2);      // bc, before ab
  merges.add(0, 1);      // ab
  merges.add(3 + 1, 2);  // ab + c: never, because bc comes first
  merges.add(0, 3);      // a + bc
  const BpeModel model = merges.model(3);
  MergeBuffers buffers;
  Ids ids;
  model.encode_piece("abcab", buffers, ids);
  EXPECT_EQ(ids, (Ids{5, 4}));
}

TEST(BpeModel, AWholeTokenIsTakenWhereMergesAreIgnored) {
  Merges merges(2);
  merges.add(0, 1);
  BpeModel model = merges.model(2);
  MergeBuffers buffers;
  Ids ids;
  model.encode_piece("aba", buffers, ids);
  model.pieces.reserve(1);
  model.pieces.add("aba", 9);
  model.encode_piece("aba", buffers, ids);
  model.encode_piece("abab", buffers, ids);
  EXPECT_EQ(ids, (Ids{2, 0, 9, 2, 2}));
}

TEST(BpeModel, TokensTooLongForMatchingAreMerged) {
  Merges merges(1);
  std::int32_t last = 0;
  for (int doubling = 0; doubling < 11; ++doubling) {
    merges.add(last, last);
    last = static_cast<std::int32_t>(merges.tokens.size()) - 1;
  }
  const BpeModel model = merges.model(1);
  EXPECT_FALSE(model.encodes_by_matching());
  MergeBuffers buffers;
  Ids ids;
  model.encode_piece(std::string(2048 + 3, 'a'), buffers, ids);
  EXPECT_EQ(ids, (Ids{last, 1, 0}));
}

TEST(BytesTable, KeepsTheFirstOfEqualStrings) {
  BytesTable table;
  EXPECT_EQ(table.find("x"), -1);
  table.reserve(3);
  EXPECT_TRUE(table.add("x", 1));
  EXPECT_TRUE(table.add("", 2));
  EXPECT_FALSE(table.add("x", 3));
  EXPECT_EQ(table.find("x"), 1);
  EXPECT_EQ(table.find(""), 2);
  EXPECT_EQ(table.find("y"), -1);
}

}  // namespace
}  // namespace cairn::tokenizer
