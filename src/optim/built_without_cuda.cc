// The GPU bodies of a program built without CUDA: no tensor of it lies on a GPU, so that a call is a bug.
#include "base/check.h"
#include "optim/optimizer_backends.h"

namespace cairn::optim::cuda {

void adamw(CudaDevice& /*device*/, const OptimElements& /*elements*/, const AdamWScalars& /*scalars*/) {
  CHECK(false, "adamw: built without CUDA");
}
void ademamix(CudaDevice& /*device*/, const OptimElements& /*elements*/, const AdemamixScalars& /*scalars*/) {
  CHECK(false, "ademamix: built without CUDA");
}
void chunk_squares(CudaDevice& /*device*/, double* /*partials*/, const float* /*x*/, std::int64_t /*count*/,
                   std::int64_t /*chunk*/) {
  CHECK(false, "gradient norm: built without CUDA");
}

}  // namespace cairn::optim::cuda
