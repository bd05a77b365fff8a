#include "data/index_cache.h"

#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

constexpr std::size_t kCount = 500'003;
const Hash128 kKey = {1, 2};

// Makes the numbers from `first` on and counts how often.
struct Maker {
  std::int64_t first = 0;
  int calls = 0;
  IndexCache::Make make() {
    return [this]() -> Result<IndexArrays> {
      ++calls;
      auto numbers = std::make_shared<std::vector<std::int64_t>>(kCount);
      std::iota(numbers->begin(), numbers->end(), first);
      const auto bytes = std::as_bytes(std::span(*numbers));
      return IndexArrays{{bytes, bytes.first(5)}, std::move(numbers)};
    };
  }
};

class IndexCacheTest : public testing::Test {
 protected:
  std::string only_file() const {
    for (const std::string& path : files_.all_files()) {
      if (path.ends_with(".index")) {
        return path;
      }
    }
    return "";
  }
  SimFileSystem files_{3};
  SimClock clock_{0};
};

TEST_F(IndexCacheTest, IsMadeOnceAndThenRead) {
  Maker maker;
  for (int round = 0; round < 3; ++round) {
    IndexCache cache(files_, clock_, "/run/cache");
    const IndexArrays arrays = cache.load_or_make("numbers", kKey, maker.make()).value();
    ASSERT_EQ(arrays.arrays.size(), 2U);
    EXPECT_EQ(arrays.as<std::int64_t>(0)[kCount - 1], static_cast<std::int64_t>(kCount) - 1);
    EXPECT_EQ(arrays.arrays[1].size(), 5U);
    EXPECT_TRUE(cache.notes().empty());
  }
  EXPECT_EQ(maker.calls, 1);
  IndexCache cache(files_, clock_, "/run/cache");
  ASSERT_TRUE(cache.load_or_make("numbers", Hash128{1, 3}, maker.make()).ok());  // another input
  EXPECT_EQ(maker.calls, 2);
}

TEST_F(IndexCacheTest, WithoutAFolderOrRoomItIsMadeEachTime) {
  Maker maker;
  ASSERT_TRUE(IndexCache(files_, clock_, "").load_or_make("numbers", kKey, maker.make()).ok());
  files_.set_free_bytes(1000);
  IndexCache full(files_, clock_, "/run/cache");
  ASSERT_TRUE(full.load_or_make("numbers", kKey, maker.make()).ok());
  EXPECT_EQ(full.notes().size(), 1U);
  EXPECT_EQ(maker.calls, 2);
  EXPECT_EQ(only_file(), "");
}

TEST_F(IndexCacheTest, EveryDamageIsFound) {
  Maker maker;
  IndexCache cache(files_, clock_, "/run/cache");
  ASSERT_TRUE(cache.load_or_make("numbers", kKey, maker.make()).ok());
  const std::string path = only_file();
  const auto expect_damage = [&] {
    const Status status = cache.load_or_make("numbers", kKey, maker.make()).status();
    EXPECT_EQ(status.code(), StatusCode::kBadData);
    EXPECT_NE(status.message().find(path), std::string::npos) << status.message();
  };
  for (const std::int64_t offset : {0, 9, 17, 33, 80, 300, 1'000'000}) {
    files_.flip_bit(path, offset, 3);
    expect_damage();
    files_.flip_bit(path, offset, 3);
  }
  ASSERT_TRUE(cache.load_or_make("numbers", kKey, maker.make()).ok());
  for (const std::int64_t size : {1'000'000, 300, 10, 0}) {
    files_.truncate(path, size);
    expect_damage();
  }
  EXPECT_EQ(maker.calls, 1);
}

// The process dies at every operation in turn: afterwards the index is whole or made again.
TEST_F(IndexCacheTest, SurvivesACrashAtEveryPoint) {
  Maker counted;
  ASSERT_TRUE(IndexCache(files_, clock_, "/run/cache").load_or_make("numbers", kKey, counted.make()).ok());
  const std::int64_t num_operations = files_.num_operations();
  for (std::int64_t k = 0; k < num_operations; ++k) {
    SimFileSystem disk(static_cast<std::uint64_t>(k));
    Maker maker;
    disk.stop_at(k);
    static_cast<void>(
        IndexCache(disk, clock_, "/run/cache").load_or_make("numbers", kKey, maker.make()).ok());
    disk.crash();
    IndexCache after(disk, clock_, "/run/cache");
    const Result<IndexArrays> arrays = after.load_or_make("numbers", kKey, maker.make());
    ASSERT_TRUE(arrays.ok()) << "operation " << k << ": " << arrays.status().message();
    EXPECT_EQ(arrays->as<std::int64_t>(0)[kCount - 1], static_cast<std::int64_t>(kCount) - 1);
  }
}

TEST_F(IndexCacheTest, ManyAtOnceMakeItOnce) {
  const std::unique_ptr<Clock> clock = make_real_clock();
  std::atomic<int> calls{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      Maker maker;
      IndexCache cache(files_, *clock, "/run/cache");
      const Result<IndexArrays> arrays = cache.load_or_make("numbers", kKey, maker.make());
      ASSERT_TRUE(arrays.ok()) << arrays.status().message();
      calls += maker.calls;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(calls.load(), 1);
}

}  // namespace
}  // namespace cairn::data
