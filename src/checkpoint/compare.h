// Tensor by tensor comparison of two checkpoints or model folders: what `cairn checkpoint diff` does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn::checkpoint {

struct TensorDifference {
  std::string group;  // "weights" or a moment
  std::string name;
  bool is_in_a = false;
  bool is_in_b = false;
  bool has_same_shape = false;
  bool is_bitwise_equal = false;   // as float32
  std::int64_t num_different = 0;  // elements whose bits differ
  double difference_max = 0.0;     // largest |a - b|; infinite when one side is NaN or infinite alone
};

struct Comparison {
  std::string a, b;                       // the folders that were read
  std::vector<TensorDifference> tensors;  // all tensors of both, by group and name
  std::int64_t num_equal = 0;
  bool has_state = false;                      // both are checkpoints
  std::vector<std::string> state_differences;  // lines "step: 20, 40"; elapsed time is left out
  bool is_equal() const {
    return num_equal == static_cast<std::int64_t>(tensors.size()) && state_differences.empty();
  }
};

// Run folders stand for their newest good checkpoint; checkpoints are verified. Holds one pair of tensors at a time.
Result<Comparison> compare_checkpoints(FileSystem& files, const std::string& a, const std::string& b);

}  // namespace cairn::checkpoint
