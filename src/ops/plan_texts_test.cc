#include "ops/plan_texts.h"

#include <gtest/gtest.h>

namespace cairn::ops {
namespace {

const PlanTexts kPlans = {{"forward 1 2", std::string("\0\n\xff: x", 7)}, {"backward 1 2", ""}};

TEST(PlanTexts, AnyBytesComeBack) {
  for (const PlanTexts& plans : {kPlans, PlanTexts{}}) {
    const auto back = parse_plan_texts("header 1", format_plan_texts("header 1", plans));
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(*back, plans);
  }
}

TEST(PlanTexts, OthersAndDamagedOnesAreRefused) {
  const std::string text = format_plan_texts("header 1", kPlans);
  EXPECT_EQ(parse_plan_texts("header 2", text).status().code(), StatusCode::kBadConfig);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(parse_plan_texts("header 1", damaged).ok()) << "byte " << i;
    EXPECT_FALSE(parse_plan_texts("header 1", text.substr(0, i)).ok()) << "the first " << i << " bytes";
  }
}

}  // namespace
}  // namespace cairn::ops
