// A view of a dense row-major tensor that somebody else owns (an Arena, a mapped file, a test's vector).
// Carries its dims and dtype, so that no function ever takes a bare pointer and a count.
// Cheap to copy; never owns, never allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

#include "base/check.h"
#include "tensor/dtype.h"

namespace cairn {

enum class DeviceKind : std::uint8_t { kCpu, kCuda };

// Up to five dims, each >= 0. A scalar has rank 0 and one element.
class Shape {
 public:
  static constexpr int kRankMax = 5;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const std::int64_t> dims);

  int rank() const { return rank_; }
  std::int64_t dim(int index) const;  // negative counts from the end
  std::int64_t num_elements() const;
  std::span<const std::int64_t> dims() const { return {dims_.data(), static_cast<std::size_t>(rank_)}; }
  std::string to_string() const;  // "[2, 48, 512]"
  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<std::int64_t, kRankMax> dims_{};
  int rank_ = 0;
};

// Byte is std::byte (writable) or const std::byte.
template <class Byte>
class BasicTensorView {
 public:
  BasicTensorView() = default;
  BasicTensorView(Byte* data, Shape shape, DType dtype, DeviceKind device = DeviceKind::kCpu)
      : data_(data), shape_(shape), dtype_(dtype), device_(device) {}
  // A writable view converts to a read-only one.
  BasicTensorView(const BasicTensorView<std::byte>& other)  // NOLINT(google-explicit-constructor)
      requires std::is_const_v<Byte>
      : data_(other.bytes()), shape_(other.shape()), dtype_(other.dtype()), device_(other.device()) {}
  BasicTensorView(const BasicTensorView&) = default;
  BasicTensorView& operator=(const BasicTensorView&) = default;

  bool is_null() const { return data_ == nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  DeviceKind device() const { return device_; }
  int rank() const { return shape_.rank(); }
  std::int64_t dim(int index) const { return shape_.dim(index); }
  std::int64_t num_elements() const { return shape_.num_elements(); }
  std::int64_t num_bytes() const { return num_elements() * dtype_size(dtype_); }
  Byte* bytes() const { return data_; }

  // The elements, checked against the dtype. Host memory only.
  template <class T>
  auto data() const {
    CHECK(DTypeOf<T>::kValue == dtype_, "tensor view read as another dtype");
    CHECK(device_ == DeviceKind::kCpu, "device memory read on the host");
    using Element = std::conditional_t<std::is_const_v<Byte>, const T, T>;
    return reinterpret_cast<Element*>(data_);
  }
  template <class T>
  auto span() const {
    return std::span(data<T>(), static_cast<std::size_t>(num_elements()));
  }

  // Rows [begin, begin + count) of the first dim; shares memory.
  BasicTensorView rows(std::int64_t begin, std::int64_t count) const {
    CHECK(rank() >= 1 && begin >= 0 && count >= 0 && begin + count <= dim(0), "rows out of range");
    std::array<std::int64_t, Shape::kRankMax> dims{};
    std::int64_t row_elements = 1;
    for (int i = 0; i < rank(); ++i) {
      dims[static_cast<std::size_t>(i)] = i == 0 ? count : dim(i);
      row_elements *= i == 0 ? 1 : dim(i);
    }
    return {data_ + begin * row_elements * dtype_size(dtype_),
            Shape(std::span<const std::int64_t>(dims.data(), static_cast<std::size_t>(rank()))), dtype_,
            device_};
  }
  // The same elements under other dims; the count must agree.
  BasicTensorView reshape(Shape shape) const {
    CHECK(shape.num_elements() == num_elements(), "reshape changes the number of elements");
    return {data_, shape, dtype_, device_};
  }

 private:
  Byte* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::kFloat32;
  DeviceKind device_ = DeviceKind::kCpu;
};

using TensorView = BasicTensorView<std::byte>;
using ConstTensorView = BasicTensorView<const std::byte>;

// A view of a caller-owned array: make_view(vector, {2, 3}).
template <class T>
TensorView make_view(std::span<T> elements, Shape shape) {
  CHECK(shape.num_elements() == static_cast<std::int64_t>(elements.size()), "view size mismatch");
  return {reinterpret_cast<std::byte*>(elements.data()), shape, DTypeOf<T>::kValue};
}
template <class T>
ConstTensorView make_const_view(std::span<const T> elements, Shape shape) {
  CHECK(shape.num_elements() == static_cast<std::int64_t>(elements.size()), "view size mismatch");
  return {reinterpret_cast<const std::byte*>(elements.data()), shape, DTypeOf<T>::kValue};
}

}  // namespace cairn
