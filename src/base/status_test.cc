#include "base/status.h"

#include <memory>

#include <gtest/gtest.h>

namespace cairn {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) {
    return bad_data("odd");
  }
  return x / 2;
}

Result<int> quarter(int x) {
  TRY_ASSIGN(const int once, half(x));
  TRY_ASSIGN(const int twice, half(once));
  return twice;
}

Status check_quarter(int x) {
  TRY(quarter(x).status());
  return ok_status();
}

TEST(Status, TryReturnsTheFirstError) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).status().code(), StatusCode::kBadData);
  EXPECT_FALSE(check_quarter(7).ok());
  EXPECT_TRUE(check_quarter(8).ok());
}

TEST(Status, ContextGoesInFrontAndLeavesOkAlone) {
  EXPECT_EQ(no_input("gone").with_context("reading a").message(), "reading a: gone");
  EXPECT_EQ(no_input("gone").with_context("reading a").exit_code(), 66);
  EXPECT_TRUE(ok_status().with_context("x").ok());
  EXPECT_EQ(ok_status().with_context("x").message(), "");
}

TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(4));
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 4);
}

TEST(ResultDeathTest, ValueOfAnErrorIsABug) {
  const Result<int> result = half(3);
  EXPECT_DEATH(static_cast<void>(result.value()), "odd");
}

TEST(ResultDeathTest, OkStatusIsNoError) {
  EXPECT_DEATH(static_cast<void>(Result<int>(ok_status())), "needs an error");
}

}  // namespace
}  // namespace cairn
