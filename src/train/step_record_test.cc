#include "train/step_record.h"

#include <cmath>

#include <gtest/gtest.h>

#include "formats/json.h"

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

}  // namespace
}  // namespace cairn::train
