#include "data/tokenize.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "data/batch_queue.h"
#include "data/token_shard_writer.h"
#include "doors/path.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kBlockDocuments = 16'384;
constexpr std::int64_t kBlockTextBytes = std::int64_t{16} << 20;

TokenizeWork work_of(const TokenizeRequest& request) {
  const auto yes_no = [](bool value) { return std::string(value ? "yes" : "no"); };
  TokenizeWork work;
  work.settings = {{"tokenizer", request.tokenizer_hash},
                   {"bos", yes_no(request.ends.bos)},
                   {"eos", yes_no(request.ends.eos)},
                   {"field", request.text.field},
                   {"columns", fmt::format("{}", fmt::join(request.text.columns, ","))},
                   {"column_names", fmt::format("{}", fmt::join(request.column_names, ","))},
                   {"replace_bad_bytes", yes_no(request.text.replace_bad_bytes)}};
  work.inputs = request.inputs;
  return work;
}

// Encodes batches; one per thread.
class Worker {
 public:
  Worker(DocumentTokenizer tokenizer, const TokenizeRequest& request)
      : tokenizer_(std::move(tokenizer)), splitter_(request.inputs, request.text), request_(request) {}

  void run(BatchQueue& queue) {
    while (std::unique_ptr<BatchWork> work = queue.claim()) {
      work->filled.assign(request_.text.columns.size(), 0);
      work->status = splitter_.split(work->text, work->counts,
                                     [&](const Document& document) { return add(document, *work); });
      queue.deliver(std::move(work));
    }
  }

 private:
  Status add(const Document& document, BatchWork& work) {
    Status status = tokenizer_.encode(document.text, ids_);
    if (status.ok()) {
      status = append_token_bytes(ids_, tokenizer_.tokenizer().vocab_size(), work.tokens);
    }
    if (!status.ok()) {
      return status.with_context(fmt::format("{}: the document at {}", path_of(document), document.offset));
    }
    work.lengths.push_back(static_cast<std::int32_t>(ids_.size()));
    work.origins.push_back({document.input, document.offset});
    for (std::size_t i = 0; i < document.columns.size(); ++i) {
      work.values += document.columns[i];
      work.ends.push_back(work.values.size());
      work.filled[i] += document.columns[i].empty() ? 0 : 1;
    }
    return ok_status();
  }

  const std::string& path_of(const Document& document) const {
    return request_.inputs[static_cast<std::size_t>(document.input)].path;
  }

  DocumentTokenizer tokenizer_;
  DocumentSplitter splitter_;
  const TokenizeRequest& request_;
  std::vector<std::int32_t> ids_;
};

// Writes batches in order and commits now and then.
class Output {
 public:
  Output(FileSystem& files, Clock& clock, const TokenizeRequest& request, TokenShardWriter writer,
         TokenizeProgress progress)
      : files_(files),
        clock_(clock),
        request_(request),
        writer_(std::move(writer)),
        progress_(std::move(progress)) {
    writer_.keep();
    committed_documents_ = progress_.shard.num_documents;
    committed_s_ = clock_.monotonic_s();
  }

  Status add(const BatchWork& work) {
    TRY(work.status);
    TRY(writer_.add_documents(work.tokens, work.lengths));
    TRY(add_origins(work));
    progress_.place = work.text.end;
    progress_.counts.add(work.counts);
    progress_.shard.num_documents = writer_.num_documents();
    progress_.shard.num_tokens = writer_.num_tokens();
    for (std::size_t i = 0; i < work.filled.size(); ++i) {
      progress_.filled[i] += work.filled[i];
    }
    block_bytes_ += work.counts.text_bytes;
    // Where blocks end depends on the text alone, when the work is committed on the time as well.
    if (writer_.documents_in_block() < kBlockDocuments && block_bytes_ < kBlockTextBytes) {
      return ok_status();
    }
    TRY(writer_.end_block());
    block_bytes_ = 0;
    return clock_.monotonic_s() - committed_s_ < request_.commit_every_s ? ok_status() : commit();
  }

  Status finish() {
    TRY(writer_.end_block());
    TRY(commit());
    return writer_.finish();
  }

  Status commit() {
    TRY_ASSIGN(progress_.shard, writer_.commit());
    TRY(commit_tokenize_journal(files_, request_.prefix, progress_));
    committed_s_ = clock_.monotonic_s();
    committed_documents_ = progress_.shard.num_documents;
    return ok_status();
  }

  // What the caller should tell. Work of which nothing is committed goes.
  Status give_up(const Status& status) {
    if (committed_documents_ == 0) {
      TRY(files_.remove_tree(partial_folder(request_.prefix)));
      return status;
    }
    return {status.code(),
            fmt::format("{} ({} documents are safe in {}; the same command goes on behind them)",
                        status.message(), committed_documents_, partial_folder(request_.prefix))};
  }

  const TokenizeProgress& progress() const { return progress_; }

 private:
  Status add_origins(const BatchWork& work) {
    std::size_t begin = 0;
    std::size_t next = 0;
    for (const BatchWork::Origin& origin : work.origins) {
      columns_.clear();
      for (std::size_t i = 0; i < work.filled.size(); ++i, ++next) {
        columns_.push_back(std::string_view(work.values).substr(begin, work.ends[next] - begin));
        begin = work.ends[next];
      }
      TRY(writer_.add_origin(origin.input, origin.offset, columns_));
    }
    return ok_status();
  }

  FileSystem& files_;
  Clock& clock_;
  const TokenizeRequest& request_;
  TokenShardWriter writer_;
  TokenizeProgress progress_;
  std::int64_t block_bytes_ = 0;
  double committed_s_ = 0;
  std::int64_t committed_documents_ = 0;
  std::vector<std::string_view> columns_;
};

OriginNames names_of(const TokenizeRequest& request) {
  OriginNames names;
  names.columns = request.column_names;
  for (const TextInput& input : request.inputs) {
    names.sources.push_back(input.path);
  }
  return names;
}

// The writer where the work stands: at its begin, or where the journal says.
Result<Output> open_output(FileSystem& files, Clock& clock, const TokenizeRequest& request,
                           std::int64_t vocab_size, const std::optional<TokenizeProgress>& begun) {
  if (begun) {
    TRY_ASSIGN(TokenShardWriter writer,
               TokenShardWriter::resume(files, request.prefix, vocab_size, names_of(request), begun->shard));
    return Output(files, clock, request, std::move(writer), *begun);
  }
  TRY_ASSIGN(TokenShardWriter writer,
             TokenShardWriter::create(files, request.prefix, vocab_size, names_of(request)));
  TRY(begin_tokenize_journal(files, request.prefix, work_of(request)));
  TokenizeProgress progress;
  progress.filled.assign(request.column_names.size(), 0);
  Output output(files, clock, request, std::move(writer), std::move(progress));
  TRY(output.commit());
  return output;
}

// Ends its threads whatever happens.
class Crew {
 public:
  Crew(BatchQueue& queue, std::vector<Worker>& workers) : queue_(queue) {
    for (Worker& worker : workers) {
      threads_.emplace_back([&worker, &queue] { worker.run(queue); });
    }
  }
  ~Crew() {
    queue_.stop();
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

 private:
  BatchQueue& queue_;
  std::vector<std::thread> threads_;
};

std::int64_t bytes_before(const std::vector<TextInput>& inputs, std::int64_t end) {
  std::int64_t bytes = 0;
  for (std::int64_t i = 0; i < end; ++i) {
    bytes += inputs[static_cast<std::size_t>(i)].bytes;
  }
  return bytes;
}

Status run(FileSystem& files, const TokenizeRequest& request, std::vector<Worker>& workers, Output& output,
           const TokenizeObserver& observer) {
  const auto num_threads = static_cast<std::size_t>(request.num_threads);
  BatchQueue queue(files, request.inputs, request.text, output.progress().place, num_threads + 1,
                   4 * num_threads + 4);
  const Crew crew(queue, workers);
  const std::int64_t at_start = bytes_before(request.inputs, output.progress().place.input);
  std::int64_t file_bytes = at_start;
  while (std::unique_ptr<BatchWork> work = queue.next()) {
    TRY(output.add(*work));
    file_bytes += work->text.file_bytes;
    queue.give_back(std::move(work));
    observer(output.progress(), file_bytes, at_start);
  }
  return ok_status();
}

}  // namespace

Result<TokenizeResult> tokenize(FileSystem& files, Clock& clock, const tokenizer::Tokenizer& tokenizer,
                                const TokenizeRequest& request, const TokenizeObserver& observer) {
  std::vector<Worker> workers;
  for (int i = 0; i < request.num_threads; ++i) {
    TRY_ASSIGN(DocumentTokenizer encoder, DocumentTokenizer::create(tokenizer, request.ends));
    workers.emplace_back(std::move(encoder), request);
  }
  if (request.restart) {
    TRY(files.remove_tree(partial_folder(request.prefix)));
  }
  TRY_ASSIGN(const std::optional<TokenizeProgress> begun,
             load_tokenize_journal(files, request.prefix, work_of(request)));
  if (begun && files.exists(request.prefix + ".idx")) {  // killed between the last rename and tidying up
    TRY(files.remove_tree(partial_folder(request.prefix)));
    return TokenizeResult{*begun, begun->shard.num_documents};
  }
  TRY_ASSIGN(Output output, open_output(files, clock, request, tokenizer.vocab_size(), begun));
  Status status = run(files, request, workers, output, observer);
  if (status.ok() && output.progress().shard.num_documents == 0) {
    status = bad_data("the files have no text, so no shard is written");
  }
  if (!status.ok()) {
    return output.give_up(status);
  }
  TRY(output.finish());
  return TokenizeResult{output.progress(), begun ? begun->shard.num_documents : 0};
}

}  // namespace cairn::data
