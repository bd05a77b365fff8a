// First lines of every op: what is legal. A violation is a bug of the caller and aborts with the op, the
// argument, what was expected and what was found.
#pragma once

#include <string>
#include <string_view>

#include "base/check.h"
#include "tensor/tensor_view.h"

namespace cairn::ops {

// Aborts unless `view` has this shape and dtype.  `argument` reads "rms_norm_forward: weight_D".
inline void check_view(std::string_view argument, const ConstTensorView& view, const Shape& shape,
                       DType dtype) {
  CHECK(view.dtype() == dtype, std::string(argument) + ": expected dtype " + std::string(dtype_name(dtype)) +
                                   ", got " + std::string(dtype_name(view.dtype())));
  CHECK(view.shape() == shape, std::string(argument) + ": expected shape " + shape.to_string() + ", got " +
                                   view.shape().to_string());
  CHECK(!view.is_null() || shape.num_elements() == 0, std::string(argument) + ": no memory");
}

inline void check_rank(std::string_view argument, const ConstTensorView& view, int rank) {
  CHECK(view.rank() == rank, std::string(argument) + ": expected rank " + std::to_string(rank) +
                                 ", got shape " + view.shape().to_string());
}

// Aborts unless `view` has this shape and holds what modules compute in: float32, on a GPU also bfloat16.
inline void check_activation(std::string_view argument, const ConstTensorView& view, const Shape& shape) {
  const bool is_half = view.device() == DeviceKind::kCuda && view.dtype() == DType::kBFloat16;
  check_view(argument, view, shape, is_half ? DType::kBFloat16 : DType::kFloat32);
}

// Aborts unless `amax`, where a GPU's kernel leaves the largest magnitude of what it writes, is a null view or one number.
inline void check_amax(std::string_view argument, const ConstTensorView& amax,
                       const ConstTensorView& written) {
  if (!amax.is_null()) {
    check_view(argument, amax, Shape{1}, DType::kFloat32);
    CHECK(written.device() == DeviceKind::kCuda, std::string(argument) + ": gathered on a GPU only");
  }
}

// Where the op runs: where its output lies.
inline bool is_on_gpu(const ConstTensorView& view) {
  return view.device() == DeviceKind::kCuda;
}

}  // namespace cairn::ops
