// The order in which gradients of microbatches are added: one binary tree over the global microbatch index,
// so that the sum has the same bits on one rank and on many.
//
// Rule for any count n > 1: split at the largest power of two below n,
//   sum[lo, lo + n) = sum[lo, lo + p) + sum[lo + p, lo + n).
// A rank that owns an aligned power-of-two block of microbatches owns a subtree. Walking the tree from the left
// needs one buffer per level that is waiting for its right half: a binary counter.
#pragma once

#include <cstdint>
#include <vector>

namespace cairn::parallel {

// Partial-sum buffers of gradient size needed beside the gradient itself: 0 for one microbatch, else
// floor(log2(n - 1)) + 1.
int num_partial_buffers(std::int64_t num_microbatches);

// What happens to the gradient buffer after a microbatch's backward has filled it.
struct ReductionAction {
  enum class Kind : std::uint8_t {
    kAddPartial,     // gradient = partial[level] + gradient
    kMoveToPartial,  // partial[level] = gradient; gradient = 0
  };
  Kind kind = Kind::kAddPartial;
  int level = 0;
};

// The actions after microbatch `index` of `count`, in order. After the last one the gradient holds the sum.
std::vector<ReductionAction> reduction_actions(std::int64_t index, std::int64_t count);

}  // namespace cairn::parallel
