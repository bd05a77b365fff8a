// The order of samples of a large source: made, written to the index cache, mapped and asked.
//   order_bench DOCUMENTS FOLDER [SEQUENCE] [THREADS]
// Lengths are synthetic (pseudo-random, 1 to 1023 tokens). FOLDER/lengths.bin keeps them for order_megatron.py, which
// times Megatron-LM's helper and numpy on the same input and compares the arrays; the folder's *.index is ours.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "data/index_cache.h"
#include "data/order_inverse.h"
#include "data/sample_order.h"
#include "device/cpu_facts.h"
#include "device/thread_pool.h"
#include "doors/clock.h"
#include "doors/file_system.h"

namespace {

using cairn::data::IndexArrays;
using cairn::data::IndexCache;
using cairn::data::OrderInverse;
using cairn::data::SampleOrder;

void write_lengths(std::int64_t count, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  std::vector<std::int32_t> part;
  std::uint64_t state = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    part.push_back(static_cast<std::int32_t>(1 + (state >> 33) % 1023));
    if (part.size() == std::size_t{1} << 20 || i + 1 == count) {
      file.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size() * 4));
      part.clear();
    }
  }
}

class Timer {
 public:
  double lap() {
    const double now = clock_->monotonic_s();
    return now - std::exchange(last_, now);
  }
  // Wall clock and processor time of all threads since the last lap.
  std::string lap_text() {
    const std::clock_t now = std::clock();
    const double cpu_s = static_cast<double>(now - std::exchange(last_cpu_, now)) / CLOCKS_PER_SEC;
    return fmt::format("{:.2f} s ({:.2f} s of CPU)", lap(), cpu_s);
  }
  cairn::Clock& clock() { return *clock_; }

 private:
  std::unique_ptr<cairn::Clock> clock_ = cairn::make_real_clock();
  double last_ = clock_->monotonic_s();
  std::clock_t last_cpu_ = std::clock();
};

IndexArrays load(cairn::FileSystem& files, cairn::Clock& clock, const std::string& folder,
                 const IndexCache::Make& make) {
  IndexCache cache(files, clock, folder);
  cairn::Result<IndexArrays> arrays = cache.load_or_make("order", {1, 1}, make);
  CHECK(arrays.ok(), arrays.status().message());
  CHECK(cache.notes().empty(), "the index was not kept");
  return std::move(arrays).value();
}

// Milliseconds of the slowest and of the median of many questions.
template <class Ask>
void time_questions(const char* name, std::int64_t count, Timer& timer, Ask&& ask) {
  constexpr int kQuestions = 1000;
  std::vector<double> seconds;
  timer.lap();
  for (int i = 0; i < kQuestions; ++i) {
    const std::uint64_t spread = static_cast<std::uint64_t>(i) * std::uint64_t{0x9E3779B97F4A7C15} >> 1;
    ask(static_cast<std::int64_t>(spread % static_cast<std::uint64_t>(count)));
    seconds.push_back(timer.lap());
  }
  std::sort(seconds.begin(), seconds.end());
  fmt::print("{:<28} median {:.4f} ms, slowest of {} {:.3f} ms\n", name, seconds[kQuestions / 2] * 1e3,
             kQuestions, seconds.back() * 1e3);
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc >= 3, "order_bench DOCUMENTS FOLDER [SEQUENCE] [THREADS]");
  const std::int64_t num_documents = std::stoll(argv[1]);
  const std::string folder = argv[2];
  cairn::data::SampleOrderOptions options;
  options.sequence = argc > 3 ? std::stoll(argv[3]) : 4096;
  options.seed = 28;
  cairn::ThreadPool pool(argc > 4 ? std::stoi(argv[4]) : cairn::num_usable_cpus());
  const auto files = cairn::make_real_file_system();
  std::filesystem::create_directories(folder);
  write_lengths(num_documents, folder + "/lengths.bin");
  const auto mapped = files->map(folder + "/lengths.bin").value();
  const std::span lengths(reinterpret_cast<const std::int32_t*>(mapped->bytes().data()),
                          static_cast<std::size_t>(num_documents));
  Timer timer;
  fmt::print("{} documents, {} threads\n", num_documents, pool.num_threads());
  {
    auto built = std::make_shared<const SampleOrder>(SampleOrder::build(lengths, options, &pool).value());
    fmt::print("{:<28} {}, {} samples\n", "order made", timer.lap_text(), built->num_samples());
    load(*files, timer.clock(), folder, [&]() -> cairn::Result<IndexArrays> {
      const auto& arrays = built->arrays();
      return IndexArrays{{std::as_bytes(arrays.document_index), std::as_bytes(arrays.starts),
                          std::as_bytes(arrays.shuffle_index)},
                         std::exchange(built, nullptr)};
    });
    fmt::print("{:<28} {}\n", "written, synced, verified", timer.lap_text());
  }
  const IndexArrays arrays = load(*files, timer.clock(), folder, nullptr);
  fmt::print("{:<28} {}\n", "mapped and verified", timer.lap_text());
  const SampleOrder order =
      SampleOrder::adopt(lengths, options,
                         {arrays.as<std::int32_t>(0), arrays.as<cairn::data::StreamPosition>(1),
                          arrays.as<std::uint32_t>(2)},
                         arrays.storage)
          .value();
  timer.lap_text();
  const OrderInverse inverse = OrderInverse::make(order, {}, nullptr, &pool).value();
  fmt::print("{:<28} {}\n", "inverse made (once)", timer.lap_text());
  std::int64_t sum = 0;
  time_questions("documents of a sample", order.num_samples(), timer,
                 [&](std::int64_t sample) { sum += static_cast<std::int64_t>(order.locate(sample).size()); });
  time_questions("samples of a document", num_documents, timer, [&](std::int64_t document) {
    sum += static_cast<std::int64_t>(inverse.uses_of(document).size());
  });
  fmt::print("({} pieces)\n", sum);
  return 0;
}
