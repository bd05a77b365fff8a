#include "train/data_trace.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "tests/train/trainer_fixture.h"

namespace cairn::train {
namespace {

RunConfig staged_run() {
  return test::tiny_run({"data.stage.0.source.0.weight=3.0", "data.stage.0.source.1.path=/data/held_out",
                         "data.stage.0.source.1.weight=1.0", "data.stage.1.start_samples=20",
                         "data.stage.1.source.0.path=/data/train", "train.ramp.start_batch=2",
                         "train.ramp.increment=4", "train.ramp.samples=16"});
}

TEST(DataTrace, StepsAndDocumentsAgree) {
  test::Machine machine(1);
  const std::unique_ptr<DataTrace> trace =
      DataTrace::open(machine.files, machine.clock, staged_run(), 1).value();
  std::map<std::pair<std::string, std::int64_t>, std::vector<TracedPiece>> by_document;
  std::int64_t predicted = 0;
  for (std::int64_t step = 1; step <= trace->schedule().num_steps(); ++step) {
    const std::vector<TracedPiece> pieces = trace->step(step).value();
    for (const TracedPiece& piece : pieces) {
      EXPECT_EQ(piece.step, step);
      predicted += piece.num_predicted;
      by_document[{piece.source, piece.document}].push_back(piece);
    }
  }
  EXPECT_EQ(predicted, 58 * 16);
  EXPECT_EQ(trace->sources(), (std::vector<std::string>{"/data/train", "/data/held_out"}));
  for (const auto& [document, expected] : by_document) {
    const std::vector<TracedPiece> found = trace->document(document.first, document.second).value();
    ASSERT_EQ(found.size(), expected.size()) << document.first << " " << document.second;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].sample, expected[i].sample);
      EXPECT_EQ(found[i].step, expected[i].step);
      EXPECT_EQ(found[i].rank, expected[i].rank);
    }
  }
}

TEST(DataTrace, RanksTakeContiguousBlocksOfMicrobatches) {
  test::Machine machine(1);
  const RunConfig config = test::tiny_run();  // 3 microbatches of 2
  const std::unique_ptr<DataTrace> trace = DataTrace::open(machine.files, machine.clock, config, 2).value();
  const std::vector<TracedPiece> pieces = trace->step(1).value();
  for (const TracedPiece& piece : pieces) {
    EXPECT_EQ(piece.rank, piece.sample < 4 ? 0 : 1) << piece.sample;
  }
}

TEST(DataTrace, WhatTheRunDoesNotHaveIsRefused) {
  test::Machine machine(1);
  const std::unique_ptr<DataTrace> trace =
      DataTrace::open(machine.files, machine.clock, staged_run(), 1).value();
  EXPECT_EQ(trace->step(0).status().code(), StatusCode::kUsage);
  EXPECT_EQ(trace->step(99).status().code(), StatusCode::kUsage);
  EXPECT_EQ(trace->document("/data/train", 99).status().code(), StatusCode::kUsage);
  EXPECT_EQ(trace->document("/data/other", 0).status().code(), StatusCode::kUsage);
}

}  // namespace
}  // namespace cairn::train
