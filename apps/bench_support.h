// What the benchmarks of `cairn bench` share: a back end with memory for tensors of random numbers, medians of timings,
// and a table that is printed as text or JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "device/cuda_device.h"
#include "device/memory.h"
#include "device/thread_pool.h"
#include "nn/model_config.h"
#include "ops/op_context.h"

namespace cairn::apps {

// Options that every benchmark has.
struct BenchOptions {
  std::string device = "cpu";
  std::string dtype;  // not given: bfloat16 on a GPU, float32 on the CPU
  int threads = 1;
  int repeats = 9;
  bool deterministic = true;  // sums in a fixed order
  std::string filter;         // only cases whose name holds it

  bool is_on_gpu() const { return device == "cuda"; }
  DType compute() const { return is_on_gpu() && dtype != "float32" ? DType::kBFloat16 : DType::kFloat32; }
};
// --device, --dtype, --threads, --repeats, --filter, --deterministic.
void add_bench_options(CLI::App& command, BenchOptions& options);

// A CPU or a GPU with memory of its own. Tensors are taken from one arena, one after the other.
class BenchBed {
 public:
  // `workspace_bytes`: of the ops on a GPU.
  static Result<std::unique_ptr<BenchBed>> open(const BenchOptions& options, std::int64_t num_bytes,
                                                std::int64_t workspace_bytes = ops::kCudaWorkspaceBytes);

  ops::OpContext context();
  CudaDevice* device() const { return device_.get(); }
  ThreadPool& pool() { return pool_; }
  DType compute() const { return compute_; }
  // Whether so many bytes are left.
  bool has_room(std::int64_t num_bytes) const;
  // Of the compute dtype, uniform in (-scale, scale), or all zero for scale 0.
  TensorView take(Shape shape, float scale);
  TensorView take_float(Shape shape, float scale);
  TensorView take_bytes(Shape shape);                    // of uint8, as they lie there
  TensorView take_ids(Shape shape, std::int64_t count);  // uniform in [0, count)
  TensorView take_int32(Shape shape, std::span<const std::int32_t> values);
  void clear() { used_ = 0; }

  // Seconds of one call, the median of options.repeats timings of as many calls as take some milliseconds. On a GPU
  // until its work is done.
  double median_s(const std::function<void()>& body);
  // Bytes per second of a copy within the memory, read and written.
  double copy_bandwidth();
  Status synchronize() { return device_ ? device_->synchronize() : ok_status(); }

 private:
  BenchBed(const BenchOptions& options, std::unique_ptr<CudaDevice> device);
  TensorView take_raw(Shape shape, DType dtype);
  void write(const TensorView& to, const std::byte* pattern, std::int64_t pattern_bytes);
  double seconds(const std::function<void()>& body, int calls);

  std::unique_ptr<CudaDevice> device_;
  DType compute_;
  int repeats_;
  bool deterministic_;
  ThreadPool pool_;
  Arena arena_, workspace_;
  std::int64_t used_ = 0;
};

// A table with a name per row and a number per column.
class BenchTable {
 public:
  explicit BenchTable(std::vector<std::string> columns) : columns_(std::move(columns)) {}
  void add(std::string name, std::vector<double> values);
  // Text, or with --json one object per row.
  void print(CommandContext& context) const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::pair<std::string, std::vector<double>>> rows_;
};

double median(std::vector<double> values);

// "gpt2" and "gpt2-xl" (width, layers, heads and vocabulary of GPT-2 124M and 1558M), "apertus-8b", and slices of Apertus of width
// 4096 or 2048.  kUsage for others.
inline constexpr const char* kBenchModels =
    "gpt2, gpt2-xl, apertus-8b, apertus-4096xLAYERS or apertus-2048xLAYERS";
Result<nn::ModelConfig> bench_model(const std::string& name);

// Adds a benchmark that has these options and no others.
void add_plain_bench(CLI::App& bench, CommandContext& context, const char* name, const char* help,
                     Status (*run)(const BenchOptions&, CommandContext&));

// One per benchmark, each in its own file.
void add_bench_step_command(CLI::App& bench, CommandContext& context);
void add_bench_gemm_command(CLI::App& bench, CommandContext& context);
void add_bench_attention_command(CLI::App& bench, CommandContext& context);
void add_bench_kernels_command(CLI::App& bench, CommandContext& context);
void add_bench_optimizer_command(CLI::App& bench, CommandContext& context);

}  // namespace cairn::apps
