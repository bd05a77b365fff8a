#include "ops/op_context.h"

#include <algorithm>

#include "base/check.h"
#include "ops/attention_backends.h"
#include "ops/gemm_backends.h"

namespace cairn::ops {

std::int64_t workspace_bytes(int num_threads) {
  CHECK(num_threads >= 1, "a workspace is for at least one thread");
  return num_threads * std::max(cpu::gemm_scratch_bytes(), cpu::attention_scratch_bytes());
}

}  // namespace cairn::ops
