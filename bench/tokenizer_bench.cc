// The tokenizer alone: loading a tokenizer.json, and MB/s of encoding texts that are in memory.
//
//   tokenizer_bench TOKENIZER THREADS REPEATS FILE.jsonl...
//
// A line of a file is {"text": ...}. One line of JSON per measurement: {"file", "megabytes", "ids", "seconds": [...]} with one
// number per repeat. Each repeat starts with new encoders, so with empty caches.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "doors/file_system.h"
#include "formats/json.h"
#include "tokenizer/tokenizer.h"

namespace cairn {
namespace {

constexpr std::size_t kTextsPerTurn = 16;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<std::string> read_texts(FileSystem& files, const std::string& path) {
  const std::string lines = files.read_text(path).value();
  std::vector<std::string> texts;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    const Json line = parse_json(std::string_view(lines).substr(begin, end - begin), JsonLimits{}).value();
    texts.emplace_back(*as_string(*find(line, "text")));
    begin = end + 1;
  }
  return texts;
}

// Returns the number of ids.
std::size_t encode_all(const tokenizer::Tokenizer& tokenizer, const std::vector<std::string>& texts,
                       int num_threads) {
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> num_ids{0};
  const auto work = [&] {
    tokenizer::Encoder encoder(tokenizer);
    std::vector<std::int32_t> ids;
    for (std::size_t begin = next.fetch_add(kTextsPerTurn); begin < texts.size();
         begin = next.fetch_add(kTextsPerTurn)) {
      for (std::size_t i = begin; i < std::min(begin + kTextsPerTurn, texts.size()); ++i) {
        ids.clear();
        CHECK(encoder.encode(texts[i], false, ids).ok(), "a text is not UTF-8");
        num_ids += ids.size();
      }
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < num_threads; ++t) {
    threads.emplace_back(work);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return num_ids;
}

void run(const std::vector<std::string>& arguments) {
  const std::unique_ptr<FileSystem> files = make_real_file_system();
  const std::string json = files->read_text(arguments[0]).value();
  const int num_threads = std::stoi(arguments[1]);
  const int repeats = std::stoi(arguments[2]);
  const auto report = [](const std::string& file, double megabytes, std::size_t num_ids,
                         const std::vector<double>& seconds) {
    std::puts(fmt::format(R"({{"file": "{}", "megabytes": {:.3f}, "ids": {}, "seconds": [{:.5f}]}})", file,
                          megabytes, num_ids, fmt::join(seconds, ", "))
                  .c_str());
    std::fflush(stdout);
  };
  const auto time = [&](auto&& work) {
    std::vector<double> seconds;
    for (int r = 0; r < repeats; ++r) {
      const double begin_s = now_s();
      work();
      seconds.push_back(now_s() - begin_s);
    }
    return seconds;
  };
  const tokenizer::Tokenizer tokenizer = tokenizer::Tokenizer::from_json(json).value();
  const std::vector<double> loading = time([&] { tokenizer::Tokenizer::from_json(json).value(); });
  report(arguments[0], static_cast<double>(json.size()) * 1e-6, 0, loading);
  for (std::size_t i = 3; i < arguments.size(); ++i) {
    const std::vector<std::string> texts = read_texts(*files, arguments[i]);
    double num_bytes = 0;
    for (const std::string& text : texts) {
      num_bytes += static_cast<double>(text.size());
    }
    std::size_t num_ids = 0;
    const std::vector<double> seconds = time([&] { num_ids = encode_all(tokenizer, texts, num_threads); });
    report(arguments[i], num_bytes * 1e-6, num_ids, seconds);
  }
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 4) {
    std::puts("tokenizer_bench TOKENIZER THREADS REPEATS FILE.jsonl...");
    return 64;
  }
  cairn::run(arguments);
  return 0;
}
