// `cairn bench gemm`: the three matrix products of linear layers. On a GPU against its dense peak; on the CPU against
// the FMA peak measured at start and, where the system has it, against OpenBLAS on the same data, one after the other.
// With several threads set OPENBLAS_THREAD_TIMEOUT=16: by default its threads spin for milliseconds after a call and take
// cores from what is timed next. OPENBLAS_CORETYPE names its kernels where an old one does not know the processor.
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "bench_support.h"
#include "device/cpu_facts.h"
#include "doors/shared_library.h"
#include "ops/fp8.h"
#include "ops/gemm.h"
#include "planner/flops.h"

namespace cairn::apps {
namespace {

// N rows (tokens), O outputs, I inputs of a linear layer.
struct Case {
  std::int64_t N, O, I;
};

constexpr Case kCpuCases[] = {{256, 768, 768},  {256, 2304, 768},   {256, 3072, 768},   {256, 768, 3072},
                              {2048, 768, 768}, {2048, 3072, 768},  {256, 50304, 768},  {128, 512, 512},
                              {512, 64, 512},   {1024, 1024, 1024}, {2048, 2048, 2048}, {1, 768, 768},
                              {1, 50304, 768}};
// Of Apertus-8B at 8,192 tokens (queries, keys, output; up; down; head), and of the slice of width 2048 at 16,384.
constexpr Case kGpuCases[] = {{8192, 4096, 4096},   {8192, 1024, 4096},   {8192, 21504, 4096},
                              {8192, 4096, 21504},  {2048, 131072, 4096}, {16384, 2048, 2048},
                              {16384, 512, 2048},   {16384, 12288, 2048}, {16384, 2048, 12288},
                              {2432, 131072, 2048}, {8192, 8192, 8192}};

// The part of OpenBLAS that is compared with, found while running: it is no part of the program.
class OpenBlas {
 public:
  // Row-major, as cblas.h has it.
  using Sgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float,
                         float*, int);
  static std::optional<OpenBlas> open(int threads) {
    const Result<SharedLibrary> library = SharedLibrary::open_of_system("libopenblas.so.0");
    if (!library.ok()) {
      return std::nullopt;
    }
    auto* const set_threads = reinterpret_cast<void (*)(int)>(library->symbol("openblas_set_num_threads"));
    OpenBlas blas{reinterpret_cast<Sgemm>(library->symbol("cblas_sgemm")),
                  reinterpret_cast<char* (*)()>(library->symbol("openblas_get_corename"))};
    if (set_threads == nullptr || blas.sgemm_ == nullptr || blas.core_name_ == nullptr) {
      return std::nullopt;
    }
    set_threads(threads);
    return blas;
  }
  const char* core_name() const { return core_name_(); }

  void forward(const Case& c, float* y, const float* x, const float* w) const {
    sgemm_(kRowMajor, kPlain, kTransposed, to_int(c.N), to_int(c.O), to_int(c.I), 1.0F, x, to_int(c.I), w,
           to_int(c.I), 0.0F, y, to_int(c.O));
  }
  void backward_input(const Case& c, float* dx, const float* dy, const float* w) const {
    sgemm_(kRowMajor, kPlain, kPlain, to_int(c.N), to_int(c.I), to_int(c.O), 1.0F, dy, to_int(c.O), w,
           to_int(c.I), 0.0F, dx, to_int(c.I));
  }
  void backward_weight(const Case& c, float* dw, const float* dy, const float* x) const {
    sgemm_(kRowMajor, kTransposed, kPlain, to_int(c.O), to_int(c.I), to_int(c.N), 1.0F, dy, to_int(c.O), x,
           to_int(c.I), 1.0F, dw, to_int(c.I));
  }

 private:
  static constexpr int kRowMajor = 101;
  static constexpr int kPlain = 111;
  static constexpr int kTransposed = 112;
  static int to_int(std::int64_t size) { return static_cast<int>(size); }
  OpenBlas(Sgemm sgemm, char* (*name_of_core)()) : sgemm_(sgemm), core_name_(name_of_core) {}
  Sgemm sgemm_;
  char* (*core_name_)();
};

struct Bench {
  BenchBed& bed;
  const std::optional<OpenBlas>& blas;
  double peak;
  const std::string& filter;
  BenchTable& table;

  void measure(const Case& c, const char* what, const std::function<void()>& ours,
               const std::function<void()>& theirs) {
    const std::string name = fmt::format("{} {}x{}x{}", what, c.N, c.O, c.I);
    if (name.find(filter) == std::string::npos) {
      return;
    }
    const double flops = 2.0 * static_cast<double>(c.N) * static_cast<double>(c.O) * static_cast<double>(c.I);
    const double ours_s = bed.median_s(ours);
    std::vector<double> row = {ours_s * 1e3, flops / ours_s * 1e-9, 100.0 * flops / ours_s / peak};
    if (blas) {
      const double theirs_s = bed.median_s(theirs);
      row.push_back(flops / theirs_s * 1e-9);
      row.push_back(theirs_s / ours_s);
    }
    table.add(name, std::move(row));
  }

  void measure_all(const Case& c) {
    bed.clear();
    const TensorView x = bed.take(Shape{c.N, c.I}, 1), w = bed.take(Shape{c.O, c.I}, 1);
    const TensorView y = bed.take(Shape{c.N, c.O}, 1), dx = bed.take(Shape{c.N, c.I}, 0);
    const TensorView dw = bed.take_float(Shape{c.O, c.I}, 0);
    const auto floats = [](const TensorView& view) { return reinterpret_cast<float*>(view.bytes()); };
    measure(
        c, "backward_input",
        [&] { ops::linear_backward_input(bed.context(), dx, y, w, ops::WriteMode::kOverwrite); },
        [&] { blas->backward_input(c, floats(dx), floats(y), floats(w)); });
    measure(
        c, "backward_weight", [&] { ops::linear_backward_weight(bed.context(), dw, y, x); },
        [&] { blas->backward_weight(c, floats(dw), floats(y), floats(x)); });
    measure(
        c, "forward", [&] { ops::linear_forward(bed.context(), y, x, w, ops::WriteMode::kOverwrite); },
        [&] { blas->forward(c, floats(y), floats(x), floats(w)); });
  }

  // The same products of rounded factors, rounding not in it: that is timed by `cairn bench kernels`.
  void measure_fp8(const Case& c) {
    bed.clear();
    const TensorView x = bed.take(Shape{c.N, c.I}, 1), w = bed.take(Shape{c.O, c.I}, 1);
    const TensorView dy = bed.take(Shape{c.N, c.O}, 1), y = bed.take(Shape{c.N, c.O}, 0);
    const TensorView dx = bed.take(Shape{c.N, c.I}, 0), dw = bed.take_float(Shape{c.O, c.I}, 0);
    const auto rounded = [&](const TensorView& from, ops::Fp8Format format) {
      const std::int64_t R = from.dim(0), C = from.dim(1);
      const TensorView scale = bed.take_float(Shape{2}, 0);
      const ops::Fp8Tensor rows{bed.take_bytes(Shape{R, C}), scale, format};
      const ops::Fp8Tensor columns{bed.take_bytes(Shape{C, R}), scale, format};
      ops::fp8_round(bed.context(), rows, columns, from);
      return std::pair<ops::ConstFp8Tensor, ops::ConstFp8Tensor>{{rows.elements, scale, format},
                                                                 {columns.elements, scale, format}};
    };
    const auto x_8 = rounded(x, ops::Fp8Format::kE4M3), w_8 = rounded(w, ops::Fp8Format::kE4M3);
    const auto dy_8 = rounded(dy, ops::Fp8Format::kE5M2);
    const auto product = [&](const TensorView& to, const ops::ConstFp8Tensor& a, const ops::ConstFp8Tensor& b,
                             ops::Fp8Sums sums, ops::WriteMode mode) {
      return [=, this] { ops::fp8_multiply(bed.context(), to, ops::base_of(to, mode), a, b, sums); };
    };
    const auto none = [] {};
    measure(c, "fp8 backward_input",
            product(dx, dy_8.first, w_8.second, ops::Fp8Sums::kExact, ops::WriteMode::kOverwrite), none);
    measure(c, "fp8 backward_weight",
            product(dw, dy_8.second, x_8.second, ops::Fp8Sums::kExact, ops::WriteMode::kAdd), none);
    measure(c, "fp8 forward",
            product(y, x_8.first, w_8.first, ops::Fp8Sums::kFast, ops::WriteMode::kOverwrite), none);
  }
};

Status run(const BenchOptions& options, CommandContext& context) {
  constexpr std::int64_t kBytes = std::int64_t{6} << 30;
  TRY_ASSIGN(const std::unique_ptr<BenchBed> bed,
             BenchBed::open(options, options.is_on_gpu() ? kBytes : kBytes / 8));
  const double peak = options.is_on_gpu() ? planner::kHopperPeakFlops : measure_fma_peak_flops(bed->pool());
  std::optional<OpenBlas> blas;
  std::vector<std::string> columns = {"ms", "GFLOP/s", "% of peak"};
  if (!options.is_on_gpu()) {
    blas = OpenBlas::open(options.threads);
    context.err << fmt::format("compiled for {}, FMA peak {:.1f} GFLOP/s; OpenBLAS {}\n",
                               compiled_instruction_set(), peak * 1e-9,
                               blas ? blas->core_name() : "was not found");
  }
  if (blas) {
    columns.insert(columns.end(), {"OpenBLAS", "ratio"});
  }
  BenchTable table(columns);
  Bench bench{*bed, blas, peak, options.filter, table};
  if (options.is_on_gpu()) {
    for (const Case& c : kGpuCases) {
      bench.measure_all(c);
      if (options.compute() == DType::kBFloat16) {
        bench.measure_fp8(c);
      }
    }
  } else {
    for (const Case& c : kCpuCases) {
      bench.measure_all(c);
    }
  }
  table.print(context);
  return ok_status();
}

}  // namespace

void add_bench_gemm_command(CLI::App& bench, CommandContext& context) {
  add_plain_bench(bench, context, "gemm", "Matrix products of linear layers", run);
}

}  // namespace cairn::apps
