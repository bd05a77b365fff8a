#include "ops/attention.h"

#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

struct Case {
  std::int64_t B, T, H, G, C;
  std::int64_t query_offset = 0;
  bool has_documents = false;
};

class Attention : public testing::TestWithParam<Case> {
 protected:
  AttentionDims dims{GetParam().B,           GetParam().T, GetParam().query_offset + GetParam().T,
                     GetParam().H,           GetParam().G, GetParam().C,
                     GetParam().query_offset};
  reference::AttentionShape reference_shape{dims.B, dims.T, dims.S,           dims.H,
                                            dims.G, dims.C, dims.query_offset};
  std::mt19937 random{test_seed()};
  std::int64_t num_queries = dims.B * dims.T * dims.H * dims.C;
  std::int64_t num_keys = dims.B * dims.S * dims.G * dims.C;
  Floats q = random_floats(random, num_queries, 1.0);
  Floats k = random_floats(random, num_keys, 1.0);
  Floats v = random_floats(random, num_keys, 1.0);
  Floats d_o = random_floats(random, num_queries, 1.0);
  Indices first_key = documents();
  Shape shape_q{dims.B, dims.T, dims.H, dims.C};
  Shape shape_k{dims.B, dims.S, dims.G, dims.C};
  Shape shape_row{dims.B, dims.H, dims.T};
  // A score's own roundings (its terms nearly cancel, so sqrt(C) of them), exp, and the chain over the keys.
  double roundings =
      24 + 4 * std::sqrt(static_cast<double>(dims.C)) + 2 * std::sqrt(static_cast<double>(dims.S));

  // Documents of random lengths: each row's earliest key is the start of its document.
  Indices documents() {
    Indices first;
    for (std::int64_t b = 0; GetParam().has_documents && b < dims.B; ++b) {
      std::int32_t start = 0;
      for (std::int64_t t = 0; t < dims.T; ++t) {
        if (random() % 90 == 0) {
          start = static_cast<std::int32_t>(dims.query_offset + t);
        }
        first.push_back(start);
      }
    }
    return first;
  }
  ConstTensorView first_key_view() const {
    return first_key.empty() ? ConstTensorView() : view(first_key).reshape({dims.B, dims.T});
  }
  std::vector<Floats> forward(const OpContext& ctx) const {
    Floats o(q.size(), NAN);
    Floats lse(static_cast<std::size_t>(shape_row.num_elements()), NAN);
    attention_forward(ctx, dims, mutable_view(o, shape_q), mutable_view(lse, shape_row), view(q, shape_q),
                      view(k, shape_k), view(v, shape_k), first_key_view());
    return {o, lse};
  }
  std::vector<Floats> backward(const OpContext& ctx, const std::vector<Floats>& saved) const {
    Floats dq(q.size(), NAN);
    Floats dk(k.size(), NAN);
    Floats dv(v.size(), NAN);
    Floats delta(saved[1].size(), NAN);
    attention_backward(ctx, dims,
                       {.dq_BTHC = mutable_view(dq, shape_q),
                        .dk_BSGC = mutable_view(dk, shape_k),
                        .dv_BSGC = mutable_view(dv, shape_k),
                        .delta_BHT = mutable_view(delta, shape_row),
                        .do_BTHC = view(d_o, shape_q),
                        .q_BTHC = view(q, shape_q),
                        .k_BSGC = view(k, shape_k),
                        .v_BSGC = view(v, shape_k),
                        .o_BTHC = view(saved[0], shape_q),
                        .lse_BHT = view(saved[1], shape_row),
                        .mask = first_key_view()});
    return {dq, dk, dv};
  }
};

TEST_P(Attention, ForwardMatchesReference) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) { return forward(ctx); });
  const auto expected =
      reference::attention_forward(reference_shape, to_doubles(q), to_doubles(k), to_doubles(v), first_key);
  expect_close("o", outputs[0], expected.o_BTHC, roundings, 1.0);
  expect_close("lse", outputs[1], expected.lse_BHT, roundings, 1.0);
}

TEST_P(Attention, BackwardMatchesReference) {
  if (dims.query_offset != 0) {
    return;  // training has no cached keys
  }
  TestContext context(1);
  const std::vector<Floats> saved = forward(context.context());
  const auto outputs = run_deterministic([&](const OpContext& ctx) { return backward(ctx, saved); });
  const auto expected = reference::attention_backward(reference_shape, to_doubles(d_o), to_doubles(q),
                                                      to_doubles(k), to_doubles(v), first_key);
  // A key gathers from up to T queries of each head of its group: sums of about sqrt(T H / G) unit terms at the
  // first keys, each with the roundings of a dot product over C.
  const double gathered = std::sqrt(static_cast<double>(dims.T * dims.H / dims.G));
  const double scale = std::sqrt(static_cast<double>(dims.C));
  expect_close("dq", outputs[0], expected.dq_BTHC, roundings, scale);
  expect_close("dk", outputs[1], expected.dk_BSGC, roundings, scale + gathered);
  expect_close("dv", outputs[2], expected.dv_BSGC, roundings, scale + gathered);
}

// Sizes around the blocks of 64, 128 and 256 and the tiles, groups of heads, documents, cached keys.
INSTANTIATE_TEST_SUITE_P(Sizes, Attention,
                         testing::Values(Case{1, 1, 1, 1, 8}, Case{2, 37, 4, 2, 16}, Case{1, 64, 3, 3, 64},
                                         Case{1, 129, 2, 1, 64, 0, true}, Case{1, 300, 3, 1, 20, 0, true},
                                         Case{2, 257, 2, 2, 7}, Case{1, 545, 2, 1, 33, 0, true},
                                         Case{1, 140, 2, 1, 256}, Case{3, 70, 6, 2, 128, 0, true},
                                         Case{1, 1, 8, 2, 64, 299}, Case{1, 1, 8, 8, 128, 127},
                                         Case{1, 1, 6, 1, 40, 511, true}, Case{1, 5, 4, 2, 32, 130},
                                         Case{1, 70, 4, 1, 24, 200, true}));

// The reference is itself proved by central differences; this closes the circle on the op without it: the change
// of sum(do * o), taken in float64 from the op's own forward formula, against dq, dk and dv along a direction.
TEST(AttentionGradient, MatchesCentralDifferencesAlongRandomDirections) {
  std::mt19937 random(test_seed());
  const reference::AttentionShape shape{.B = 1, .T = 19, .S = 19, .H = 4, .G = 2, .C = 10};
  const Shape shape_q{1, 19, 4, 10};
  const Shape shape_k{1, 19, 2, 10};
  const Shape shape_row{1, 4, 19};
  const Floats q = random_floats(random, 760, 1.0);
  const Floats k = random_floats(random, 380, 1.0);
  const Floats v = random_floats(random, 380, 1.0);
  const Floats d_o = random_floats(random, 760, 1.0);
  Floats o(760), lse(76), delta(76), dq(760), dk(380), dv(380);
  TestContext context(2);
  const AttentionDims dims{1, 19, 19, 4, 2, 10};
  attention_forward(context.context(), dims, mutable_view(o, shape_q), mutable_view(lse, shape_row),
                    view(q, shape_q), view(k, shape_k), view(v, shape_k), {});
  attention_backward(context.context(), dims,
                     {mutable_view(dq, shape_q), mutable_view(dk, shape_k), mutable_view(dv, shape_k),
                      mutable_view(delta, shape_row), view(d_o, shape_q), view(q, shape_q), view(k, shape_k),
                      view(v, shape_k), view(o, shape_q), view(lse, shape_row), ConstTensorView()});
  for (int direction = 0; direction < 6; ++direction) {
    const Vector step_q = reference::random_vector(random, 760, 1.0);
    const Vector step_k = reference::random_vector(random, 380, 1.0);
    const Vector step_v = reference::random_vector(random, 380, 1.0);
    double distance = 0.0;
    const auto objective = [&] {
      const auto moved = [&](const Floats& x, const Vector& step) {
        Vector y = to_doubles(x);
        for (std::size_t i = 0; i < y.size(); ++i) {
          y[i] += distance * step[i];
        }
        return y;
      };
      const auto output =
          reference::attention_forward(shape, moved(q, step_q), moved(k, step_k), moved(v, step_v), {});
      return reference::dot(to_doubles(d_o), output.o_BTHC);
    };
    const double expected = reference::central_difference(distance, 1e-4, objective);
    const double actual = reference::dot(to_doubles(dq), step_q) + reference::dot(to_doubles(dk), step_k) +
                          reference::dot(to_doubles(dv), step_v);
    // 1520 terms of about unit size, each within some tens of roundings.
    EXPECT_NEAR(actual, expected, std::sqrt(1520.0) * 64 * kRounding);
  }
}

}  // namespace
}  // namespace cairn::ops
