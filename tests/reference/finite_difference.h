// Central differences: the proof of a hand-written backward.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/reference/reference_ops.h"

namespace cairn::reference {

// The seed of a random test, moved by --gtest_random_seed=N; printed so that a failure can be repeated.
inline std::uint32_t test_seed() {
  const auto offset = static_cast<std::uint32_t>(GTEST_FLAG_GET(random_seed));
  std::cout << "[   SEED   ] --gtest_random_seed=" << offset << "\n";
  return 20260801U + offset;
}

inline Vector random_vector(std::mt19937& random, std::int64_t count, double scale) {
  std::normal_distribution<double> normal(0.0, scale);
  Vector v(static_cast<std::size_t>(count));
  for (double& x : v) {
    x = normal(random);
  }
  return v;
}

inline Indices random_indices(std::mt19937& random, std::int64_t count, std::int64_t end) {
  std::uniform_int_distribution<std::int32_t> uniform(0, static_cast<std::int32_t>(end - 1));
  Indices v(static_cast<std::size_t>(count));
  for (std::int32_t& x : v) {
    x = uniform(random);
  }
  return v;
}

inline double dot(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

// Fourth-order central difference of objective() by `entry`. The error is O(step^4) plus rounding, 1e-16 / step.
template <class Objective>
double central_difference(double& entry, double step, const Objective& objective) {
  const double saved = entry;
  const auto value = [&](double x) {
    entry = x;
    return objective();
  };
  const double inner = value(saved + step) - value(saved - step);
  const double outer = value(saved + 2.0 * step) - value(saved - 2.0 * step);
  entry = saved;
  return (8.0 * inner - outer) / (12.0 * step);
}

// At most `samples` entries of `x`, drawn at random, against the claimed `gradient`. The error is relative to the
// larger of the entry and the gradient's root mean square: an entry that cancels to nothing has no digits.
template <class Objective>
void expect_gradient(const std::string& name, Vector& x, const Vector& gradient, std::int64_t samples,
                     std::mt19937& random, const Objective& objective) {
  ASSERT_EQ(x.size(), gradient.size()) << name;
  const double rms = std::sqrt(dot(gradient, gradient) / static_cast<double>(gradient.size()));
  std::vector<std::size_t> entries(x.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i] = i;
  }
  std::shuffle(entries.begin(), entries.end(), random);
  entries.resize(std::min(entries.size(), static_cast<std::size_t>(samples)));
  for (const std::size_t i : entries) {
    const double expected = central_difference(x[i], 2e-5, objective);
    const double scale = std::max({std::abs(expected), rms, 1e-9});
    EXPECT_LT(std::abs(gradient[i] - expected) / scale, 1e-6)
        << name << "[" << i << "]: central difference " << expected << ", backward " << gradient[i];
  }
}

}  // namespace cairn::reference
