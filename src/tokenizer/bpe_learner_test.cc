#include "tokenizer/bpe_learner.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn::tokenizer {
namespace {

using Counts = std::map<std::string, std::int64_t>;

struct Learned {
  std::vector<BpeMerge> merges;
  std::vector<std::string> tokens;
};

constexpr std::int32_t kFirstByte = 4;

std::vector<std::string> first_tokens() {
  std::vector<std::string> tokens(kFirstByte);
  for (int byte = 0; byte < 256; ++byte) {
    tokens.emplace_back(1, static_cast<char>(byte));
  }
  return tokens;
}

std::vector<std::int32_t> byte_ids() {
  std::vector<std::int32_t> ids;
  for (std::int32_t byte = 0; byte < 256; ++byte) {
    ids.push_back(kFirstByte + byte);
  }
  return ids;
}

Learned learn(const Counts& counts, const BpeLearnerOptions& options) {
  BpeLearner learner;
  for (const auto& [word, count] : counts) {
    EXPECT_TRUE(learner.add_word(word, count));
  }
  Learned learned;
  learned.tokens = first_tokens();
  learned.merges = learner.learn(options, byte_ids(), {}, learned.tokens);
  return learned;
}

// The algorithm as it is told: count all pairs, merge the first of the most frequent ones everywhere, again.
Learned learn_plainly(const Counts& counts, const BpeLearnerOptions& options) {
  Learned learned;
  learned.tokens = first_tokens();
  std::vector<std::pair<std::vector<std::int32_t>, std::int64_t>> words;
  for (const auto& [word, count] : counts) {
    words.emplace_back(std::vector<std::int32_t>(), count);
    for (const char c : word) {
      words.back().first.push_back(kFirstByte + static_cast<unsigned char>(c));
    }
  }
  while (static_cast<std::int64_t>(learned.tokens.size()) < options.vocab_size) {
    std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> pairs;
    for (const auto& [symbols, count] : words) {
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        pairs[{symbols[i], symbols[i + 1]}] += count;
      }
    }
    const auto best = std::max_element(pairs.begin(), pairs.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (best == pairs.end() || best->second < std::max<std::int64_t>(1, options.min_frequency)) {
      break;
    }
    const auto [left, right] = best->first;
    const auto id = static_cast<std::int32_t>(learned.tokens.size());
    learned.merges.push_back({left, right, id});
    learned.tokens.push_back(learned.tokens[static_cast<std::size_t>(left)] +
                             learned.tokens[static_cast<std::size_t>(right)]);
    for (auto& [symbols, count] : words) {
      std::vector<std::int32_t> after;
      for (std::size_t i = 0; i < symbols.size(); ++i) {
        const bool is_pair = i + 1 < symbols.size() && symbols[i] == left && symbols[i + 1] == right;
        after.push_back(is_pair ? id : symbols[i]);
        i += is_pair ? 1 : 0;
      }
      symbols = after;
    }
  }
  return learned;
}

void expect_equal(const Learned& learned, const Learned& expected) {
  EXPECT_EQ(learned.tokens, expected.tokens);
  ASSERT_EQ(learned.merges.size(), expected.merges.size());
  for (std::size_t i = 0; i < learned.merges.size(); ++i) {
    ASSERT_EQ(learned.merges[i].left, expected.merges[i].left) << "merge " << i;
    ASSERT_EQ(learned.merges[i].right, expected.merges[i].right) << "merge " << i;
    ASSERT_EQ(learned.merges[i].id, expected.merges[i].id) << "merge " << i;
  }
}

Counts random_words(RandomStream& random, int num_words, std::uint64_t num_letters, std::uint64_t size_max) {
  Counts counts;
  for (int i = 0; i < num_words; ++i) {
    std::string word;
    for (std::uint64_t n = 1 + random.next_below(size_max); n > 0; --n) {
      word += static_cast<char>('a' + random.next_below(num_letters));
    }
    counts[word] += static_cast<std::int64_t>(1 + random.next_below(4));
  }
  return counts;
}

TEST(BpeLearner, LearnsWhatThePlainAlgorithmLearns) {
  // Few letters: ties, runs and pairs that touch are everywhere.
  RandomStream random(random_key(11, "learner"), 0);
  for (int round = 0; round < 150; ++round) {
    const auto num_letters = 1 + random.next_below(4);
    const Counts counts = random_words(random, 1 + static_cast<int>(random.next_below(60)), num_letters, 14);
    BpeLearnerOptions options;
    options.vocab_size = 260 + static_cast<std::int64_t>(random.next_below(120));
    options.min_frequency = static_cast<std::int64_t>(random.next_below(4));
    SCOPED_TRACE(round);
    expect_equal(learn(counts, options), learn_plainly(counts, options));
  }
}

TEST(BpeLearner, ThreadsChangeNothing) {
  RandomStream random(random_key(12, "threads"), 0);
  // Pairs of more words than are merged by one thread.
  const Counts counts = random_words(random, 25'000, 4, 12);
  ASSERT_GT(counts.size(), 15'000U);
  BpeLearnerOptions options;
  options.vocab_size = 2'000;
  options.min_frequency = 2;
  const Learned one = learn(counts, options);
  options.vocab_size = 300;
  expect_equal(learn(counts, options), learn_plainly(counts, options));
  options.vocab_size = 2'000;
  for (const int num_threads : {2, 3, 7}) {
    options.num_threads = num_threads;
    expect_equal(learn(counts, options), one);
  }
}

TEST(BpeLearner, CountsBeyond32Bits) {
  constexpr std::int64_t kMany = std::int64_t{1} << 33;
  BpeLearnerOptions options;
  options.vocab_size = kFirstByte + 256 + 2;
  const Learned learned = learn({{"ab", kMany}, {"cd", kMany + 1}, {"ef", 5}}, options);
  EXPECT_EQ(learned.tokens[260], "cd");
  EXPECT_EQ(learned.tokens[261], "ab");
}

TEST(BpeLearner, LimitsTheLengthOfTokensMadeOfLearnedOnes) {
  BpeLearnerOptions options;
  options.vocab_size = 300;
  options.token_length_max = 4;
  const Learned learned = learn({{"abcdabcd", 3}}, options);
  for (const std::string& token : learned.tokens) {
    EXPECT_LT(token.size(), 4U);
  }
  EXPECT_GT(learned.merges.size(), 1U);
}

TEST(BpeLearner, TellsHowFarItIs) {
  BpeLearnerOptions options;
  options.vocab_size = 263;
  std::int64_t last = 0;
  options.on_progress = [&](std::int64_t done, std::int64_t total) {
    last = done;
    EXPECT_EQ(total, 263);
  };
  learn({{"abcd", 3}}, options);
  EXPECT_EQ(last, 263);
}

}  // namespace
}  // namespace cairn::tokenizer
