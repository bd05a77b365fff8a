#include "tensor/tensor_view.h"

#include <algorithm>

namespace cairn {

Shape::Shape(std::span<const std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  CHECK(rank_ <= kRankMax, "a tensor has at most five dims");
  for (std::size_t i = 0; i < dims.size(); ++i) {
    CHECK(dims[i] >= 0, "a dim is never negative");
    dims_[i] = dims[i];
  }
}

std::int64_t Shape::dim(int index) const {
  const int position = index < 0 ? index + rank_ : index;
  CHECK(position >= 0 && position < rank_, "dim index out of range");
  return dims_[static_cast<std::size_t>(position)];
}

std::int64_t Shape::num_elements() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims()) {
    count *= dim;
  }
  return count;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dim(i));
  }
  return text + "]";
}

bool operator==(const Shape& a, const Shape& b) {
  return std::ranges::equal(a.dims(), b.dims());
}

}  // namespace cairn
