#include "config/field_visitor.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

enum class Side : std::uint8_t { kLeft, kRight };
std::span<const std::string_view> enum_names(Side /*value*/) {
  static constexpr std::string_view kNames[] = {"left", "right"};
  return kNames;
}

template <class T>
Scalar set_and_get(T member, const Scalar& value) {
  const Leaf leaf = Leaf::of(member);
  leaf.set(value);
  return leaf.get();
}

TEST(Leaf, SetsAndGetsEveryMemberType) {
  EXPECT_EQ(set_and_get(false, true), Scalar(true));
  EXPECT_EQ(set_and_get(std::int64_t{1}, std::int64_t{5}), Scalar(std::int64_t{5}));
  EXPECT_EQ(set_and_get(1.0, 2.5), Scalar(2.5));
  EXPECT_EQ(set_and_get(std::string("a"), std::string("b")), Scalar(std::string("b")));
  EXPECT_EQ(set_and_get(Side::kLeft, std::string("right")), Scalar(std::string("right")));
  EXPECT_EQ(set_and_get(std::optional<double>(), 1.5), Scalar(1.5));
}

TEST(Leaf, AnUnsetOptionalHasNoValue) {
  std::optional<Side> member;
  const Leaf leaf = Leaf::of(member);
  EXPECT_EQ(leaf.kind(), LeafKind::kChoice);
  EXPECT_EQ(leaf.choices().size(), 2U);
  EXPECT_EQ(leaf.get(), Scalar{});
}

}  // namespace
}  // namespace cairn
