#include "bench_support.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/random.h"
#include "ops/elementwise.h"

namespace cairn::apps {
namespace {

constexpr std::int64_t kPatternElements = std::int64_t{1} << 20;
constexpr double kTimingS = 0.005;  // one timing is of calls that take as long

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Repeated over a tensor: no period of it divides a matrix's rows.
std::vector<float> random_pattern(std::int64_t num_elements, float scale, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(std::min(num_elements, kPatternElements - 7)));
  RandomStream random(random_key(1, "benchmark"), seed);
  for (float& value : values) {
    value = scale * (static_cast<float>(random.next_below(1U << 24U)) * 0x1p-23F - 1.0F);
  }
  return values;
}

nn::ModelConfig gpt2_sized(std::int64_t width, std::int64_t layers) {
  nn::ModelConfig config;
  config.type = nn::ModelType::kApertus;
  config.vocab_size = 50304;  // 50,257 padded to a multiple of 128
  config.hidden_size = width;
  config.intermediate_size = 4 * width;
  config.num_hidden_layers = layers;
  config.num_attention_heads = width / 64;
  config.num_key_value_heads = width / 64;
  config.head_dim = 64;
  config.max_position_embeddings = 1024;
  config.initializer_range = 0.02;
  config.tie_word_embeddings = true;
  return config;
}

nn::ModelConfig apertus_sized(std::int64_t width, std::int64_t layers) {
  nn::ModelConfig config = gpt2_sized(width, layers);
  config.vocab_size = 131072;
  config.intermediate_size = width == 4096 ? 21504 : 12288;
  config.num_attention_heads = width / 128;
  config.num_key_value_heads = width / 512;
  config.head_dim = 128;
  config.max_position_embeddings = 4096;
  config.tie_word_embeddings = false;
  return config;
}

}  // namespace

void add_bench_options(CLI::App& command, BenchOptions& options) {
  command.add_option("--device", options.device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  command.add_option("--dtype", options.dtype, "On a GPU bfloat16 (default) or float32")
      ->check(CLI::IsMember({"bfloat16", "float32"}));
  command.add_option("--threads", options.threads, "Threads of the CPU")->check(CLI::Range(1, 4096));
  command.add_option("--repeats", options.repeats, "Timings, of which the median is printed")
      ->check(CLI::Range(1, 1'000'000));
  command.add_option("--filter", options.filter, "Only cases whose name holds this text");
  command.add_option("--deterministic", options.deterministic, "Sums in a fixed order: true or false");
}

void add_plain_bench(CLI::App& bench, CommandContext& context, const char* name, const char* help,
                     Status (*run)(const BenchOptions&, CommandContext&)) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* command = bench.add_subcommand(name, help);
  add_bench_options(*command, *options);
  command->callback([options, run, &context] {
    context.set_action([options, run, &context] { return run(*options, context); });
  });
}

BenchBed::BenchBed(const BenchOptions& options, std::unique_ptr<CudaDevice> device)
    : device_(std::move(device)),
      compute_(options.compute()),
      repeats_(options.repeats),
      deterministic_(options.deterministic),
      pool_(options.threads) {}

Result<std::unique_ptr<BenchBed>> BenchBed::open(const BenchOptions& options, std::int64_t num_bytes,
                                                 std::int64_t workspace_bytes) {
  std::unique_ptr<CudaDevice> device;
  if (options.is_on_gpu()) {
    TRY_ASSIGN(device, CudaDevice::open(0));
  }
  std::unique_ptr<BenchBed> bed(new BenchBed(options, std::move(device)));
  const auto make = [&](std::int64_t bytes) {
    return bed->device_ ? Arena::create_on(*bed->device_, bytes, DeviceKind::kCuda) : Arena::create(bytes);
  };
  TRY_ASSIGN(bed->arena_, make(num_bytes));
  TRY_ASSIGN(bed->workspace_, make(bed->device_ ? workspace_bytes : ops::workspace_bytes(options.threads)));
  return bed;
}

ops::OpContext BenchBed::context() {
  return {pool_,
          {workspace_.data(), Shape{workspace_.num_bytes()}, DType::kUint8, workspace_.kind()},
          device_.get(),
          deterministic_};
}

bool BenchBed::has_room(std::int64_t num_bytes) const {
  return used_ + num_bytes + kTensorAlignment <= arena_.num_bytes();
}

TensorView BenchBed::take_raw(Shape shape, DType dtype) {
  const TensorView view(arena_.data() + used_, shape, dtype, arena_.kind());
  CHECK(has_room(view.num_bytes()), "a benchmark took more memory than it asked for");
  used_ += (view.num_bytes() + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
  return view;
}

void BenchBed::write(const TensorView& to, const std::byte* pattern, std::int64_t pattern_bytes) {
  for (std::int64_t begin = 0; begin < to.num_bytes(); begin += pattern_bytes) {
    const std::int64_t count = std::min(pattern_bytes, to.num_bytes() - begin);
    if (device_) {
      device_->copy_to_device(to.bytes() + begin, pattern, count);
    } else {
      std::memcpy(to.bytes() + begin, pattern, static_cast<std::size_t>(count));
    }
  }
  CHECK(synchronize().ok(), "a copy failed");  // the pattern dies with the caller
}

TensorView BenchBed::take(Shape shape, float scale) {
  if (compute_ == DType::kFloat32) {
    return take_float(shape, scale);
  }
  const TensorView view = take_raw(shape, compute_);
  const std::vector<float> values =
      random_pattern(view.num_elements(), scale, static_cast<std::uint64_t>(used_));
  std::vector<BFloat16> halves(values.size());
  std::ranges::transform(values, halves.begin(), float_to_bfloat16);
  write(view, reinterpret_cast<const std::byte*>(halves.data()),
        static_cast<std::int64_t>(halves.size() * sizeof(BFloat16)));
  return view;
}

TensorView BenchBed::take_float(Shape shape, float scale) {
  const TensorView view = take_raw(shape, DType::kFloat32);
  const std::vector<float> values =
      random_pattern(view.num_elements(), scale, static_cast<std::uint64_t>(used_));
  write(view, reinterpret_cast<const std::byte*>(values.data()),
        static_cast<std::int64_t>(values.size() * sizeof(float)));
  return view;
}

TensorView BenchBed::take_bytes(Shape shape) {
  return take_raw(shape, DType::kUint8);
}

TensorView BenchBed::take_ids(Shape shape, std::int64_t count) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(shape.num_elements()));
  RandomStream random(random_key(1, "benchmark ids"), static_cast<std::uint64_t>(used_));
  for (std::int32_t& id : ids) {
    id = static_cast<std::int32_t>(random.next_below(static_cast<std::uint64_t>(count)));
  }
  return take_int32(shape, ids);
}

TensorView BenchBed::take_int32(Shape shape, std::span<const std::int32_t> values) {
  const TensorView view = take_raw(shape, DType::kInt32);
  write(view, reinterpret_cast<const std::byte*>(values.data()), view.num_bytes());
  return view;
}

double BenchBed::seconds(const std::function<void()>& body, int calls) {
  CHECK(synchronize().ok(), "work on the GPU failed");
  const double start = now_s();
  for (int i = 0; i < calls; ++i) {
    body();
  }
  const Status status = synchronize();
  CHECK(status.ok(), status.message());
  return (now_s() - start) / calls;
}

double BenchBed::median_s(const std::function<void()>& body) {
  seconds(body, 1);  // loads kernels and touches memory
  const int calls = static_cast<int>(std::clamp(kTimingS / seconds(body, 1), 1.0, 1000.0));
  std::vector<double> timings(static_cast<std::size_t>(repeats_));
  for (double& timing : timings) {
    timing = seconds(body, calls);
  }
  return median(std::move(timings));
}

double BenchBed::copy_bandwidth() {
  const std::int64_t used = used_;
  const std::int64_t elements = std::min<std::int64_t>((arena_.num_bytes() - used_) / 16, 1 << 28);
  const TensorView from = take_raw(Shape{elements}, DType::kFloat32);
  const TensorView to = take_raw(Shape{elements}, DType::kFloat32);
  const double copy_s = median_s([&] { ops::copy(context(), to, from); });
  used_ = used;
  return 2.0 * static_cast<double>(from.num_bytes()) / copy_s;
}

void BenchTable::add(std::string name, std::vector<double> values) {
  CHECK(values.size() == columns_.size(), "a row of other width than the table");
  rows_.emplace_back(std::move(name), std::move(values));
}

void BenchTable::print(CommandContext& context) const {
  if (context.json) {
    for (const auto& [name, values] : rows_) {
      std::string line = "{\"case\": ";
      append_json_string(line, name);
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        line += ", ";
        append_json_string(line, columns_[i]);
        line += ": ";
        append_json_number(line, values[i]);
      }
      context.out << line << "}\n";
    }
    return;
  }
  context.out << fmt::format("{:<44}", "");
  for (const std::string& column : columns_) {
    context.out << fmt::format(" {:>12}", column);
  }
  context.out << '\n';
  for (const auto& [name, values] : rows_) {
    context.out << fmt::format("{:<44}", name);
    for (const double value : values) {
      context.out << fmt::format(" {:>12.4g}", value);
    }
    context.out << '\n';
  }
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Result<nn::ModelConfig> bench_model(const std::string& name) {
  if (name == "gpt2") {
    return gpt2_sized(768, 12);
  }
  if (name == "gpt2-xl") {
    return gpt2_sized(1600, 48);
  }
  if (name == "apertus-8b") {
    return apertus_sized(4096, 32);
  }
  for (const std::int64_t width : {4096, 2048}) {
    const std::string prefix = fmt::format("apertus-{}x", width);
    int layers = 0;
    if (name.starts_with(prefix)) {
      const char* const end = name.data() + name.size();
      const auto parsed = std::from_chars(name.data() + prefix.size(), end, layers);
      if (parsed.ec == std::errc() && parsed.ptr == end && layers >= 1 && layers <= 1000) {
        return apertus_sized(width, layers);
      }
    }
  }
  return Status(StatusCode::kUsage, fmt::format("no model {} to measure: {}", name, kBenchModels));
}

}  // namespace cairn::apps
