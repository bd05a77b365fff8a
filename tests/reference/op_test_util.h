// What the tests of ops share: inputs that float32 holds exactly, bounds from the number of roundings, and the
// run-twice and thread-count checks. Parity is with reference_ops.h, whose backward is itself proved by central
// differences (reference_ops_test.cc).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "device/thread_pool.h"
#include "ops/op_context.h"
#include "tensor/tensor_view.h"
#include "tests/reference/finite_difference.h"
#include "tests/reference/reference_ops.h"

namespace cairn::ops {

using reference::Indices;
using reference::random_indices;
using reference::random_vector;
using reference::test_seed;
using reference::Vector;

using Floats = std::vector<float>;

// Half the distance from 1 to the next float: the largest relative error of one rounding.
inline constexpr double kRounding = 0x1.0p-24;

inline Floats to_floats(const Vector& v) {
  Floats f(v.size());
  std::transform(v.begin(), v.end(), f.begin(), [](double x) { return static_cast<float>(x); });
  return f;
}

inline Vector to_doubles(const Floats& f) {
  return Vector(f.begin(), f.end());
}

// Normal numbers rounded to float32: the op and the reference see the same inputs.
inline Floats random_floats(std::mt19937& random, std::int64_t count, double scale) {
  return to_floats(random_vector(random, count, scale));
}

inline ConstTensorView view(const Floats& f, Shape shape) {
  return make_const_view<float>(f, shape);
}
inline TensorView mutable_view(Floats& f, Shape shape) {
  return make_view<float>(f, shape);
}
inline ConstTensorView view(const Indices& ids) {
  return make_const_view<std::int32_t>(ids, Shape{static_cast<std::int64_t>(ids.size())});
}

// Workers and workspace of one test run.
class TestContext {
 public:
  explicit TestContext(int num_threads)
      : pool_(num_threads), workspace_(static_cast<std::size_t>(workspace_bytes(num_threads))) {}
  OpContext context() {
    return {pool_, make_view<std::uint8_t>(workspace_, Shape{static_cast<std::int64_t>(workspace_.size())})};
  }

 private:
  ThreadPool pool_;
  std::vector<std::uint8_t> workspace_;
};

// Calls run(context), which returns what the op wrote, twice on one worker and once on two and three: all the same
// bits. Returns them.
inline std::vector<Floats> run_deterministic(
    const std::function<std::vector<Floats>(const OpContext&)>& run) {
  std::vector<Floats> expected;
  for (const int num_threads : {1, 1, 2, 3}) {
    TestContext context(num_threads);
    const std::vector<Floats> outputs = run(context.context());
    if (expected.empty()) {
      expected = outputs;
      continue;
    }
    EXPECT_EQ(outputs.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(outputs[i].size(), expected[i].size());
      EXPECT_EQ(std::memcmp(outputs[i].data(), expected[i].data(), expected[i].size() * sizeof(float)), 0)
          << "output " << i << " has other bits with " << num_threads << " threads";
    }
  }
  return expected;
}

// The worst element must be within num_roundings float32 roundings of max(|expected|, scale).
// `scale`: size of the terms that the element is a sum of (1 for sums of unit normal numbers).
inline void expect_close(const std::string& name, const Floats& actual, const Vector& expected,
                         double num_roundings, double scale) {
  ASSERT_EQ(actual.size(), expected.size()) << name;
  double worst = -1.0;
  std::size_t worst_index = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(actual[i]) - expected[i]);
    const double bound = num_roundings * kRounding * std::max(std::abs(expected[i]), scale);
    if (!(error / bound <= worst)) {  // NaN counts as worst
      worst = error / bound;
      worst_index = i;
    }
  }
  if (!expected.empty()) {
    EXPECT_LE(worst, 1.0) << name << "[" << worst_index << "]: expected " << expected[worst_index] << ", got "
                          << actual[worst_index] << ", bound of " << num_roundings << " roundings at scale "
                          << scale;
  }
}

}  // namespace cairn::ops
