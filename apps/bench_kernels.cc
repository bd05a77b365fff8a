// `cairn bench kernels`: what is bound by memory, as bytes that must move over the time, against the bandwidth of a copy;
// and the output head with its loss, in chunks of rows against all rows at once.
#include <fmt/format.h>

#include "bench_support.h"
#include "nn/lm_head.h"
#include "ops/activation.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/fp8.h"
#include "ops/gemm.h"
#include "ops/norm_rope.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"

namespace cairn::apps {
namespace {

using ops::WriteMode;

struct Sizes {
  std::int64_t N, D, F, H, G, C, V;
};
constexpr Sizes kGpuSizes = {8192, 4096, 21504, 32, 8, 128, 131072};
constexpr Sizes kCpuSizes = {512, 768, 3072, 12, 12, 64, 50304};

class Kernels {
 public:
  Kernels(BenchBed& bed, const Sizes& sizes, const std::string& filter)
      : bed_(bed),
        s_(sizes),
        filter_(filter),
        bandwidth_(bed.copy_bandwidth()),
        element_(dtype_size(bed.compute())) {}

  void norms();
  void rotations();
  void activations();
  void embeddings();
  void losses();
  void rounding();
  void head(std::int64_t rows);
  void print(CommandContext& context) const {
    memory_.print(context);
    head_.print(context);
  }

 private:
  bool is_wanted(const std::string& name) const { return name.find(filter_) != std::string::npos; }
  // `bytes`: of every operand once.
  void measure(const std::string& name, std::int64_t bytes, const std::function<void()>& body) {
    if (is_wanted(name)) {
      const double seconds = bed_.median_s(body);
      const double rate = static_cast<double>(bytes) / seconds;
      memory_.add(name, {seconds * 1e6, rate * 1e-9, 100.0 * rate / bandwidth_});
    }
  }

  BenchBed& bed_;
  Sizes s_;
  const std::string& filter_;
  double bandwidth_;
  std::int64_t element_;
  double whole_head_s_ = 0.0;
  BenchTable memory_{{"us", "GB/s", "% of copy"}};
  BenchTable head_{{"ms", "of whole", "scratch MiB"}};
};

void Kernels::norms() {
  struct Case {
    const char* name;
    std::int64_t rows, width;
  };
  for (const Case& c : {Case{"rms_norm of the model width", s_.N, s_.D},
                        Case{"rms_norm of query heads", s_.N * s_.H, s_.C}}) {
    bed_.clear();
    const Shape shape{c.rows, c.width};
    const TensorView x = bed_.take(shape, 1), dy = bed_.take(shape, 1), y = bed_.take(shape, 0);
    const TensorView weight = bed_.take_float(Shape{c.width}, 1),
                     dweight = bed_.take_float(Shape{c.width}, 0);
    const TensorView rstd = bed_.take_float(Shape{c.rows}, 0);
    const std::int64_t bytes = x.num_bytes();
    const std::string name = c.name;
    measure(name + ", forward", 2 * bytes,
            [&] { ops::rms_norm_forward(bed_.context(), y, rstd, x, weight, 1e-5F); });
    measure(name + ", backward", 3 * bytes, [&] {
      ops::rms_norm_backward(bed_.context(), {y, dweight, dy, x, weight, rstd, WriteMode::kOverwrite});
    });
    measure(name + ", backward, added", 4 * bytes, [&] {
      ops::rms_norm_backward(bed_.context(), {y, dweight, dy, x, weight, rstd, WriteMode::kAdd});
    });
  }
}

void Kernels::rotations() {
  bed_.clear();
  const Shape shape{s_.N, s_.H, s_.C};
  const TensorView x = bed_.take(shape, 1), y = bed_.take(shape, 0);
  const TensorView cos = bed_.take_float(Shape{s_.N, s_.C / 2}, 1),
                   sin = bed_.take_float(Shape{s_.N, s_.C / 2}, 1);
  const TensorView positions = bed_.take_ids(Shape{s_.N}, s_.N);
  measure("rope of query heads, forward", 2 * x.num_bytes(),
          [&] { ops::rope_forward(bed_.context(), y, x, positions, cos, sin); });
  const TensorView weight = bed_.take_float(Shape{s_.C}, 1), dweight = bed_.take_float(Shape{s_.C}, 0);
  const TensorView rstd = bed_.take_float(Shape{s_.N * s_.H}, 1);
  const ops::RopeTables rope{positions, cos, sin};
  measure("rms_norm and rope of query heads, forward", 2 * x.num_bytes(),
          [&] { ops::norm_rope_forward(bed_.context(), y, rstd, x, weight, rope, 1e-5F); });
  measure("rms_norm and rope of query heads, backward", 3 * x.num_bytes(), [&] {
    ops::norm_rope_backward(bed_.context(), {y, dweight, x, weight, rstd, rope});
  });
}

void Kernels::activations() {
  bed_.clear();
  const Shape shape{s_.N, s_.F};
  const TensorView x = bed_.take(shape, 1), up = bed_.take(shape, 1), dy = bed_.take(shape, 1);
  const TensorView y = bed_.take(shape, 0);
  const TensorView a_p = bed_.take_float(Shape{1}, 1), a_n = bed_.take_float(Shape{1}, 1);
  const TensorView da_p = bed_.take_float(Shape{1}, 0), da_n = bed_.take_float(Shape{1}, 0);
  const std::int64_t bytes = x.num_bytes();
  measure("xielu, forward", 2 * bytes, [&] { ops::xielu_forward(bed_.context(), y, x, a_p, a_n, {}); });
  measure("xielu, backward", 3 * bytes, [&] {
    ops::xielu_backward(bed_.context(), {y, da_p, da_n, dy, x, a_p, a_n, {}});
  });
  measure("swiglu, forward", 3 * bytes, [&] { ops::swiglu_forward(bed_.context(), y, x, up); });
  measure("swiglu, backward", 5 * bytes, [&] { ops::swiglu_backward(bed_.context(), y, dy, dy, x, up); });
}

void Kernels::embeddings() {
  bed_.clear();
  const TensorView table = bed_.take_float(Shape{s_.V, s_.D}, 1),
                   dtable = bed_.take_float(Shape{s_.V, s_.D}, 0);
  const TensorView out = bed_.take(Shape{s_.N, s_.D}, 1), ids = bed_.take_ids(Shape{s_.N}, s_.V);
  const std::int64_t rows = s_.N * s_.D * std::int64_t{sizeof(float)};
  measure("embedding, forward", out.num_bytes() + rows,
          [&] { ops::embedding_forward(bed_.context(), out, table, ids); });
  measure("embedding, backward", out.num_bytes() + 2 * rows,
          [&] { ops::embedding_backward(bed_.context(), dtable, out, ids); });
}

void Kernels::losses() {
  bed_.clear();
  const std::int64_t rows = s_.N / 4;
  const TensorView logits = bed_.take(Shape{rows, s_.V}, 3), dlogits = bed_.take(Shape{rows, s_.V}, 0);
  const TensorView ids = bed_.take_ids(Shape{rows}, s_.V), loss = bed_.take_float(Shape{rows}, 0);
  const TensorView lse = bed_.take_float(Shape{rows}, 0), ones = bed_.take_float(Shape{rows}, 1);
  const std::int64_t bytes = logits.num_bytes();
  measure("cross entropy, forward", bytes,
          [&] { ops::cross_entropy_forward(bed_.context(), loss, lse, logits, ids, ones); });
  measure("cross entropy, backward", 2 * bytes,
          [&] { ops::cross_entropy_backward(bed_.context(), dlogits, logits, lse, ids, ones); });
  // In place; what it is given changes from call to call, its time does not.
  measure("cross entropy, both in one pass", 2 * bytes,
          [&] { ops::cross_entropy_forward_backward(bed_.context(), loss, logits, ids, ones, ones); });
}

void Kernels::rounding() {
  bed_.clear();
  const TensorView x = bed_.take(Shape{s_.N, s_.F}, 1), scale = bed_.take_float(Shape{2}, 0);
  const ops::Fp8Tensor rows{bed_.take_bytes(Shape{s_.N, s_.F}), scale};
  const ops::Fp8Tensor columns{bed_.take_bytes(Shape{s_.F, s_.N}), scale};
  // Read twice, for the largest magnitude and for the elements; written twice.
  measure("fp8, rounded and transposed", 2 * x.num_bytes() + 2 * rows.elements.num_bytes(),
          [&] { ops::fp8_round(bed_.context(), rows, columns, x); });
}

// The products and the loss of nn::LmHead in chunks of `rows`; with s_.N rows by the two calls of the loss, which is what
// "not fused" means.
void Kernels::head(std::int64_t rows) {
  const bool is_whole = rows == s_.N;
  const std::string name =
      fmt::format("head and loss, {} rows at once{}", rows, is_whole ? ", two calls" : "");
  bed_.clear();
  if (!is_wanted(name)) {
    return;
  }
  const TensorView hidden = bed_.take(Shape{s_.N, s_.D}, 1), dhidden = bed_.take(Shape{s_.N, s_.D}, 0);
  const TensorView weight = bed_.take(Shape{s_.V, s_.D}, 0.02F);
  const TensorView dweight = bed_.take_float(Shape{s_.V, s_.D}, 0);
  const TensorView logits = bed_.take(Shape{rows, s_.V}, 0), ids = bed_.take_ids(Shape{s_.N}, s_.V);
  const TensorView loss = bed_.take_float(Shape{s_.N}, 0), lse = bed_.take_float(Shape{s_.N}, 0);
  const TensorView ones = bed_.take_float(Shape{s_.N}, 1);
  const double seconds = bed_.median_s([&] {
    const ops::OpContext ctx = bed_.context();
    for (std::int64_t begin = 0; begin < s_.N; begin += rows) {
      const std::int64_t count = std::min(rows, s_.N - begin);
      const TensorView part = logits.rows(0, count), of_part = loss.rows(begin, count);
      const ConstTensorView targets = ids.rows(begin, count), mask = ones.rows(begin, count);
      ops::linear_forward(ctx, part, hidden.rows(begin, count), weight, WriteMode::kOverwrite);
      if (is_whole) {
        ops::cross_entropy_forward(ctx, of_part, lse, part, targets, mask);
        ops::cross_entropy_backward(ctx, part, part, lse, targets, mask);
      } else {
        ops::cross_entropy_forward_backward(ctx, of_part, part, targets, mask, mask);
      }
      ops::linear_backward_weight(ctx, dweight, part, hidden.rows(begin, count));
      ops::linear_backward_input(ctx, dhidden.rows(begin, count), part, weight, WriteMode::kOverwrite);
    }
  });
  whole_head_s_ = is_whole ? seconds : whole_head_s_;
  head_.add(name, {seconds * 1e3, whole_head_s_ > 0 ? seconds / whole_head_s_ : 0.0,
                   static_cast<double>(logits.num_bytes()) / (1 << 20)});
}

Status run(const BenchOptions& options, CommandContext& context) {
  constexpr std::int64_t kBytes = std::int64_t{7} << 30;
  const Sizes& sizes = options.is_on_gpu() ? kGpuSizes : kCpuSizes;
  TRY_ASSIGN(const std::unique_ptr<BenchBed> bed,
             BenchBed::open(options, options.is_on_gpu() ? kBytes : kBytes / 8));
  context.err << fmt::format("a copy moves {:.4g} GB/s\n", bed->copy_bandwidth() * 1e-9);
  Kernels kernels(*bed, sizes, options.filter);
  kernels.norms();
  kernels.rotations();
  kernels.activations();
  kernels.embeddings();
  kernels.losses();
  if (options.is_on_gpu()) {
    kernels.rounding();
  }
  for (std::int64_t rows = sizes.N; rows >= sizes.N / 16; rows /= 2) {
    kernels.head(rows);
  }
  kernels.print(context);
  return ok_status();
}

}  // namespace

void add_bench_kernels_command(CLI::App& bench, CommandContext& context) {
  add_plain_bench(bench, context, "kernels", "Operations bound by memory, and the output head with its loss",
                  run);
}

}  // namespace cairn::apps
