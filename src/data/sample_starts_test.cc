#include "data/sample_starts.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

// Token after token.
std::vector<StreamPosition> starts_by_walk(const std::vector<std::int32_t>& documents,
                                           const std::vector<std::int32_t>& lengths, std::int64_t sequence,
                                           std::size_t count) {
  std::vector<StreamPosition> starts = {{}};
  std::int64_t token = 0;
  StreamPosition last;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    for (std::int32_t offset = 0; offset < lengths[static_cast<std::size_t>(documents[i])]; ++offset) {
      last = {static_cast<std::int32_t>(i), offset};
      if (token > 0 && token % sequence == 0 && starts.size() < count) {
        starts.push_back(last);
      }
      ++token;
    }
  }
  if (starts.size() < count) {  // a kept tail
    starts.push_back(last);
  }
  return starts;
}

TEST(SampleStarts, AreThoseOfAWalkOverAllTokens) {
  const std::uint32_t seed = 12;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  ThreadPool pool(3);
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{65'537}, std::size_t{700'001}}) {
    std::vector<std::int32_t> lengths(1 + size / 3);
    for (std::int32_t& length : lengths) {
      length = static_cast<std::int32_t>(random() % 3 == 0 ? 0 : 1 + random() % 20);
    }
    lengths.front() = 5;
    std::vector<std::int32_t> documents(size);
    std::int64_t num_tokens = 0;
    for (std::int32_t& document : documents) {
      document = static_cast<std::int32_t>(random() % lengths.size());
      num_tokens += lengths[static_cast<std::size_t>(document)];
    }
    if (num_tokens == 0) {
      continue;
    }
    const std::int64_t sequence = 4;
    for (const bool keeps_tail : {false, true}) {
      const std::int64_t samples = (num_tokens - 1 + (keeps_tail ? sequence - 1 : 0)) / sequence;
      std::vector<StreamPosition> starts(static_cast<std::size_t>(samples) + 1);
      for (ThreadPool* const workers : {&pool, static_cast<ThreadPool*>(nullptr)}) {
        std::fill(starts.begin(), starts.end(), StreamPosition{-1, -1});
        find_sample_starts(documents, lengths, sequence, starts, workers);
        EXPECT_EQ(starts, starts_by_walk(documents, lengths, sequence, starts.size()))
            << size << " " << keeps_tail;
      }
    }
  }
}

}  // namespace
}  // namespace cairn::data
