#include "base/faults.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Faults, AllAreShownAtOnce) {
  Faults faults;
  EXPECT_TRUE(faults.to_status(StatusCode::kBadConfig, "run.toml").ok());
  faults.add("train.sequence", "0", "must be at least 1", "write sequence = 512");
  Faults others;
  others.add("model.from", "", "is missing", "");
  faults.append(others);
  const Status status = faults.to_status(StatusCode::kBadConfig, "run.toml cannot be used:");
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_EQ(
      status.message(),
      "run.toml cannot be used:\n  train.sequence = 0: must be at least 1\n      fix: write sequence = 512"
      "\n  model.from: is missing");
  EXPECT_EQ(faults.list().size(), 2U);
}

TEST(Faults, ClosestMatchSuggestsOnlyWhatIsNear) {
  const std::vector<std::string> candidates = {"sequence", "samples", "microbatch"};
  EXPECT_EQ(closest_match("sequnce", candidates), "sequence");
  EXPECT_EQ(closest_match("micro_batch", candidates), "microbatch");
  EXPECT_EQ(closest_match("zzzzzzzz", candidates), "");
  EXPECT_EQ(closest_match("sequence", {}), "");
}

}  // namespace
}  // namespace cairn
