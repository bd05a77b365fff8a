#include "tests/reference/reference_ops.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace cairn::reference {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}
std::int64_t count(const Vector& v) {
  return static_cast<std::int64_t>(v.size());
}
double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

}  // namespace

Vector linear_forward(const Vector& x_NI, const Vector& w_OI, std::int64_t N, std::int64_t I,
                      std::int64_t O) {
  Vector y(at(N * O));
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t o = 0; o < O; ++o) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < I; ++i) {
        sum += x_NI[at(n * I + i)] * w_OI[at(o * I + i)];
      }
      y[at(n * O + o)] = sum;
    }
  }
  return y;
}

Vector linear_backward_input(const Vector& dy_NO, const Vector& w_OI, std::int64_t N, std::int64_t I,
                             std::int64_t O) {
  Vector dx(at(N * I));
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t o = 0; o < O; ++o) {
      for (std::int64_t i = 0; i < I; ++i) {
        dx[at(n * I + i)] += dy_NO[at(n * O + o)] * w_OI[at(o * I + i)];
      }
    }
  }
  return dx;
}

Vector linear_backward_weight(const Vector& dy_NO, const Vector& x_NI, std::int64_t N, std::int64_t I,
                              std::int64_t O) {
  Vector dw(at(O * I));
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t o = 0; o < O; ++o) {
      for (std::int64_t i = 0; i < I; ++i) {
        dw[at(o * I + i)] += dy_NO[at(n * O + o)] * x_NI[at(n * I + i)];
      }
    }
  }
  return dw;
}

Vector embedding_forward(const Vector& table_VD, const Indices& ids_N, std::int64_t D) {
  Vector out;
  for (const std::int32_t id : ids_N) {
    for (std::int64_t d = 0; d < D; ++d) {
      out.push_back(table_VD[at(id * D + d)]);
    }
  }
  return out;
}

Vector embedding_backward(const Vector& dout_ND, const Indices& ids_N, std::int64_t V, std::int64_t D) {
  Vector dtable(at(V * D));
  for (std::size_t n = 0; n < ids_N.size(); ++n) {
    for (std::int64_t d = 0; d < D; ++d) {
      dtable[at(ids_N[n] * D + d)] += dout_ND[n * at(D) + at(d)];
    }
  }
  return dtable;
}

Vector rms_norm_forward(const Vector& x_ND, const Vector& weight_D, double eps) {
  const std::int64_t D = count(weight_D);
  const std::int64_t N = count(x_ND) / D;
  Vector y(x_ND.size());
  for (std::int64_t n = 0; n < N; ++n) {
    double squares = 0.0;
    for (std::int64_t d = 0; d < D; ++d) {
      squares += x_ND[at(n * D + d)] * x_ND[at(n * D + d)];
    }
    const double rstd = 1.0 / std::sqrt(squares / static_cast<double>(D) + eps);
    for (std::int64_t d = 0; d < D; ++d) {
      y[at(n * D + d)] = x_ND[at(n * D + d)] * rstd * weight_D[at(d)];
    }
  }
  return y;
}

RmsNormGradients rms_norm_backward(const Vector& dy_ND, const Vector& x_ND, const Vector& weight_D,
                                   double eps) {
  const std::int64_t D = count(weight_D);
  const std::int64_t N = count(x_ND) / D;
  RmsNormGradients gradients{Vector(x_ND.size()), Vector(weight_D.size())};
  for (std::int64_t n = 0; n < N; ++n) {
    double squares = 0.0;
    double projection = 0.0;
    for (std::int64_t d = 0; d < D; ++d) {
      const double x = x_ND[at(n * D + d)];
      squares += x * x;
      projection += dy_ND[at(n * D + d)] * weight_D[at(d)] * x;
    }
    const double rstd = 1.0 / std::sqrt(squares / static_cast<double>(D) + eps);
    for (std::int64_t d = 0; d < D; ++d) {
      const double x = x_ND[at(n * D + d)];
      const double dy = dy_ND[at(n * D + d)];
      gradients.dx[at(n * D + d)] =
          rstd * dy * weight_D[at(d)] - x * rstd * rstd * rstd * projection / static_cast<double>(D);
      gradients.dweight[at(d)] += dy * x * rstd;
    }
  }
  return gradients;
}

Vector rope(const Vector& x_NHC, const Indices& positions_N, const Vector& inverse_frequency_K,
            std::int64_t H, int direction) {
  const std::int64_t half = count(inverse_frequency_K);
  const std::int64_t C = 2 * half;
  Vector y(x_NHC.size());
  for (std::size_t n = 0; n < positions_N.size(); ++n) {
    for (std::int64_t h = 0; h < H; ++h) {
      const std::int64_t row = (static_cast<std::int64_t>(n) * H + h) * C;
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle = direction * positions_N[n] * inverse_frequency_K[at(i)];
        const double a = x_NHC[at(row + i)];
        const double b = x_NHC[at(row + half + i)];
        y[at(row + i)] = a * std::cos(angle) - b * std::sin(angle);
        y[at(row + half + i)] = b * std::cos(angle) + a * std::sin(angle);
      }
    }
  }
  return y;
}

Vector xielu_forward(const Vector& x, const Xielu& xielu) {
  const double alpha_p = softplus(xielu.a_p);
  const double alpha_n = xielu.beta + softplus(xielu.a_n);
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    y[i] = v > 0.0 ? alpha_p * v * v + xielu.beta * v
                   : alpha_n * (std::expm1(std::min(v, xielu.eps)) - v) + xielu.beta * v;
  }
  return y;
}

XieluGradients xielu_backward(const Vector& dy, const Vector& x, const Xielu& xielu) {
  const double alpha_p = softplus(xielu.a_p);
  const double alpha_n = xielu.beta + softplus(xielu.a_n);
  XieluGradients gradients{Vector(x.size()), 0.0, 0.0};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    if (v > 0.0) {
      gradients.dx[i] = dy[i] * (2.0 * alpha_p * v + xielu.beta);
      gradients.da_p += dy[i] * sigmoid(xielu.a_p) * v * v;
    } else {
      // min(v, eps) is flat for v > eps.
      const double slope = v < xielu.eps ? std::exp(v) : 0.0;
      gradients.dx[i] = dy[i] * (alpha_n * (slope - 1.0) + xielu.beta);
      gradients.da_n += dy[i] * sigmoid(xielu.a_n) * (std::expm1(std::min(v, xielu.eps)) - v);
    }
  }
  return gradients;
}

Vector swiglu_forward(const Vector& gate, const Vector& up) {
  Vector y(gate.size());
  for (std::size_t i = 0; i < gate.size(); ++i) {
    y[i] = gate[i] * sigmoid(gate[i]) * up[i];
  }
  return y;
}

SwigluGradients swiglu_backward(const Vector& dy, const Vector& gate, const Vector& up) {
  SwigluGradients gradients{Vector(gate.size()), Vector(gate.size())};
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double s = sigmoid(gate[i]);
    gradients.dgate[i] = dy[i] * up[i] * (s + gate[i] * s * (1.0 - s));
    gradients.dup[i] = dy[i] * gate[i] * s;
  }
  return gradients;
}

namespace {

// The attended keys of one query row, their scores and the log-sum-exp.
struct AttentionRow {
  std::int64_t first = 0;
  Vector probability;  // of keys first, first + 1, ...
  double lse = 0.0;
};

AttentionRow attention_row(const AttentionShape& s, std::int64_t b, std::int64_t t, std::int64_t h,
                           const Vector& q_BTHC, const Vector& k_BSGC, const Indices& first_key_BT) {
  const std::int64_t g = h / (s.H / s.G);
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.C));
  AttentionRow row;
  row.first = first_key_BT.empty() ? 0 : first_key_BT[at(b * s.T + t)];
  double maximum = -std::numeric_limits<double>::infinity();
  for (std::int64_t key = row.first; key <= s.query_offset + t; ++key) {
    double dot = 0.0;
    for (std::int64_t c = 0; c < s.C; ++c) {
      dot +=
          q_BTHC[at(((b * s.T + t) * s.H + h) * s.C + c)] * k_BSGC[at(((b * s.S + key) * s.G + g) * s.C + c)];
    }
    row.probability.push_back(dot * scale);
    maximum = std::max(maximum, dot * scale);
  }
  double sum = 0.0;
  for (const double score : row.probability) {
    sum += std::exp(score - maximum);
  }
  row.lse = maximum + std::log(sum);
  for (double& p : row.probability) {
    p = std::exp(p - row.lse);
  }
  return row;
}

}  // namespace

AttentionOutput attention_forward(const AttentionShape& s, const Vector& q_BTHC, const Vector& k_BSGC,
                                  const Vector& v_BSGC, const Indices& first_key_BT) {
  AttentionOutput output{Vector(q_BTHC.size()), Vector(at(s.B * s.H * s.T))};
  for (std::int64_t b = 0; b < s.B; ++b) {
    for (std::int64_t h = 0; h < s.H; ++h) {
      for (std::int64_t t = 0; t < s.T; ++t) {
        const AttentionRow row = attention_row(s, b, t, h, q_BTHC, k_BSGC, first_key_BT);
        output.lse_BHT[at((b * s.H + h) * s.T + t)] = row.lse;
        for (std::int64_t j = 0; j < count(row.probability); ++j) {
          const std::int64_t value = ((b * s.S + row.first + j) * s.G + h / (s.H / s.G)) * s.C;
          for (std::int64_t c = 0; c < s.C; ++c) {
            output.o_BTHC[at(((b * s.T + t) * s.H + h) * s.C + c)] +=
                row.probability[at(j)] * v_BSGC[at(value + c)];
          }
        }
      }
    }
  }
  return output;
}

namespace {

// Adds one query row's share to all three gradients.
void attention_backward_row(const AttentionShape& s, const AttentionRow& row, std::int64_t query,
                            std::int64_t first_key_row, const Vector& do_BTHC, const Vector& q_BTHC,
                            const Vector& k_BSGC, const Vector& v_BSGC, AttentionGradients& gradients) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.C));
  Vector dp(row.probability.size());
  double delta = 0.0;  // sum_j p_j dp_j
  for (std::int64_t j = 0; j < count(dp); ++j) {
    for (std::int64_t c = 0; c < s.C; ++c) {
      dp[at(j)] += do_BTHC[at(query + c)] * v_BSGC[at(first_key_row + j * s.G * s.C + c)];
    }
    delta += row.probability[at(j)] * dp[at(j)];
  }
  for (std::int64_t j = 0; j < count(dp); ++j) {
    const std::int64_t key = first_key_row + j * s.G * s.C;
    const double p = row.probability[at(j)];
    const double dscore = p * (dp[at(j)] - delta) * scale;
    for (std::int64_t c = 0; c < s.C; ++c) {
      gradients.dv_BSGC[at(key + c)] += p * do_BTHC[at(query + c)];
      gradients.dq_BTHC[at(query + c)] += dscore * k_BSGC[at(key + c)];
      gradients.dk_BSGC[at(key + c)] += dscore * q_BTHC[at(query + c)];
    }
  }
}

}  // namespace

AttentionGradients attention_backward(const AttentionShape& s, const Vector& do_BTHC, const Vector& q_BTHC,
                                      const Vector& k_BSGC, const Vector& v_BSGC,
                                      const Indices& first_key_BT) {
  AttentionGradients gradients{Vector(q_BTHC.size()), Vector(k_BSGC.size()), Vector(v_BSGC.size())};
  for (std::int64_t b = 0; b < s.B; ++b) {
    for (std::int64_t h = 0; h < s.H; ++h) {
      for (std::int64_t t = 0; t < s.T; ++t) {
        const AttentionRow row = attention_row(s, b, t, h, q_BTHC, k_BSGC, first_key_BT);
        const std::int64_t query = ((b * s.T + t) * s.H + h) * s.C;
        const std::int64_t first_key_row = ((b * s.S + row.first) * s.G + h / (s.H / s.G)) * s.C;
        attention_backward_row(s, row, query, first_key_row, do_BTHC, q_BTHC, k_BSGC, v_BSGC, gradients);
      }
    }
  }
  return gradients;
}

namespace {

double log_sum_exp(const Vector& logits_NV, std::int64_t row, std::int64_t V) {
  double maximum = -std::numeric_limits<double>::infinity();
  for (std::int64_t v = 0; v < V; ++v) {
    maximum = std::max(maximum, logits_NV[at(row * V + v)]);
  }
  double sum = 0.0;
  for (std::int64_t v = 0; v < V; ++v) {
    sum += std::exp(logits_NV[at(row * V + v)] - maximum);
  }
  return maximum + std::log(sum);
}

}  // namespace

CrossEntropyOutput cross_entropy_forward(const Vector& logits_NV, const Indices& targets_N,
                                         const Vector& weight_N) {
  const std::int64_t N = static_cast<std::int64_t>(targets_N.size());
  const std::int64_t V = count(logits_NV) / N;
  CrossEntropyOutput output{Vector(at(N)), Vector(at(N))};
  for (std::int64_t n = 0; n < N; ++n) {
    output.lse_N[at(n)] = log_sum_exp(logits_NV, n, V);
    if (weight_N[at(n)] != 0.0) {
      output.loss_N[at(n)] = output.lse_N[at(n)] - logits_NV[at(n * V + targets_N[at(n)])];
    }
  }
  return output;
}

Vector cross_entropy_backward(const Vector& logits_NV, const Indices& targets_N, const Vector& dloss_N) {
  const std::int64_t N = static_cast<std::int64_t>(targets_N.size());
  const std::int64_t V = count(logits_NV) / N;
  Vector dlogits(logits_NV.size());
  for (std::int64_t n = 0; n < N; ++n) {
    if (dloss_N[at(n)] == 0.0) {
      continue;
    }
    const double lse = log_sum_exp(logits_NV, n, V);
    for (std::int64_t v = 0; v < V; ++v) {
      dlogits[at(n * V + v)] = std::exp(logits_NV[at(n * V + v)] - lse) * dloss_N[at(n)];
    }
    dlogits[at(n * V + targets_N[at(n)])] -= dloss_N[at(n)];
  }
  return dlogits;
}

Vector add(const Vector& a, const Vector& b) {
  Vector y(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    y[i] = a[i] + b[i];
  }
  return y;
}

}  // namespace cairn::reference
