#include "train/run_config_rules.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "device/cuda_device.h"

namespace cairn::train {
namespace {

RunConfig sound_config() {
  RunConfig config;
  config.run.name = "a";
  config.model.from = "model";
  config.data.stage.resize(1);
  config.data.stage[0].source.push_back({"shard", 1.0});
  config.train.global_batch = 4;
  config.train.microbatch = 2;
  config.train.samples = 40;
  return config;
}

bool names(const ReadReport& report, std::string_view field) {
  const auto faults = report.faults.list();
  return std::any_of(faults.begin(), faults.end(), [&](const Fault& fault) { return fault.field == field; });
}

TEST(RunRules, ASoundConfigurationBreaksNone) {
  ReadReport report;
  check_run_rules(sound_config(), report);
  EXPECT_TRUE(report.faults.empty()) << report.faults.to_status(StatusCode::kBadConfig, "").message();
}

TEST(RunRules, EveryBrokenRuleIsListed) {
  RunConfig config = sound_config();
  config.train.microbatch = 3;
  config.parallel.pipeline = 2;
  config.schedule.warmup_samples = 41;
  ReadReport report;
  check_run_rules(config, report);
  EXPECT_EQ(report.faults.list().size(), 3U);
  EXPECT_TRUE(names(report, "train.microbatch"));
  EXPECT_TRUE(names(report, "parallel.pipeline"));
  EXPECT_TRUE(names(report, "schedule.warmup_samples"));
}

TEST(RunRules, AGpuMustBeBuiltInAndBfloat16NeedsOne) {
  RunConfig config = sound_config();
  config.precision.compute = ComputeDtype::kBfloat16;
  ReadReport on_cpu;
  check_run_rules(config, on_cpu);
  EXPECT_TRUE(names(on_cpu, "precision.compute"));
  config.run.device = RunDevice::kCuda;
  ReadReport on_gpu;
  check_run_rules(config, on_gpu);
  EXPECT_FALSE(names(on_gpu, "precision.compute"));
  EXPECT_EQ(names(on_gpu, "run.device"), !CudaDevice::is_built());
}

TEST(RunRules, RulesOverDoubtfulKeysAreLeftOut) {
  RunConfig config = sound_config();
  config.train.microbatch = 3;
  ReadReport report;
  report.doubtful_paths = {"train.global_batch"};
  check_run_rules(config, report);
  EXPECT_TRUE(report.faults.empty());
}

}  // namespace
}  // namespace cairn::train
