// Every op on the GPU against its CPU body (which the other tests of this folder hold against float64), in float32
// and bfloat16, and twice for the same bits. Skipped where there is no GPU.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "device/cuda_device.h"
#include "device/memory.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/fill.h"
#include "ops/fp8.h"
#include "ops/gemm.h"
#include "ops/norm_rope.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

constexpr std::int64_t kArenaBytes = std::int64_t{256} << 20;
constexpr std::int64_t kWorkspaceBytes = std::int64_t{1} << 30;  // on the GPU

Floats rounded(Floats values, DType dtype) {
  if (dtype == DType::kBFloat16) {
    for (float& value : values) {
      value = bfloat16_to_float(float_to_bfloat16(value));
    }
  }
  return values;
}

// One back end with memory for the tensors of a test: put() and get() are the only ways in and out.
class Bench {
 public:
  Bench(CudaDevice* device, DType dtype)
      : device_(device), dtype_(device == nullptr ? DType::kFloat32 : dtype), pool_(2) {
    const auto made = [&](std::int64_t bytes) {
      auto arena =
          device_ == nullptr ? Arena::create(bytes) : Arena::create_on(*device_, bytes, DeviceKind::kCuda);
      CHECK(arena.ok(), "no memory for a test");
      return std::move(*arena);
    };
    arena_ = made(kArenaBytes);
    workspace_ = made(device_ == nullptr ? workspace_bytes(2) : kWorkspaceBytes);
  }
  OpContext context() {
    return {
        pool_, {workspace_.data(), Shape{workspace_.num_bytes()}, DType::kUint8, workspace_.kind()}, device_};
  }
  // In the compute dtype, or in float32.
  TensorView put(const Floats& values, Shape shape) { return put_as(values, shape, dtype_); }
  TensorView put_float(const Floats& values, Shape shape) { return put_as(values, shape, DType::kFloat32); }
  TensorView put_ids(const Indices& ids, Shape shape) {
    const TensorView view = take(shape, DType::kInt32);
    write(view, ids.data());
    return view;
  }
  std::vector<std::uint8_t> get_bytes(const TensorView& view) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(view.num_bytes()));
    device_->copy_to_host(reinterpret_cast<std::byte*>(bytes.data()), view.bytes(), view.num_bytes());
    EXPECT_TRUE(device_->synchronize().ok());
    return bytes;
  }
  TensorView take(Shape shape, DType dtype) {
    const TensorView view(arena_.data() + used_, shape, dtype, arena_.kind());
    used_ += (view.num_bytes() + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
    CHECK(used_ <= arena_.num_bytes(), "the test needs more memory");
    return view;
  }
  Floats get(const TensorView& view) {
    Floats values(static_cast<std::size_t>(view.num_elements()));
    std::vector<std::byte> bytes(static_cast<std::size_t>(view.num_bytes()));
    if (device_ == nullptr) {
      std::memcpy(bytes.data(), view.bytes(), bytes.size());
    } else {
      device_->copy_to_host(bytes.data(), view.bytes(), view.num_bytes());
      const Status status = device_->synchronize();
      EXPECT_TRUE(status.ok()) << status.message();
    }
    if (view.dtype() == DType::kFloat32) {
      std::memcpy(values.data(), bytes.data(), bytes.size());
      return values;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      BFloat16 element{};
      std::memcpy(&element, bytes.data() + 2 * i, 2);
      values[i] = bfloat16_to_float(element);
    }
    return values;
  }

 private:
  void write(const TensorView& view, const void* from) {
    if (device_ == nullptr) {
      std::memcpy(view.bytes(), from, static_cast<std::size_t>(view.num_bytes()));
      return;
    }
    device_->copy_to_device(view.bytes(), static_cast<const std::byte*>(from), view.num_bytes());
    EXPECT_TRUE(device_->synchronize().ok());
  }
  TensorView put_as(const Floats& values, Shape shape, DType dtype) {
    const TensorView view = take(shape, dtype);
    if (dtype == DType::kFloat32) {
      write(view, values.data());
      return view;
    }
    std::vector<BFloat16> halves;
    for (const float value : values) {
      halves.push_back(float_to_bfloat16(value));
    }
    write(view, halves.data());
    return view;
  }

  CudaDevice* device_;
  DType dtype_;
  ThreadPool pool_;
  Arena arena_, workspace_;
  std::int64_t used_ = 0;
};

using Outputs = std::vector<Floats>;
using Body = std::function<Outputs(Bench&)>;

class CudaOps : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (CudaDevice::count() == 0) {
      GTEST_SKIP() << "no GPU";
    }
    auto device = CudaDevice::open(0);
    ASSERT_TRUE(device.ok()) << device.status().message();
    device_ = std::move(*device);
  }
  DType dtype() const { return GetParam(); }
  Floats floats(std::int64_t count, double scale = 1.0) {
    return rounded(random_floats(random_, count, scale), dtype());
  }
  Floats master_floats(std::int64_t count, double scale = 1.0) {
    return random_floats(random_, count, scale);
  }

  // At most so many roundings of float32, or of bfloat16 where the op rounds to it, relative to the element and to the root mean square of its tensor.
  void compare(const std::string& name, double float_roundings, double half_roundings, const Body& run) {
    compare_runs(name, float_roundings, half_roundings, true, run);
  }
  void compare_runs(const std::string& name, double float_roundings, double half_roundings,
                    bool has_fixed_bits, const Body& run) {
    const double roundings = dtype() == DType::kFloat32 ? float_roundings : half_roundings;
    Bench cpu(nullptr, DType::kFloat32);
    Bench gpu(device_.get(), dtype());
    Bench again(device_.get(), dtype());
    const Outputs expected = run(cpu);
    const Outputs actual = run(gpu);
    if (has_fixed_bits) {
      EXPECT_EQ(actual, run(again)) << name << ": two runs differ";
    }
    const double unit = dtype() == DType::kFloat32 ? 0x1.0p-24 : 0x1.0p-9;
    ASSERT_EQ(expected.size(), actual.size());
    for (std::size_t o = 0; o < expected.size(); ++o) {
      double squares = 0.0;
      for (const float value : expected[o]) {
        squares += static_cast<double>(value) * static_cast<double>(value);
      }
      const double rms =
          std::sqrt(squares / static_cast<double>(std::max<std::size_t>(expected[o].size(), 1)));
      double worst = 0.0;
      for (std::size_t i = 0; i < expected[o].size(); ++i) {
        const auto value = static_cast<double>(expected[o][i]);
        const double error = std::abs(static_cast<double>(actual[o][i]) - value);
        const double bound = roundings * unit * (std::abs(value) + rms) + 1e-30;
        worst = error / bound <= worst ? worst : error / bound;  // NaN counts as worst
      }
      EXPECT_LE(worst, 1.0) << name << ", output " << o << ": " << worst * roundings << " roundings";
    }
  }

  std::unique_ptr<CudaDevice> device_;
  std::mt19937 random_{test_seed()};
};

TEST_P(CudaOps, Linear) {
  struct Case {
    std::int64_t N, O, I;
  };
  for (const Case c : {Case{3, 5, 7}, Case{64, 48, 32}, Case{130, 257, 96}, Case{512, 768, 512}}) {
    const Floats x = floats(c.N * c.I), w = floats(c.O * c.I), dy = floats(c.N * c.O), y = floats(c.N * c.O);
    const Floats dw = master_floats(c.O * c.I);
    compare("linear", 4 + std::sqrt(static_cast<double>(c.I + c.O + c.N)), 3, [&](Bench& b) {
      const TensorView x_NI = b.put(x, {c.N, c.I}), w_OI = b.put(w, {c.O, c.I}),
                       dy_NO = b.put(dy, {c.N, c.O});
      const TensorView y_NO = b.put(y, {c.N, c.O}), added = b.put(y, {c.N, c.O}), dx = b.put(x, {c.N, c.I});
      const TensorView dw_OI = b.put_float(dw, {c.O, c.I});
      linear_forward(b.context(), y_NO, x_NI, w_OI, WriteMode::kOverwrite);
      linear_forward(b.context(), added, x_NI, w_OI, WriteMode::kAdd);
      const TensorView onto = b.put(dy, {c.N, c.O});
      linear_forward_onto(b.context(), onto, y_NO, x_NI, w_OI);
      linear_backward_input(b.context(), dx, dy_NO, w_OI, WriteMode::kOverwrite);
      linear_backward_weight(b.context(), dw_OI, dy_NO, x_NI);
      return Outputs{b.get(y_NO), b.get(added), b.get(onto), b.get(dx), b.get(dw_OI)};
    });
  }
}

// Tuned products have the values of untuned ones, and the choices read back from their text give the same bits.
TEST_P(CudaOps, TunedProducts) {
  const std::int64_t N = 512, O = 768, I = 256;
  const Floats x = floats(N * I), w = floats(O * I);
  const Body run = [&](Bench& b) {
    const TensorView y_NO = b.put(Floats(static_cast<std::size_t>(N * O)), {N, O});
    linear_forward(b.context(), y_NO, b.put(x, {N, I}), b.put(w, {O, I}), WriteMode::kOverwrite);
    return Outputs{b.get(y_NO)};
  };
  set_product_tuning(*device_, true);
  // Twice the bound of an untuned one: a kernel that sums several parts of I may win.
  compare("tuned linear", 2 * (4 + std::sqrt(static_cast<double>(I))), 3, run);
  set_product_tuning(*device_, false);
  const std::string choices = product_choices(*device_);
  EXPECT_GT(std::count(choices.begin(), choices.end(), '\n'), 1);
  Bench first(device_.get(), dtype());
  const Outputs expected = run(first);
  auto other = CudaDevice::open(0);
  ASSERT_TRUE(other.ok());
  device_ = std::move(*other);
  ASSERT_TRUE(use_product_choices(*device_, choices).ok());
  EXPECT_EQ(product_choices(*device_), choices);
  Bench second(device_.get(), dtype());
  EXPECT_EQ(run(second), expected);
  EXPECT_FALSE(use_product_choices(*device_, "cairn product choices 2, cublasLt 1, another GPU\n").ok());
  EXPECT_FALSE(use_product_choices(*device_, choices + "1 2 3 : zz\n").ok());
}

TEST_P(CudaOps, RmsNorm) {
  struct Case {
    std::int64_t N, D;
  };
  for (const Case c : {Case{3, 5}, Case{70, 33}, Case{400, 64}, Case{2000, 128}, Case{33, 515},
                       Case{300, 4096}, Case{1500, 4096}, Case{700, 8192}}) {
    const Floats x = floats(c.N * c.D, 1.3), dy = floats(c.N * c.D), dx = floats(c.N * c.D);
    const Floats weight = master_floats(c.D), dweight = master_floats(c.D);
    compare("rms_norm", 40 + std::sqrt(static_cast<double>(c.D)), 6, [&](Bench& b) {
      const Shape shape{c.N, c.D};
      const TensorView x_ND = b.put(x, shape), dy_ND = b.put(dy, shape), y_ND = b.put(dx, shape);
      const TensorView written = b.put(dx, shape), added = b.put(dx, shape);
      const TensorView weight_D = b.put_float(weight, {c.D}), dweight_D = b.put_float(dweight, {c.D});
      const TensorView rstd = b.put_float(Floats(static_cast<std::size_t>(c.N)), {c.N});
      rms_norm_forward(b.context(), y_ND, rstd, x_ND, weight_D, 1e-5F);
      rms_norm_backward(b.context(),
                        {written, dweight_D, dy_ND, x_ND, weight_D, rstd, WriteMode::kOverwrite});
      rms_norm_backward(b.context(), {added, dweight_D, dy_ND, x_ND, weight_D, rstd, WriteMode::kAdd});
      return Outputs{b.get(y_ND), b.get(rstd), b.get(written), b.get(added), b.get(dweight_D)};
    });
  }
}

TEST_P(CudaOps, Rope) {
  for (const std::int64_t C : {6, 64, 128}) {
    const std::int64_t N = 37, H = 3, P = 50;
    const Floats x = floats(N * H * C), angles = master_floats(P * C / 2);
    Indices positions = random_indices(random_, N, P);
    Floats cos_PK, sin_PK;
    for (const float angle : angles) {
      cos_PK.push_back(std::cos(angle));
      sin_PK.push_back(std::sin(angle));
    }
    compare("rope", 4, 3, [&](Bench& b) {
      const TensorView x_NHC = b.put(x, {N, H, C}), y = b.put(x, {N, H, C});
      const TensorView c = b.put_float(cos_PK, {P, C / 2}), s = b.put_float(sin_PK, {P, C / 2});
      const TensorView ids = b.put_ids(positions, {N});
      rope_forward(b.context(), y, x_NHC, ids, c, s);
      rope_backward(b.context(), x_NHC, x_NHC, ids, c, s);
      return Outputs{b.get(y), b.get(x_NHC)};
    });
  }
}

TEST_P(CudaOps, NormRope) {
  struct Case {
    std::int64_t C, H;
  };
  for (const auto [C, H] : {Case{6, 3}, Case{32, 3}, Case{64, 4}, Case{128, 3}, Case{128, 8}, Case{256, 3}}) {
    const std::int64_t N = 1219, P = 50;
    const Shape shape{N, H, C};
    const Floats x = floats(N * H * C, 1.3), dy = floats(N * H * C), angles = master_floats(P * C / 2);
    const Floats weight = master_floats(C), dweight = master_floats(C);
    const Indices positions = random_indices(random_, N, P);
    Floats cos_PK, sin_PK;
    for (const float angle : angles) {
      cos_PK.push_back(std::cos(angle));
      sin_PK.push_back(std::sin(angle));
    }
    compare("norm_rope C=" + std::to_string(C), 60 + std::sqrt(static_cast<double>(N * H)), 8, [&](Bench& b) {
      const TensorView x_NHC = b.put(x, shape), y = b.put(dy, shape), dx = b.put(dy, shape);
      const TensorView weight_C = b.put_float(weight, {C}), dweight_C = b.put_float(dweight, {C});
      const TensorView rstd = b.put_float(Floats(static_cast<std::size_t>(N * H)), {N * H});
      const RopeTables rope{b.put_ids(positions, {N}), b.put_float(cos_PK, {P, C / 2}),
                            b.put_float(sin_PK, {P, C / 2})};
      norm_rope_forward(b.context(), y, rstd, x_NHC, weight_C, rope, 1e-5F);
      norm_rope_backward(b.context(), {dx, dweight_C, x_NHC, weight_C, rstd, rope});
      return Outputs{b.get(y), b.get(rstd), b.get(dx), b.get(dweight_C)};
    });
  }
}

TEST_P(CudaOps, Activations) {
  for (const std::int64_t F : {7, 512, 16384}) {
    const std::int64_t N = 300;
    const Shape shape{N, F};
    const Floats x = floats(N * F), up = floats(N * F), dy = floats(N * F);
    compare("xielu", 60, 6, [&](Bench& b) {
      const TensorView x_NF = b.put(x, shape), dy_NF = b.put(dy, shape), y = b.put(x, shape);
      const TensorView a_p = b.put_float({0.2F}, {1}), a_n = b.put_float({-0.4F}, {1});
      const TensorView da_p = b.put_float({0.5F}, {1}), da_n = b.put_float({1.5F}, {1});
      xielu_forward(b.context(), y, x_NF, a_p, a_n, {});
      xielu_backward(b.context(), {dy_NF, da_p, da_n, dy_NF, x_NF, a_p, a_n, {}});
      return Outputs{b.get(y), b.get(da_p), b.get(da_n), b.get(dy_NF)};
    });
    compare("swiglu", 20, 4, [&](Bench& b) {
      const TensorView gate = b.put(x, shape), up_NF = b.put(up, shape), d = b.put(dy, shape),
                       y = b.put(x, shape);
      const TensorView dgate = b.put(x, shape);
      swiglu_forward(b.context(), y, gate, up_NF);
      swiglu_backward(b.context(), dgate, d, d, gate, up_NF);
      return Outputs{b.get(y), b.get(dgate), b.get(d)};
    });
  }
}

TEST_P(CudaOps, CrossEntropy) {
  for (const std::int64_t V : {5, 1000, 50304}) {
    const std::int64_t N = 17;
    const Floats logits = floats(N * V, 2.0), dloss = master_floats(N);
    Floats weight(static_cast<std::size_t>(N), 1.0F);
    weight[3] = 0.0F;
    const Indices targets = random_indices(random_, N, static_cast<std::int32_t>(V));
    compare("cross_entropy", 64, 6, [&](Bench& b) {
      const TensorView logits_NV = b.put(logits, {N, V});
      const TensorView loss = b.put_float(dloss, {N}), lse = b.put_float(dloss, {N});
      const TensorView ids = b.put_ids(targets, {N});
      cross_entropy_forward(b.context(), loss, lse, logits_NV, ids, b.put_float(weight, {N}));
      cross_entropy_backward(b.context(), logits_NV, logits_NV, lse, ids, b.put_float(dloss, {N}));
      return Outputs{b.get(loss), b.get(lse), b.get(logits_NV)};
    });
  }
}

// One block, a full cluster with empty and odd slices, and rows longer than what a cluster keeps.
TEST_P(CudaOps, CrossEntropyInOnePass) {
  for (const std::int64_t V : {1, 5, 1000, 50304, 131072, 150001, 300000}) {
    const std::int64_t N = 5;
    const Floats logits = floats(N * V, 2.0), dloss = master_floats(N);
    Floats weight(static_cast<std::size_t>(N), 1.0F);
    weight[3] = 0.0F;
    Floats masked_dloss = dloss;
    masked_dloss[3] = 0.0F;
    Indices targets = random_indices(random_, N, static_cast<std::int32_t>(V));
    targets[0] = static_cast<std::int32_t>(V - 1);
    targets[3] = -100;
    compare("cross_entropy in one pass, V=" + std::to_string(V), 64, 6, [&](Bench& b) {
      const TensorView logits_NV = b.put(logits, {N, V});
      const TensorView loss = b.put_float(dloss, {N});
      cross_entropy_forward_backward(b.context(), loss, logits_NV, b.put_ids(targets, {N}),
                                     b.put_float(weight, {N}), b.put_float(masked_dloss, {N}));
      return Outputs{b.get(loss), b.get(logits_NV)};
    });
  }
}

// The value of an eight-bit element: sign, exponent, mantissa; bias 7 with 4 bits of exponent, 15 with 5.
double value_of(std::uint8_t bits, Fp8Format format) {
  const int mantissa_bits = format == Fp8Format::kE4M3 ? 3 : 2;
  const int bias = format == Fp8Format::kE4M3 ? 7 : 15;
  const int exponent = (bits & 0x7F) >> mantissa_bits;
  const double fraction = std::ldexp(static_cast<double>(bits & ((1 << mantissa_bits) - 1)), -mantissa_bits);
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1.0 + fraction, exponent - bias);
  return bits >= 0x80 ? -magnitude : magnitude;
}

class Fp8Ops : public CudaOps {
 protected:
  struct Rounded {
    Fp8Tensor rows, columns;
  };
  static Rounded round(Bench& b, const Fp8Source& x, Fp8Format format) {
    const std::int64_t R = x.x_RC.dim(0), C = x.x_RC.dim(1);
    const TensorView scale = b.put_float(Floats(2, 7.0F), {2});
    const Rounded rounded{{b.take(Shape{R, C}, DType::kUint8), scale, format},
                          {b.take(Shape{C, R}, DType::kUint8), scale, format}};
    fp8_round(b.context(), rounded.rows, rounded.columns, x);
    return rounded;
  }
  static std::vector<double> values(Bench& b, const Fp8Tensor& tensor) {
    const auto factor = static_cast<double>(b.get(tensor.scale)[0]);
    std::vector<double> result;
    for (const std::uint8_t bits : b.get_bytes(tensor.elements)) {
      result.push_back(value_of(bits, tensor.format) * factor);
    }
    return result;
  }
};

TEST_P(Fp8Ops, RoundsToTheNearestAsItLiesAndTransposed) {
  for (const Fp8Format format : {Fp8Format::kE4M3, Fp8Format::kE5M2}) {
    for (const Shape shape : {Shape{16, 16}, Shape{128, 256}, Shape{400, 144}, Shape{2064, 1040}}) {
      const std::int64_t R = shape.dim(0), C = shape.dim(1);
      Floats x = floats(R * C, 3.0);
      x[5] = 0.0F;
      Bench b(device_.get(), dtype());
      const Rounded rounded = round(b, b.put(x, shape), format);
      float largest = 0.0F;
      for (const float value : x) {
        largest = std::max(largest, std::abs(value));
      }
      const double top = format == Fp8Format::kE4M3 ? 448.0 : 57344.0;
      EXPECT_EQ(b.get(rounded.rows.scale)[1], largest);
      EXPECT_FLOAT_EQ(b.get(rounded.rows.scale)[0], largest / static_cast<float>(top));
      const std::vector<double> rows = values(b, rounded.rows), columns = values(b, rounded.columns);
      // Half a unit of the last place, or of the smallest number; and the rounding of the scaling.
      const double relative = format == Fp8Format::kE4M3 ? 0x1p-4 : 0x1p-3;
      const double least =
          (format == Fp8Format::kE4M3 ? 0x1p-10 : 0x1p-17) * static_cast<double>(largest) / top;
      for (std::int64_t r = 0; r < R; ++r) {
        for (std::int64_t c = 0; c < C; ++c) {
          const auto i = static_cast<std::size_t>(r * C + c);
          const auto expected = static_cast<double>(x[i]);
          ASSERT_LE(std::abs(rows[i] - expected), (relative * std::abs(expected) + least) * (1 + 1e-5))
              << r << ' ' << c;
          ASSERT_EQ(columns[static_cast<std::size_t>(c * R + r)], rows[i]) << r << ' ' << c;
        }
      }
    }
  }
}

// Each activation rounded at once against the same one written by its op and then rounded: they differ by what the op's output
// dtype takes away, which can move an element to the next eight-bit number.
TEST_P(Fp8Ops, RoundsActivationsAsTheirOpsWriteThem) {
  const Shape shape{144, 272};
  const Floats x = floats(shape.num_elements(), 2.0), gate = floats(shape.num_elements(), 2.0);
  for (const Fp8Source::Kind kind : {Fp8Source::Kind::kXielu, Fp8Source::Kind::kSwiglu}) {
    Bench b(device_.get(), dtype());
    const TensorView up = b.put(x, shape), gates = b.put(gate, shape), y = b.take(shape, dtype());
    const TensorView a_p = b.put_float({0.3F}, {1}), a_n = b.put_float({-0.2F}, {1});
    const XieluConstants constants;
    if (kind == Fp8Source::Kind::kXielu) {
      xielu_forward(b.context(), y, up, a_p, a_n, constants);
    } else {
      swiglu_forward(b.context(), y, gates, up);
    }
    const Rounded written = round(b, y, Fp8Format::kE4M3);
    const Rounded at_once = round(b,
                                  kind == Fp8Source::Kind::kXielu ? Fp8Source::xielu(up, a_p, a_n, constants)
                                                                  : Fp8Source::swiglu(gates, up),
                                  Fp8Format::kE4M3);
    const std::vector<double> expected = values(b, written.rows), rows = values(b, at_once.rows);
    const std::vector<double> columns = values(b, at_once.columns);
    for (std::int64_t r = 0; r < shape.dim(0); ++r) {
      for (std::int64_t c = 0; c < shape.dim(1); ++c) {
        const auto at = static_cast<std::size_t>(r * shape.dim(1) + c);
        ASSERT_NEAR(rows[at], expected[at], 0.13 * std::abs(expected[at]) + 1e-4) << r << ' ' << c;
        ASSERT_EQ(columns[static_cast<std::size_t>(c * shape.dim(0) + r)], rows[at]) << r << ' ' << c;
      }
    }
  }
}

// What ops leave of the largest magnitude is that of what they wrote.
TEST_P(Fp8Ops, OpsGatherTheLargestMagnitudeOfTheirOutput) {
  const std::int64_t N = 96, H = 3, C = 128, D = 384;
  Bench b(device_.get(), dtype());
  const auto expect_largest = [&](const TensorView& amax, const TensorView& written) {
    float largest = 0.0F;
    for (const float value : b.get(written)) {
      largest = std::max(largest, std::abs(value));
    }
    const TensorView measured = b.put_float({7.0F}, {1});
    fp8_measure(b.context(), measured, written);
    EXPECT_EQ(b.get(amax)[0], largest);
    EXPECT_EQ(b.get(measured)[0], largest);
  };
  const TensorView x = b.put(floats(N * D), {N, D}), y = b.take(Shape{N, D}, dtype()),
                   rstd = b.put_float(Floats(96), {N});
  const TensorView weight = b.put_float(master_floats(D), {D}), amax = b.put_float({7.0F}, {1});
  rms_norm_forward(b.context(), y, rstd, x, weight, 1e-5F, amax);
  expect_largest(amax, y);

  const TensorView dx = b.put(floats(N * D), {N, D}), a = b.put_float({0.3F, 0.0F, 0.0F}, {3});
  xielu_backward(b.context(), {dx, a.rows(1, 1), a.rows(2, 1), dx, x, a.rows(0, 1), a.rows(0, 1), {}, amax});
  expect_largest(amax, dx);

  const TensorView heads = b.put(floats(N * D), {N, H, C}), dheads = b.put(floats(N * D), {N, H, C});
  const TensorView head_weight = b.put_float(master_floats(C), {C}), dweight = b.put_float(Floats(128), {C});
  const TensorView head_rstd = b.put_float(Floats(288, 1.5F), {N * H});
  const TensorView table = b.put_float(Floats(64, 0.6F), {1, C / 2});
  const TensorView positions = b.put_ids(Indices(96, 0), {N});
  norm_rope_backward(b.context(),
                     {dheads, dweight, heads, head_weight, head_rstd, {positions, table, table}, amax});
  expect_largest(amax, dheads.reshape(Shape{N, D}));
}

TEST_P(Fp8Ops, ZerosAndWhatIsNotFinite) {
  Bench b(device_.get(), dtype());
  const Rounded zeros = round(b, b.put(Floats(256), {16, 16}), Fp8Format::kE4M3);
  EXPECT_EQ(b.get(zeros.rows.scale)[0], 1.0F);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Floats x(256, 0.5F);
    x[17] = bad;
    EXPECT_FALSE(std::isfinite(b.get(round(b, b.put(x, {16, 16}), Fp8Format::kE5M2).rows.scale)[0]));
  }
}

TEST_P(Fp8Ops, ProductsAreThoseOfTheRoundedNumbers) {
  const std::int64_t M = 144, N = 272, K = 400;
  const Floats a = floats(M * K), weight = floats(N * K), before = floats(M * N);
  for (const Fp8Format format : {Fp8Format::kE4M3, Fp8Format::kE5M2}) {
    Bench b(device_.get(), dtype());
    const Rounded a_8 = round(b, b.put(a, {M, K}), format);
    const Rounded w_8 = round(b, b.put(weight, {N, K}), Fp8Format::kE4M3);
    const ConstFp8Tensor left{a_8.rows.elements, a_8.rows.scale, format};
    const ConstFp8Tensor right{w_8.rows.elements, w_8.rows.scale, Fp8Format::kE4M3};
    const TensorView written = b.put(before, {M, N}), added = b.put(before, {M, N}),
                     again = b.put(before, {M, N});
    fp8_multiply(b.context(), written, {}, left, right, Fp8Sums::kExact);
    fp8_multiply(b.context(), again, {}, left, right, Fp8Sums::kExact);
    fp8_multiply(b.context(), added, added, left, right, Fp8Sums::kFast);
    const std::vector<double> av = values(b, a_8.rows), wv = values(b, w_8.rows);
    const Floats y = b.get(written), sum = b.get(added);
    EXPECT_EQ(y, b.get(again));
    // Products of eight-bit numbers are exact; tensor cores cut their sums to 13 bits after each 32 of them. Exact sums go on
    // in float32 after four such steps.
    const double cut = 0x1p-13;
    const auto steps = static_cast<double>(K / 32 + 1);
    const double output = dtype() == DType::kFloat32 ? 0x1p-22 : 0x1p-8;
    for (std::int64_t m = 0; m < M; ++m) {
      for (std::int64_t n = 0; n < N; ++n) {
        double expected = 0.0;
        double magnitude = 0.0;
        for (std::int64_t k = 0; k < K; ++k) {
          const double term =
              av[static_cast<std::size_t>(m * K + k)] * wv[static_cast<std::size_t>(n * K + k)];
          expected += term;
          magnitude += std::abs(term);
        }
        const auto i = static_cast<std::size_t>(m * N + n);
        const double total = expected + static_cast<double>(before[i]);
        ASSERT_NEAR(y[i], expected, output * (std::abs(expected) + 1) + 4 * cut * magnitude) << m << ' ' << n;
        ASSERT_NEAR(sum[i], total, output * (std::abs(total) + 1) + steps * cut * magnitude) << m << ' ' << n;
      }
    }
  }
}

TEST_P(CudaOps, EmbeddingAddsRepeatedIds) {
  struct Case {
    std::int64_t N, V, D;
  };
  // An id of many rows, more columns than a block has threads.
  for (const auto [N, V, D] : {Case{700, 40, 72}, Case{5000, 3, 300}}) {
    const Floats table = master_floats(V * D), dtable = master_floats(V * D), dout = floats(N * D);
    const Indices ids = random_indices(random_, N, static_cast<std::int32_t>(V));
    compare("embedding", 40 + std::sqrt(static_cast<double>(N / V)), 3, [&](Bench& b) {
      const TensorView out = b.put(dout, {N, D}), dout_ND = b.put(dout, {N, D});
      const TensorView table_VD = b.put_float(table, {V, D}), dtable_VD = b.put_float(dtable, {V, D});
      const TensorView ids_N = b.put_ids(ids, {N});
      embedding_forward(b.context(), out, table_VD, ids_N);
      embedding_backward(b.context(), dtable_VD, dout_ND, ids_N);
      return Outputs{b.get(out), b.get(dtable_VD)};
    });
  }
}

TEST_P(CudaOps, Elementwise) {
  const Floats x = floats(1003), y = floats(1003);
  compare("elementwise", 2, 2, [&](Bench& b) {
    const TensorView a = b.put(x, {1003}), c = b.put(y, {1003}), sum = b.put(y, {1003});
    add(b.context(), sum, a, c);
    copy(b.context(), c, a);
    fill_zero(b.context(), a);
    return Outputs{b.get(sum), b.get(c), b.get(a)};
  });
}

// The same bits, not nearly the same numbers: initial weights do not depend on where they are drawn.
TEST_P(CudaOps, Fills) {
  const Body run = [](Bench& b) {
    const RandomKey key = random_key(3, "fills");
    Outputs outputs;
    for (const std::int64_t count : {1, 2, 3, 255, 4096, 1'000'003}) {
      for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 33) + 1}) {
        const TensorView y = b.take({count}, DType::kFloat32);
        fill_normal(b.context(), y, {key, 7, first, 0.25, 0.02});
        outputs.push_back(b.get(y));
      }
    }
    const TensorView ones = b.take({1003}, DType::kFloat32);
    fill_constant(b.context(), ones, 1.0F);
    outputs.push_back(b.get(ones));
    return outputs;
  };
  Bench cpu(nullptr, DType::kFloat32);
  Bench gpu(device_.get(), dtype());
  EXPECT_EQ(run(cpu), run(gpu));
}

struct AttentionCase {
  AttentionDims dims;
  bool has_documents;
};

TEST_P(CudaOps, Attention) {
  const std::vector<AttentionCase> cases = {{{2, 17, 17, 4, 2, 20, 0}, true},
                                            {{1, 200, 200, 4, 1, 64, 0}, false},
                                            {{2, 320, 320, 4, 2, 64, 0}, true},
                                            {{1, 256, 256, 4, 4, 128, 0}, false},
                                            {{2, 448, 448, 4, 2, 128, 0}, true}};
  for (const auto& [d, has_documents] : cases) {
    const Shape shape_q{d.B, d.T, d.H, d.C}, shape_k{d.B, d.S, d.G, d.C}, shape_row{d.B, d.H, d.T};
    const Floats q = floats(shape_q.num_elements()), k = floats(shape_k.num_elements());
    const Floats v = floats(shape_k.num_elements()), dout = floats(shape_q.num_elements());
    Indices first(static_cast<std::size_t>(d.B * d.T), 0);
    for (std::int64_t i = 0; has_documents && i < d.B * d.T; ++i) {
      const std::int64_t t = i % d.T;
      first[static_cast<std::size_t>(i)] =
          t == 0
              ? 0
              : (random_() % 90 == 0 ? static_cast<std::int32_t>(t) : first[static_cast<std::size_t>(i - 1)]);
    }
    compare("attention C=" + std::to_string(d.C), 160, 24, [&, dims = d](Bench& b) {
      const TensorView q_v = b.put(q, shape_q), k_v = b.put(k, shape_k), v_v = b.put(v, shape_k);
      const TensorView o = b.put(q, shape_q), dq = b.put(q, shape_q), dk = b.put(k, shape_k),
                       dv = b.put(k, shape_k);
      const Floats zeros(static_cast<std::size_t>(shape_row.num_elements()));
      const TensorView lse = b.put_float(zeros, shape_row), delta = b.put_float(zeros, shape_row);
      const TensorView first_key = b.put_ids(first, {dims.B, dims.T});
      attention_forward(b.context(), dims, o, lse, q_v, k_v, v_v, first_key);
      attention_backward(b.context(), dims,
                         {dq, dk, dv, delta, b.put(dout, shape_q), q_v, k_v, v_v, o, lse, first_key});
      return Outputs{b.get(o), b.get(lse), b.get(dq), b.get(dk), b.get(dv)};
    });
  }
}

struct LibraryCase {
  AttentionDims dims;
  std::int64_t table_rows;  // of documents; 0: whole sequences
};

// The rows' first keys of documents of random lengths.
Indices random_documents(std::mt19937& random, const AttentionDims& d, std::uint32_t mean_length) {
  Indices first(static_cast<std::size_t>(d.B * d.T), 0);
  for (std::size_t i = 0; i < first.size(); ++i) {
    const auto t = static_cast<std::int32_t>(i % static_cast<std::size_t>(d.T));
    first[i] = t == 0 || random() % mean_length == 0 ? t : first[i - 1];
  }
  return first;
}

// cuDNN's kernels, where they are on this machine: whole sequences and packed documents, grouped queries, head sizes.
TEST_P(CudaOps, AttentionByTheLibrary) {
  if (dtype() != DType::kBFloat16) {
    GTEST_SKIP() << "the library is for bfloat16";
  }
  for (const bool deterministic : {true, false}) {
    for (const auto& [d, table_rows] :
         {LibraryCase{{2, 192, 192, 4, 2, 64, 0}, 0}, LibraryCase{{2, 320, 320, 8, 2, 128, 0}, 0},
          LibraryCase{{1, 200, 200, 4, 4, 96, 0}, 0}, LibraryCase{{1, 256, 256, 2, 1, 256, 0}, 0},
          LibraryCase{{2, 320, 320, 4, 2, 64, 0}, 32}, LibraryCase{{3, 448, 448, 8, 2, 128, 0}, 64}}) {
      Bench probe(device_.get(), dtype());
      OpContext made = probe.context();
      made.deterministic = deterministic;
      const std::string engine = attention_prepare(made, d, dtype(), table_rows);
      std::string name = "C=" + std::to_string(d.C) + (table_rows > 0 ? ", documents" : "") +
                         (deterministic ? ", deterministic" : "") + " by " + engine;
      if (!engine.starts_with("cuDNN")) {
        std::printf("  not by the library: %s\n", name.c_str());
        continue;
      }
      const Shape shape_q{d.B, d.T, d.H, d.C}, shape_k{d.B, d.S, d.G, d.C}, shape_row{d.B, d.H, d.T};
      const Floats q = floats(shape_q.num_elements()), k = floats(shape_k.num_elements());
      const Floats v = floats(shape_k.num_elements()), dout = floats(shape_q.num_elements());
      const Indices first = random_documents(random_, d, table_rows > 0 ? 60 : 1U << 31);
      const Body run = [&, dims = d, rows = table_rows](Bench& b) {
        OpContext ctx = b.context();
        ctx.deterministic = deterministic;
        const TensorView q_v = b.put(q, shape_q), k_v = b.put(k, shape_k), v_v = b.put(v, shape_k);
        const TensorView o = b.put(q, shape_q), dq = b.put(q, shape_q), dk = b.put(k, shape_k),
                         dv = b.put(k, shape_k);
        const Floats zeros(static_cast<std::size_t>(shape_row.num_elements()));
        const TensorView lse = b.put_float(zeros, shape_row), delta = b.put_float(zeros, shape_row);
        AttentionMask mask;
        if (rows > 0) {
          mask = b.put_ids(first, {dims.B, dims.T});
          if (ctx.device != nullptr) {
            const TensorView table = b.put_ids(Indices(static_cast<std::size_t>(4 * rows), -1), {4, rows});
            attention_documents(ctx, dims, table, mask.first_key_BT);
            mask.documents_4E = table;
          }
        }
        attention_forward(ctx, dims, o, lse, q_v, k_v, v_v, mask);
        attention_backward(ctx, dims, {dq, dk, dv, delta, b.put(dout, shape_q), q_v, k_v, v_v, o, lse, mask});
        return Outputs{b.get(o), b.get(dq), b.get(dk), b.get(dv)};
      };
      compare_runs(name, 160, 32, deterministic, run);
    }
  }
}

// On another device object, which compiles nothing.
TEST_P(CudaOps, AttentionPlansOfAnotherRunAreTheSame) {
  const AttentionDims d{2, 320, 320, 8, 2, 128, 0};
  const Shape shape_q{d.B, d.T, d.H, d.C}, shape_k{d.B, d.S, d.G, d.C}, shape_row{d.B, d.H, d.T};
  const Floats q = floats(shape_q.num_elements()), k = floats(shape_k.num_elements());
  const Floats zeros(static_cast<std::size_t>(shape_row.num_elements()));
  const auto run = [&](CudaDevice& device) {
    Bench b(&device, dtype());
    const TensorView q_v = b.put(q, shape_q), k_v = b.put(k, shape_k), o = b.put(q, shape_q);
    const TensorView dq = b.put(q, shape_q), dk = b.put(k, shape_k), dv = b.put(k, shape_k);
    const TensorView lse = b.put_float(zeros, shape_row), delta = b.put_float(zeros, shape_row);
    attention_forward(b.context(), d, o, lse, q_v, k_v, k_v, {});
    attention_backward(b.context(), d, {dq, dk, dv, delta, q_v, q_v, k_v, k_v, o, lse, {}});
    return Outputs{b.get(o), b.get(dq), b.get(dk), b.get(dv)};
  };
  const Outputs compiled = run(*device_);
  const std::string plans = new_attention_plans(*device_);
  if (plans.empty()) {
    GTEST_SKIP() << "not by a library that tells its plans";
  }
  EXPECT_EQ(new_attention_plans(*device_), "") << "nothing is new any more";
  for (const bool is_damaged : {false, true}) {
    auto other = CudaDevice::open(0);
    ASSERT_TRUE(other.ok());
    use_attention_plans(**other, is_damaged ? plans.substr(0, plans.size() / 2) : plans);
    EXPECT_EQ(run(**other), compiled);
    EXPECT_EQ(!new_attention_plans(**other).empty(), is_damaged) << "plans were compiled";
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, Fp8Ops, testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& dtype) { return std::string(dtype_name(dtype.param)); });
INSTANTIATE_TEST_SUITE_P(DTypes, CudaOps, testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& dtype) { return std::string(dtype_name(dtype.param)); });

}  // namespace
}  // namespace cairn::ops
