// What `cairn data tokenize` costs beside the tokenizer itself: the same documents cut out of their files, encoded in memory, and
// end to end into a shard.
//
//   tokenize_bench TOKENIZER OUT_FOLDER THREADS REPEATS FILE...
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "data/document_splitter.h"
#include "data/text_batch.h"
#include "data/text_input.h"
#include "data/tokenize.h"
#include "doors/clock.h"
#include "doors/file_system.h"
#include "tokenizer/tokenizer.h"

namespace cairn {
namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void must(const Status& status) {
  CHECK(status.ok(), status.message().c_str());
}

// Calls work(thread, batch) with every batch of the files, each once, on all threads.
template <class Work>
double run_batches(const std::vector<data::TextBatch>& batches, int num_threads, const Work& work) {
  const double begin_s = now_s();
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < num_threads; ++t) {
    threads.emplace_back([&] {
      auto state = work();
      for (std::size_t i = next++; i < batches.size(); i = next++) {
        state(batches[i]);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return now_s() - begin_s;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Corpus {
  std::vector<data::TextInput> inputs;
  std::vector<data::TextBatch> batches;    // as they are in the files
  std::vector<data::TextBatch> documents;  // the texts alone, a piece each
  double megabytes = 0;                    // of text
};

Corpus load(FileSystem& files, const std::vector<std::string>& paths) {
  Corpus corpus;
  corpus.inputs = data::list_text_inputs(files, paths, std::nullopt).value().inputs;
  data::TextBatchReader reader(files, corpus.inputs, {}, {}, static_cast<std::int64_t>(corpus.inputs.size()));
  for (data::TextBatch batch; reader.next(batch).value();) {
    corpus.batches.push_back(batch);
  }
  data::DocumentSplitter splitter(corpus.inputs, {});
  data::DocumentCounts counts;
  for (const data::TextBatch& batch : corpus.batches) {
    data::TextBatch& texts = corpus.documents.emplace_back();
    must(splitter.split(batch, counts, [&texts](const data::Document& document) {
      texts.pieces.push_back({{}, texts.bytes.size(), document.text.size(), 0});
      texts.bytes += document.text;
      return ok_status();
    }));
  }
  corpus.megabytes = static_cast<double>(counts.text_bytes) * 1e-6;
  return corpus;
}

double split_seconds(const Corpus& corpus, int num_threads) {
  return run_batches(corpus.batches, num_threads, [&] {
    return [splitter = std::make_shared<data::DocumentSplitter>(corpus.inputs, data::TextOptions{})](
               const data::TextBatch& batch) {
      data::DocumentCounts ignored;
      must(splitter->split(batch, ignored, [](const data::Document&) { return ok_status(); }));
    };
  });
}

double encode_seconds(const Corpus& corpus, int num_threads, const tokenizer::Tokenizer& tokenizer) {
  return run_batches(corpus.documents, num_threads, [&] {
    return [encoder = std::make_shared<tokenizer::Encoder>(tokenizer),
            ids = std::vector<std::int32_t>()](const data::TextBatch& batch) mutable {
      for (const data::TextPiece& piece : batch.pieces) {
        ids.clear();
        must(encoder->encode(std::string_view(batch.bytes).substr(piece.begin, piece.size), false, ids));
      }
    };
  });
}

double whole_seconds(FileSystem& files, const Corpus& corpus, int num_threads,
                     const tokenizer::Tokenizer& tokenizer, const std::string& prefix) {
  const std::unique_ptr<Clock> clock = make_real_clock();
  data::TokenizeRequest request;
  request.prefix = prefix;
  request.inputs = corpus.inputs;
  request.text.columns = {"url", "language", "license"};
  request.column_names = {"url", "language", "licence"};
  request.num_threads = num_threads;
  for (const char* part : {".bin", ".idx", ".origins"}) {
    must(files.remove_tree(prefix + part));
  }
  const double begin_s = now_s();
  must(data::tokenize(files, *clock, tokenizer, request, [](const auto&, std::int64_t, std::int64_t) {
       }).status());
  return now_s() - begin_s;
}

int run(const std::vector<std::string>& arguments) {
  const std::unique_ptr<FileSystem> files = make_real_file_system();
  const tokenizer::Tokenizer tokenizer =
      tokenizer::Tokenizer::from_json(files->read_text(arguments[0]).value()).value();
  const int num_threads = std::stoi(arguments[2]);
  const int repeats = std::stoi(arguments[3]);
  const Corpus corpus = load(*files, std::vector<std::string>(arguments.begin() + 4, arguments.end()));
  std::puts(fmt::format("{:.0f} MB of text, {} threads", corpus.megabytes, num_threads).c_str());
  std::vector<double> shares;
  for (int r = 0; r < repeats; ++r) {
    const double split_s = split_seconds(corpus, num_threads);
    const double encode_s = encode_seconds(corpus, num_threads, tokenizer);
    const double whole_s = whole_seconds(*files, corpus, num_threads, tokenizer, arguments[1] + "/bench");
    shares.push_back(encode_s / whole_s);
    std::puts(
        fmt::format("cut into documents {:6.0f} MB/s   tokenizer alone {:6.1f} MB/s   end to end {:6.1f} "
                    "MB/s   share {:.3f}",
                    corpus.megabytes / split_s, corpus.megabytes / encode_s, corpus.megabytes / whole_s,
                    shares.back())
            .c_str());
    std::fflush(stdout);
  }
  std::puts(fmt::format("median share of the tokenizer's rate: {:.3f}", median(shares)).c_str());
  return 0;
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 5) {
    std::puts("tokenize_bench TOKENIZER OUT_FOLDER THREADS REPEATS FILE...");
    return 64;
  }
  return cairn::run(arguments);
}
