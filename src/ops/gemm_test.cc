#include "ops/gemm.h"

#include "ops/gemm_backends.h"
#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

// The contract in three loops: element (i, j) is one chain of fma over k.
struct Naive {
  std::int64_t m, n, k;
  const Floats& a;
  const Floats& b;
  bool a_is_k_major, b_is_k_major;

  float a_at(std::int64_t i, std::int64_t l) const {
    return a[static_cast<std::size_t>(a_is_k_major ? l * m + i : i * k + l)];
  }
  float b_at(std::int64_t l, std::int64_t j) const {
    return b[static_cast<std::size_t>(b_is_k_major ? l * n + j : j * k + l)];
  }
  void run(Floats& c, WriteMode mode) const {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        float& out = c[static_cast<std::size_t>(i * n + j)];
        float sum = mode == WriteMode::kAdd ? out : 0.0F;
        for (std::int64_t l = 0; l < k; ++l) {
          sum = std::fma(a_at(i, l), b_at(l, j), sum);
        }
        out = sum;
      }
    }
  }
};

// A size that hits tiles, blocks and their edges.
std::int64_t random_size(std::mt19937& random, std::int64_t around) {
  switch (random() % 3) {
    case 0:
      return 1 + static_cast<std::int64_t>(random() % 40);
    case 1:
      return 1 + static_cast<std::int64_t>(random() % 300);
    default:
      return around - 2 + static_cast<std::int64_t>(random() % 5);
  }
}

struct Layer {
  std::int64_t N, O, I;
  Floats x, w, y, dy, dx, dw;

  Layer(std::mt19937& random, std::int64_t rows, std::int64_t outputs, std::int64_t inputs)
      : N(rows),
        O(outputs),
        I(inputs),
        x(random_floats(random, N * I, 1.0)),
        w(random_floats(random, O * I, 1.0)),
        y(random_floats(random, N * O, 1.0)),
        dy(random_floats(random, N * O, 1.0)),
        dx(random_floats(random, N * I, 1.0)),
        dw(random_floats(random, O * I, 1.0)) {}
  Floats forward(const OpContext& ctx, WriteMode mode) const {
    Floats out = y;
    linear_forward(ctx, mutable_view(out, {N, O}), view(x, {N, I}), view(w, {O, I}), mode);
    return out;
  }
  Floats backward_input(const OpContext& ctx, WriteMode mode) const {
    Floats out = dx;
    linear_backward_input(ctx, mutable_view(out, {N, I}), view(dy, {N, O}), view(w, {O, I}), mode);
    return out;
  }
  Floats backward_weight(const OpContext& ctx) const {
    Floats out = dw;
    linear_backward_weight(ctx, mutable_view(out, {O, I}), view(dy, {N, O}), view(x, {N, I}));
    return out;
  }
};

TEST(Gemm, EqualsThreeLoopsBitForBit) {
  std::mt19937 random(test_seed());
  for (int round = 0; round < 24; ++round) {
    // Around the blocks of rows, columns and depth, one at a time to keep the loops short.
    const Layer layer(random, random_size(random, round % 4 == 0 ? 512 : 14),
                      random_size(random, round % 4 == 1 ? 1024 : 128),
                      random_size(random, round % 4 == 2 ? 1024 : 512));
    SCOPED_TRACE("N x O x I = " + std::to_string(layer.N) + " x " + std::to_string(layer.O) + " x " +
                 std::to_string(layer.I));
    const WriteMode mode = round % 2 == 0 ? WriteMode::kOverwrite : WriteMode::kAdd;
    const auto outputs = run_deterministic([&](const OpContext& ctx) {
      return std::vector{layer.forward(ctx, mode), layer.backward_input(ctx, mode),
                         layer.backward_weight(ctx)};
    });
    Floats y = layer.y;
    Naive{layer.N, layer.O, layer.I, layer.x, layer.w, false, false}.run(y, mode);
    EXPECT_TRUE(outputs[0] == y) << "forward";
    Floats dx = layer.dx;
    Naive{layer.N, layer.I, layer.O, layer.dy, layer.w, false, true}.run(dx, mode);
    EXPECT_TRUE(outputs[1] == dx) << "backward_input";
    Floats dw = layer.dw;
    Naive{layer.O, layer.I, layer.N, layer.dy, layer.x, true, true}.run(dw, WriteMode::kAdd);
    EXPECT_TRUE(outputs[2] == dw) << "backward_weight";
  }
}

TEST(Gemm, OneRowEqualsThreeLoopsBitForBit) {
  std::mt19937 random(test_seed());
  for (const std::int64_t O : {1, 15, 64, 333, 1000}) {
    const Layer layer(random, 1, O, 1 + static_cast<std::int64_t>(random() % 900));
    const auto outputs = run_deterministic([&](const OpContext& ctx) {
      return std::vector{layer.forward(ctx, WriteMode::kOverwrite), layer.forward(ctx, WriteMode::kAdd),
                         layer.backward_input(ctx, WriteMode::kOverwrite)};
    });
    Floats y = layer.y;
    const Naive forward{1, O, layer.I, layer.x, layer.w, false, false};
    forward.run(y, WriteMode::kOverwrite);
    EXPECT_TRUE(outputs[0] == y) << "O = " << O << ", I = " << layer.I;
    y = layer.y;
    forward.run(y, WriteMode::kAdd);
    EXPECT_TRUE(outputs[1] == y) << "O = " << O << ", I = " << layer.I;
    Floats dx = layer.dx;
    Naive{1, layer.I, O, layer.dy, layer.w, false, true}.run(dx, WriteMode::kOverwrite);
    EXPECT_TRUE(outputs[2] == dx) << "O = " << O << ", I = " << layer.I;
  }
}

// Any cut of rows, columns and depth into calls on strided blocks gives the bits of the whole.
TEST(Gemm, CutsDoNotChangeABit) {
  std::mt19937 random(test_seed());
  std::vector<std::byte> scratch(static_cast<std::size_t>(cpu::gemm_scratch_bytes()));
  for (int round = 0; round < 12; ++round) {
    const std::int64_t m = random_size(random, round % 3 == 0 ? 336 : 42);
    const std::int64_t n = random_size(random, round % 3 == 1 ? 1024 : 128);
    const std::int64_t k = random_size(random, 512);
    const bool a_is_k_major = round % 2 == 1;
    const bool b_is_k_major = round % 3 != 0;
    const Floats a = random_floats(random, m * k, 1.0);
    const Floats b = random_floats(random, k * n, 1.0);
    Floats expected(static_cast<std::size_t>(m * n));
    Naive{m, n, k, a, b, a_is_k_major, b_is_k_major}.run(expected, WriteMode::kOverwrite);
    Floats actual(static_cast<std::size_t>(m * n), NAN);
    const auto cut = [&](std::int64_t size) {
      return std::uniform_int_distribution<std::int64_t>(0, size)(random);
    };
    const std::int64_t cuts_m[] = {0, cut(m), m};
    const std::int64_t cuts_n[] = {0, cut(n), n};
    const std::int64_t cuts_k[] = {0, cut(k), k};
    for (int part = 0; part < 8; ++part) {
      const int pm = part / 4;
      const int pn = part / 2 % 2;
      const int pk = part % 2;
      const std::int64_t i = cuts_m[pm];
      const std::int64_t j = cuts_n[pn];
      const std::int64_t l = cuts_k[pk];
      cpu::gemm_on_one_thread({.c = actual.data() + i * n + j,
                               .a = a.data() + (a_is_k_major ? l * m + i : i * k + l),
                               .b = b.data() + (b_is_k_major ? l * n + j : j * k + l),
                               .m = cuts_m[pm + 1] - i,
                               .n = cuts_n[pn + 1] - j,
                               .k = cuts_k[pk + 1] - l,
                               .ldc = n,
                               .lda = a_is_k_major ? m : k,
                               .ldb = b_is_k_major ? n : k,
                               .a_is_k_major = a_is_k_major,
                               .b_is_k_major = b_is_k_major,
                               .mode = pk == 0 ? WriteMode::kOverwrite : WriteMode::kAdd},
                              scratch.data());
    }
    EXPECT_TRUE(actual == expected) << m << " x " << n << " x " << k << " cut at " << cuts_m[1] << ", "
                                    << cuts_n[1] << ", " << cuts_k[1];
  }
}

TEST(Gemm, EmptySumsAreZeroOrTheOldValue) {
  std::mt19937 random(test_seed());
  TestContext context(2);
  const Layer layer(random, 5, 7, 0);
  EXPECT_EQ(layer.forward(context.context(), WriteMode::kOverwrite), Floats(35, 0.0F));
  EXPECT_EQ(layer.forward(context.context(), WriteMode::kAdd), layer.y);
  const Layer no_rows(random, 0, 7, 3);
  EXPECT_TRUE(no_rows.forward(context.context(), WriteMode::kOverwrite).empty());
  EXPECT_EQ(no_rows.backward_weight(context.context()), no_rows.dw);
}

TEST(GemmDeathTest, RefusesShapesThatDoNotMatch) {
  TestContext context(1);
  Floats y(6);
  const Floats x(8);
  const Floats w(12);
  EXPECT_DEATH(linear_forward(context.context(), mutable_view(y, {2, 3}), view(x, {2, 4}), view(w, {4, 3}),
                              WriteMode::kOverwrite),
               "linear_forward");
}

}  // namespace
}  // namespace cairn::ops
