#include "doors/path.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Paths, AreJoinedAndCut) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("/", "b"), "/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(parent_path("a"), ".");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("/a/b//"), "/a");
  EXPECT_EQ(parent_path("/"), "/");
  EXPECT_EQ(file_name("/a/b/"), "b");
  EXPECT_EQ(file_name("b"), "b");
}

}  // namespace
}  // namespace cairn
