// Every op here gives the same bits on every machine and at every vector width. The numbers below were recorded
// once (x86-64 with AVX-512); builds for AVX2 and for aarch64 must reproduce them.
#include <cstdint>
#include <functional>
#include <vector>

#include "ops/activation.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

// Inputs from integer arithmetic alone: uniform in [-scale, scale), scale a power of two.
Floats portable_floats(std::uint64_t seed, std::int64_t count, float scale) {
  Floats values;
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
  for (std::int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const auto top = static_cast<std::int32_t>(state >> 40);  // 24 bits
    values.push_back(static_cast<float>(top - (1 << 23)) * 0x1.0p-23F * scale);
  }
  return values;
}

// FNV-1a over the bits of all values.
std::uint64_t fingerprint(const std::vector<Floats>& outputs) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const Floats& output : outputs) {
    for (const float value : output) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof(bits));
      for (int byte = 0; byte < 4; ++byte) {
        hash = (hash ^ ((bits >> (8 * byte)) & 0xFFU)) * 0x100000001B3U;
      }
    }
  }
  return hash;
}

constexpr std::int64_t kN = 37;
constexpr std::int64_t kD = 219;
const Shape kShape{kN, kD};

TEST(PortableBits, RmsNorm) {
  const Floats x = portable_floats(1, kN * kD, 4.0F), dy = portable_floats(2, kN * kD, 1.0F);
  const Floats weight = portable_floats(3, kD, 2.0F);
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats y(x.size()), rstd(kN), dx(x.size()), dweight(kD);
    rms_norm_forward(ctx, mutable_view(y, kShape), mutable_view(rstd, {kN}), view(x, kShape),
                     view(weight, {kD}), 1e-5F);
    rms_norm_backward(ctx, {mutable_view(dx, kShape), mutable_view(dweight, {kD}), view(dy, kShape),
                            view(x, kShape), view(weight, {kD}), view(rstd, {kN}), WriteMode::kOverwrite});
    return std::vector<Floats>{y, rstd, dx, dweight};
  });
  EXPECT_EQ(fingerprint(outputs), 0x5D98EAA1993BA3F0U);
}

TEST(PortableBits, Rope) {
  constexpr std::int64_t kP = 4000;
  const Floats x = portable_floats(4, 6 * 2 * 10, 2.0F);
  const Indices positions = {0, 1, 17, 900, 3999, 2048};
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    const Floats frequencies = {1.0F, 0.3F, 0.07F, 0.002F, 1e-5F};
    Floats cosines(kP * 5), sines(kP * 5), y(x.size()), dx(x.size());
    rope_table(ctx, mutable_view(cosines, {kP, 5}), mutable_view(sines, {kP, 5}), frequencies);
    rope_forward(ctx, mutable_view(y, {6, 2, 10}), view(x, {6, 2, 10}), view(positions),
                 view(cosines, {kP, 5}), view(sines, {kP, 5}));
    rope_backward(ctx, mutable_view(dx, {6, 2, 10}), view(x, {6, 2, 10}), view(positions),
                  view(cosines, {kP, 5}), view(sines, {kP, 5}));
    return std::vector<Floats>{cosines, sines, y, dx};
  });
  EXPECT_EQ(fingerprint(outputs), 0x99767A181A0DA37DU);
}

TEST(PortableBits, Xielu) {
  const Floats x = portable_floats(5, kN * kD, 8.0F), dy = portable_floats(6, kN * kD, 1.0F);
  const Floats a_p = {0.25F}, a_n = {-0.75F};
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats y(x.size()), dx(x.size()), da_p(1), da_n(1);
    xielu_forward(ctx, mutable_view(y, kShape), view(x, kShape), view(a_p, {1}), view(a_n, {1}), {});
    xielu_backward(ctx, {mutable_view(dx, kShape),
                         mutable_view(da_p, {1}),
                         mutable_view(da_n, {1}),
                         view(dy, kShape),
                         view(x, kShape),
                         view(a_p, {1}),
                         view(a_n, {1}),
                         {}});
    return std::vector<Floats>{y, dx, da_p, da_n};
  });
  EXPECT_EQ(fingerprint(outputs), 0xB382105175C15EB6U);
}

TEST(PortableBits, Swiglu) {
  const Floats gate = portable_floats(7, kN * kD, 8.0F), up = portable_floats(8, kN * kD, 2.0F);
  const Floats dy = portable_floats(9, kN * kD, 1.0F);
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats y(gate.size()), dgate(gate.size()), dup(gate.size());
    swiglu_forward(ctx, mutable_view(y, kShape), view(gate, kShape), view(up, kShape));
    swiglu_backward(ctx, mutable_view(dgate, kShape), mutable_view(dup, kShape), view(dy, kShape),
                    view(gate, kShape), view(up, kShape));
    return std::vector<Floats>{y, dgate, dup};
  });
  EXPECT_EQ(fingerprint(outputs), 0x022D0E4461ECA760U);
}

TEST(PortableBits, CrossEntropy) {
  constexpr std::int64_t kV = 9001;
  const Floats logits = portable_floats(10, 3 * kV, 16.0F), weight(3, 1.0F), dloss = {0.5F, 1.0F, -0.25F};
  const Indices targets = {0, 9000, 4096};
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats loss(3), lse(3), dlogits(logits.size());
    cross_entropy_forward(ctx, mutable_view(loss, {3}), mutable_view(lse, {3}), view(logits, {3, kV}),
                          view(targets), view(weight, {3}));
    cross_entropy_backward(ctx, mutable_view(dlogits, {3, kV}), view(logits, {3, kV}), view(lse, {3}),
                           view(targets), view(dloss, {3}));
    return std::vector<Floats>{loss, lse, dlogits};
  });
  EXPECT_EQ(fingerprint(outputs), 0x904A5554C7204E2EU);
}

}  // namespace
}  // namespace cairn::ops
