#include "text_options.h"

#include <ostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "base/progress.h"
#include "doors/clock.h"

namespace cairn::apps {
namespace {

constexpr double kProgressEverySeconds = 0.2;

Result<data::DocumentOptions> document_options(const TextOptions& options, const std::string& path) {
  using data::DocumentUnit;
  data::DocumentOptions result;
  result.field = options.field;
  if (options.bad_bytes != "refuse" && options.bad_bytes != "replace") {
    return usage_error(fmt::format("--bad-bytes {}: use refuse or replace", options.bad_bytes));
  }
  result.replace_bad_bytes = options.bad_bytes == "replace";
  if (options.documents.empty()) {
    result.unit = data::document_unit_for(path);
    return result;
  }
  for (const auto& [name, unit] : {std::pair("file", DocumentUnit::kFile),
                                   {"line", DocumentUnit::kLine},
                                   {"paragraph", DocumentUnit::kParagraph},
                                   {"jsonl", DocumentUnit::kJsonLine}}) {
    if (options.documents == name) {
      result.unit = unit;
      return result;
    }
  }
  return usage_error(fmt::format("--documents {}: use file, line, paragraph or jsonl", options.documents));
}

// Redraws one line of a terminal, now and then.
class Bar {
 public:
  Bar(CommandContext& context, const char* label, std::int64_t total)
      : context_(context), label_(label), total_(total), start_s_(context.clock.monotonic_s()) {}
  ~Bar() {
    if (is_drawn_) {
      context_.err << "\r\x1B[K" << std::flush;
    }
  }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  void update(std::int64_t done) {
    if (!context_.is_interactive || context_.json) {
      return;
    }
    const double now_s = context_.clock.monotonic_s();
    if (now_s - drawn_s_ < kProgressEverySeconds) {
      return;
    }
    ProgressState state;
    state.label = label_;
    state.done = done >> 10;
    state.total = total_ >> 10;
    state.unit = "KiB";
    state.elapsed_s = now_s - start_s_;
    ProgressStyle style;
    style.use_color = context_.color;
    context_.err << '\r' << progress_line(state, style) << "\x1B[K" << std::flush;
    drawn_s_ = now_s;
    is_drawn_ = true;
  }

 private:
  CommandContext& context_;
  const char* label_;
  std::int64_t total_;
  double start_s_;
  double drawn_s_ = 0;
  bool is_drawn_ = false;
};

}  // namespace

void add_text_options(CLI::App& command, TextOptions& options) {
  command.add_option(
      "--documents", options.documents,
      "What a document is: file, line, paragraph (up to a blank line), jsonl (default: by file name)");
  command.add_option("--field", options.field, "The text's field in JSON lines")->capture_default_str();
  command
      .add_option("--bad-bytes", options.bad_bytes, "Bytes that are not UTF-8: refuse or replace (by U+FFFD)")
      ->capture_default_str();
}

Status for_each_document(CommandContext& context, const std::vector<std::string>& paths,
                         const TextOptions& options, const char* label, TextTotals& totals,
                         const std::function<Status(const std::string& text)>& work) {
  // All files are opened before any work is done.
  for (const std::string& path : paths) {
    TRY_ASSIGN(const data::DocumentOptions unit, document_options(options, path));
    TRY_ASSIGN(const data::DocumentReader reader, data::DocumentReader::open(context.files, path, unit));
    totals.bytes += reader.file_bytes();
  }
  Bar bar(context, label, totals.bytes);
  std::int64_t bytes_before = 0;
  std::string document;
  for (const std::string& path : paths) {
    TRY_ASSIGN(const data::DocumentOptions unit, document_options(options, path));
    TRY_ASSIGN(data::DocumentReader reader, data::DocumentReader::open(context.files, path, unit));
    while (true) {
      TRY_ASSIGN(const bool has_document, reader.next(document));
      if (!has_document) {
        break;
      }
      const Status status = work(document);
      if (!status.ok()) {
        return status.with_context(fmt::format("{} before byte {}", path, reader.bytes_read()));
      }
      bar.update(bytes_before + reader.bytes_read());
    }
    bytes_before += reader.file_bytes();
    totals.counts.documents += reader.counts().documents;
    totals.counts.empty += reader.counts().empty;
    totals.counts.bad_bytes += reader.counts().bad_bytes;
  }
  if (totals.counts.bad_bytes > 0) {
    context.log.warning("bytes that are not UTF-8 were replaced", {{"bytes", totals.counts.bad_bytes}});
  }
  return ok_status();
}

Result<tokenizer::Tokenizer> load_tokenizer(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const std::string text, files.read_text(path));
  Result<tokenizer::Tokenizer> tokenizer = tokenizer::Tokenizer::from_json(text);
  return tokenizer.ok() ? tokenizer : Result<tokenizer::Tokenizer>(tokenizer.status().with_context(path));
}

}  // namespace cairn::apps
