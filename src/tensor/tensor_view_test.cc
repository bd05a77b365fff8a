#include "tensor/tensor_view.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

TEST(Shape, DimsCountsAndText) {
  const Shape shape = {2, 48, 512};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.dim(0), 2);
  EXPECT_EQ(shape.dim(-1), 512);
  EXPECT_EQ(shape.dim(-3), 2);
  EXPECT_EQ(shape.num_elements(), 2 * 48 * 512);
  EXPECT_EQ(shape.to_string(), "[2, 48, 512]");
  EXPECT_EQ(Shape().num_elements(), 1);
  EXPECT_EQ(Shape().to_string(), "[]");
  EXPECT_EQ((Shape{3, 0}).num_elements(), 0);
  EXPECT_TRUE((Shape{1, 2}) == (Shape{1, 2}));
  EXPECT_FALSE((Shape{1, 2}) == (Shape{2, 1}));
  EXPECT_FALSE((Shape{1}) == (Shape{1, 1}));
}

TEST(ShapeDeathTest, MisuseIsABug) {
  const std::vector<std::int64_t> six(6, 1);
  EXPECT_DEATH(Shape(std::span<const std::int64_t>(six)), "at most five");
  EXPECT_DEATH((Shape{-1}), "never negative");
  EXPECT_DEATH(static_cast<void>((Shape{1, 2}).dim(2)), "out of range");
  EXPECT_DEATH(static_cast<void>((Shape{1, 2}).dim(-3)), "out of range");
}

TEST(TensorView, RowsShareMemory) {
  std::vector<float> values(12);
  std::iota(values.begin(), values.end(), 0.0F);
  const TensorView view = make_view(std::span(values), {4, 3});
  const TensorView middle = view.rows(1, 2);
  EXPECT_EQ(middle.shape(), (Shape{2, 3}));
  EXPECT_EQ(middle.span<float>()[0], 3.0F);
  middle.span<float>()[5] = 100;
  EXPECT_EQ(values[8], 100.0F);
  EXPECT_EQ(view.rows(4, 0).num_elements(), 0);
  EXPECT_EQ(view.num_bytes(), 48);
}

// Cutting any tensor into rows anywhere and reading the parts in order gives the tensor.
TEST(TensorView, RowsCoverTheTensorWhereverItIsCut) {
  constexpr std::uint64_t kSeed = 3;
  RandomStream random(random_key(kSeed, "rows"), 0);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<std::int64_t> dims(1 + random.next_below(5));
    for (std::int64_t& dim : dims) {
      dim = static_cast<std::int64_t>(random.next_below(5));
    }
    const Shape shape{std::span<const std::int64_t>(dims)};
    std::vector<std::int32_t> values(static_cast<std::size_t>(shape.num_elements()));
    std::iota(values.begin(), values.end(), 0);
    const TensorView view = make_view(std::span(values), shape);
    const auto cut = static_cast<std::int64_t>(random.next_below(static_cast<std::uint64_t>(dims[0]) + 1));
    std::vector<std::int32_t> joined;
    for (const TensorView part : {view.rows(0, cut), view.rows(cut, dims[0] - cut)}) {
      const auto elements = part.span<std::int32_t>();
      joined.insert(joined.end(), elements.begin(), elements.end());
    }
    ASSERT_EQ(joined, values) << "seed " << kSeed << " trial " << trial << " shape " << shape.to_string();
  }
}

TEST(TensorView, ConvertsToReadOnlyAndReshapes) {
  std::vector<std::int64_t> values = {1, 2, 3, 4, 5, 6};
  const TensorView view = make_view(std::span(values), {6});
  const ConstTensorView read_only = view;
  EXPECT_EQ(read_only.reshape({2, 3}).rows(1, 1).span<std::int64_t>()[2], 6);
  EXPECT_FALSE(read_only.is_null());
  EXPECT_TRUE(TensorView().is_null());
  const std::vector<std::int64_t>& constant = values;
  EXPECT_EQ(make_const_view(std::span(constant), {3, 2}).dim(-1), 2);
}

TEST(TensorViewDeathTest, MisuseIsABug) {
  std::vector<float> values(6);
  const TensorView view = make_view(std::span(values), {2, 3});
  EXPECT_DEATH(static_cast<void>(view.data<std::int32_t>()), "another dtype");
  EXPECT_DEATH(static_cast<void>(view.rows(1, 2)), "out of range");
  EXPECT_DEATH(static_cast<void>(view.rows(-1, 1)), "out of range");
  EXPECT_DEATH(static_cast<void>(view.reshape({5})), "number of elements");
  EXPECT_DEATH(static_cast<void>(make_view(std::span(values), {7})), "size mismatch");
  const TensorView remote(view.bytes(), view.shape(), DType::kFloat32, DeviceKind::kCuda);
  EXPECT_DEATH(static_cast<void>(remote.data<float>()), "device memory");
}

}  // namespace
}  // namespace cairn
