#include "train/step_record.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "formats/json.h"
#include "train/start_times.h"

namespace cairn::train {
namespace {

TEST(StepRecord, JsonHoldsEveryFieldAndReadsBack) {
  StepRecord record;
  record.step = 12;
  record.loss = 3.25;
  record.gradient_norm = std::nan("");
  record.sample_chain = "00ff";
  const Result<Json> json = parse_json(step_record_to_json(record), {});
  ASSERT_TRUE(json.ok()) << json.status().message();
  std::size_t num_fields = 0;
  StepRecord::visit_fields(record,
                           [&](std::string_view name, const auto&, std::string_view, std::string_view) {
                             ++num_fields;
                             EXPECT_TRUE(json->contains(std::string(name))) << name;
                           });
  EXPECT_EQ(json->size(), num_fields);
  EXPECT_EQ((*json)["step"], 12);
  EXPECT_EQ((*json)["loss"], 3.25);
  EXPECT_TRUE((*json)["gradient_norm"].is_null()) << "NaN has no JSON spelling";
}

TEST(StepRecord, LineNamesTheFieldsAPersonLooksFor) {
  StepRecord record;
  record.step = 3;
  record.num_steps = 40;
  record.loss = 2.5;
  record.mfu = 0.314;
  const std::string line = step_record_to_line(record);
  for (const char* part :
       {"step 3/40", "loss 2.500000", "MFU 31.4%", "[1970-01-01 00:00:00]", "ETA 0:00:00"}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << " in " << line;
  }
}

// docs/metrics.md is this table under a heading, and the phases of a start: CAIRN_UPDATE_DOCS=1 rewrites it.
TEST(StepRecord, DocumentationIsCurrent) {
  const std::string path = CAIRN_SOURCE_DIR "/docs/metrics.md";
  const std::string expected =
      "# Fields of a training step\n\nOne JSON object per step in `RUN/metrics/train.jsonl`; numbers also as "
      "`train/<field>` in TensorBoard. A step that was\ndone again after a crash appears once per "
      "attempt.\n\n" +
      step_record_documentation() + "\n" + StartTimes::documentation();
  if (std::getenv("CAIRN_UPDATE_DOCS") != nullptr) {
    std::ofstream(path) << expected;
  }
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text, expected);
}

}  // namespace
}  // namespace cairn::train
