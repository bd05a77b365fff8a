// `cairn bench attention`: forward and backward, causal attention counted half, with and without document boundaries.
#include <fmt/format.h>

#include "bench_support.h"
#include "device/cpu_facts.h"
#include "ops/attention.h"
#include "planner/flops.h"

namespace cairn::apps {
namespace {

struct Case {
  std::int64_t B, T, H, G, C;
  std::int64_t query_offset = 0;
  std::int64_t documents = 1;  // of equal length in a row
};

constexpr Case kCpuCases[] = {
    {4, 64, 12, 12, 64},   {4, 512, 12, 12, 64},        {1, 2048, 32, 32, 128},
    {1, 2048, 32, 8, 128}, {1, 1, 32, 8, 128, 2047, 1}, {1, 1, 12, 12, 64, 511, 1},
};
constexpr Case kGpuCases[] = {
    {4, 4096, 32, 8, 128},  {4, 4096, 32, 8, 128, 0, 8}, {1, 16384, 32, 8, 128}, {4, 4096, 16, 4, 128},
    {16, 1024, 12, 12, 64}, {8, 1024, 25, 25, 64},       {1, 4096, 16, 4, 256},
};

std::string case_name(const Case& c) {
  std::string name = fmt::format("B{} T{} S{} H{} G{} C{}", c.B, c.T, c.query_offset + c.T, c.H, c.G, c.C);
  return c.documents > 1 ? fmt::format("{}, {} documents", name, c.documents) : name;
}

// The first key of each row: where its document begins.
TensorView take_first_keys(BenchBed& bed, const Case& c) {
  std::vector<std::int32_t> first(static_cast<std::size_t>(c.B * c.T));
  const std::int64_t length = c.T / c.documents;
  for (std::int64_t i = 0; i < c.B * c.T; ++i) {
    first[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i % c.T / length * length);
  }
  return bed.take_int32(Shape{c.B, c.T}, first);
}

ops::AttentionDims dims_of(const Case& c) {
  return {c.B, c.T, c.query_offset + c.T, c.H, c.G, c.C, c.query_offset};
}

// Columns of the table of documents that a library's kernels need, 0 where the case has none.
std::int64_t table_rows(const Case& c) {
  const std::int64_t unit = ops::kDocumentTableUnit;
  return c.documents > 1 ? (c.B * c.documents / unit + 1) * unit : 0;
}

ops::AttentionMask make_mask(BenchBed& bed, const Case& c) {
  ops::AttentionMask mask;
  if (c.documents > 1) {
    mask = take_first_keys(bed, c);
    if (bed.device() != nullptr && bed.compute() == DType::kBFloat16 && !bed.context().deterministic) {
      const TensorView table = bed.take_ids(Shape{4, table_rows(c)}, 1);
      ops::attention_documents(bed.context(), dims_of(c), table, mask.first_key_BT);
      mask.documents_4E = table;
    }
  }
  return mask;
}

// Which kernels run, for the name of the case.
std::string prepare(BenchBed& bed, const Case& c) {
  return bed.device() == nullptr
             ? ""
             : ", " + ops::attention_prepare(bed.context(), dims_of(c), bed.compute(), table_rows(c));
}

// Every pair of the causal triangle counts, also those that document boundaries leave out: speeds compare at once.
void measure(BenchBed& bed, const Case& c, double peak, BenchTable& table) {
  bed.clear();
  const ops::AttentionDims dims = dims_of(c);
  const Shape query{c.B, c.T, c.H, c.C};
  const Shape key{c.B, dims.S, c.G, c.C};
  const Shape row{c.B, c.H, c.T};
  const TensorView q = bed.take(query, 1), k = bed.take(key, 1), v = bed.take(key, 1), o = bed.take(query, 0);
  const TensorView lse = bed.take_float(row, 0);
  const ops::AttentionMask mask = make_mask(bed, c);
  const std::string engine = prepare(bed, c);
  const double forward_s =
      bed.median_s([&] { ops::attention_forward(bed.context(), dims, o, lse, q, k, v, mask); });
  // Two products of (T, S, C) in forward, five in backward, over the pairs that causality leaves.
  const double pairs = static_cast<double>(c.T) * (static_cast<double>(c.query_offset) +
                                                   0.5 * static_cast<double>(c.T + (c.T == 1 ? 1 : 0)));
  const double product = 2.0 * static_cast<double>(c.B * c.H * c.C) * pairs;
  double backward_s = 0.0;
  if (c.query_offset == 0) {
    ops::AttentionBackward args;
    args.do_BTHC = bed.take(query, 1);
    args.dq_BTHC = bed.take(query, 0);
    args.dk_BSGC = bed.take(key, 0);
    args.dv_BSGC = bed.take(key, 0);
    args.delta_BHT = bed.take_float(row, 0);
    args.q_BTHC = q;
    args.k_BSGC = k;
    args.v_BSGC = v;
    args.o_BTHC = o;
    args.lse_BHT = lse;
    args.mask = mask;
    backward_s = bed.median_s([&] { ops::attention_backward(bed.context(), dims, args); });
  }
  const double backward_flops = backward_s > 0 ? 5.0 * product / backward_s : 0.0;
  table.add(case_name(c) + engine,
            {forward_s * 1e3, 2e-9 * product / forward_s, 200.0 * product / forward_s / peak,
             backward_s * 1e3, backward_flops * 1e-9, 100.0 * backward_flops / peak});
}

Status run(const BenchOptions& options, CommandContext& context) {
  constexpr std::int64_t kBytes = std::int64_t{2} << 30;
  std::int64_t workspace_bytes = ops::kCudaWorkspaceBytes;
  for (const Case& c : kGpuCases) {
    workspace_bytes = std::max(workspace_bytes, ops::attention_workspace_bytes(dims_of(c), options.compute(),
                                                                               options.deterministic));
  }
  TRY_ASSIGN(const std::unique_ptr<BenchBed> bed,
             BenchBed::open(options, options.is_on_gpu() ? kBytes : kBytes / 4, workspace_bytes));
  const double peak = options.is_on_gpu() ? planner::kHopperPeakFlops : measure_fma_peak_flops(bed->pool());
  BenchTable table({"fwd ms", "GFLOP/s", "% of peak", "bwd ms", "GFLOP/s", "% of peak"});
  const auto measure_all = [&](const auto& cases) {
    for (const Case& c : cases) {
      if (case_name(c).find(options.filter) != std::string::npos) {
        measure(*bed, c, peak, table);
      }
    }
  };
  if (options.is_on_gpu()) {
    measure_all(kGpuCases);
  } else {
    measure_all(kCpuCases);
  }
  table.print(context);
  return ok_status();
}

}  // namespace

void add_bench_attention_command(CLI::App& bench, CommandContext& context) {
  add_plain_bench(bench, context, "attention", "Attention, forward and backward", run);
}

}  // namespace cairn::apps
