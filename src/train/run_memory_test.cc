#include "train/run_memory.h"

#include <vector>

#include <gtest/gtest.h>

#include "data/goldfish.h"
#include "data/token_shard_writer.h"
#include "data/token_source.h"
#include "doors/sim_file_system.h"

namespace cairn::train {
namespace {

RunConfig small_run(std::int64_t samples) {
  RunConfig config;
  config.data.stage.resize(1);
  config.data.stage[0].source.push_back({"shard", 1.0});
  config.data.goldfish.enabled = false;
  config.train.sequence = 4;
  config.train.global_batch = 1;
  config.train.samples = samples;
  return config;
}

void write_shard(FileSystem& files) {
  data::TokenShardWriter writer = data::TokenShardWriter::create(files, "shard", 100).value();
  for (int document = 0; document < 6; ++document) {
    ASSERT_TRUE(writer.add_document(std::vector<std::int32_t>(10, 1)).ok());
  }
  ASSERT_TRUE(writer.finish().ok());
}

TEST(RunMemory, CountsTheOrderOfTheSamples) {
  SimFileSystem files(1);
  write_shard(files);
  const std::int64_t shard_bytes = 6 * 12 + 7 * 8;
  const std::int64_t sample_bytes = 5 * 4;
  const RunMemory one = estimate_run_memory(files, small_run(10), 1000, 2).value();
  EXPECT_TRUE(one.missing_shards.empty());
  EXPECT_EQ(one.process.arena_bytes, 1000);
  EXPECT_EQ(one.process.data_bytes, shard_bytes + sample_bytes + 6 * 4 + 15 * 8 + 14 * 4);
  const RunMemory many = estimate_run_memory(files, small_run(1'000'000'000), 1000, 2).value();
  EXPECT_GT(many.process.data_bytes, 8'000'000'000);
  RunConfig with_goldfish = small_run(10);
  with_goldfish.data.goldfish.enabled = true;
  EXPECT_EQ(estimate_run_memory(files, with_goldfish, 1000, 2)->process.data_bytes - one.process.data_bytes,
            data::GoldfishMask::kTableSize * 4);
}

TEST(RunMemory, NamesShardsThatAreNotThere) {
  SimFileSystem files(1);
  RunConfig config = small_run(10);
  config.eval.set.push_back({"held-out", "elsewhere"});
  const RunMemory memory = estimate_run_memory(files, config, 1000, 2).value();
  EXPECT_EQ(memory.missing_shards, (std::vector<std::string>{"shard", "elsewhere"}));
}

}  // namespace
}  // namespace cairn::train
