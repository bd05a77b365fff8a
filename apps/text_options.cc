#include "text_options.h"

#include <numeric>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/faults.h"
#include "base/log.h"
#include "progress_bar.h"

namespace cairn::apps {

void add_text_options(CLI::App& command, TextOptions& options) {
  command.add_option(
      "--documents", options.documents,
      "What a document is: file, line, paragraph (up to a blank line), jsonl (default: by file name)");
  command
      .add_option("--field", options.field,
                  "The text's field in JSON lines and Parquet; with dots, of an object inside")
      ->capture_default_str();
  command
      .add_option("--bad-bytes", options.bad_bytes, "Bytes that are not UTF-8: refuse or replace (by U+FFFD)")
      ->capture_default_str();
}

Result<data::TextOptions> text_options(const TextOptions& options) {
  Faults faults;
  const std::optional<data::DocumentUnit> unit = data::document_unit_named(options.documents);
  if (!options.documents.empty() && (!unit || unit == data::DocumentUnit::kParquetRow)) {
    faults.add("--documents", options.documents, "is none of the known units",
               "use file, line, paragraph or jsonl (Parquet files are known by their name)");
  }
  if (options.bad_bytes != "refuse" && options.bad_bytes != "replace") {
    faults.add("--bad-bytes", options.bad_bytes, "is neither of the two ways", "use refuse or replace");
  }
  TRY(faults.to_status(StatusCode::kUsage, "the text cannot be read like this"));
  data::TextOptions result;
  result.field = options.field;
  result.replace_bad_bytes = options.bad_bytes == "replace";
  return result;
}

Result<std::vector<data::TextInput>> list_inputs(CommandContext& context,
                                                 const std::vector<std::string>& paths,
                                                 const TextOptions& options) {
  TRY_ASSIGN(data::TextInputList list,
             data::list_text_inputs(context.files, paths, data::document_unit_named(options.documents)));
  if (list.num_ignored > 0) {
    context.log.warning("files of folders were left out: their names do not say that they are text",
                        {{"files", list.num_ignored}});
  }
  return std::move(list.inputs);
}

std::int64_t total_bytes(const std::vector<data::TextInput>& inputs) {
  return std::accumulate(inputs.begin(), inputs.end(), std::int64_t{0},
                         [](std::int64_t sum, const data::TextInput& input) { return sum + input.bytes; });
}

Status for_each_document(CommandContext& context, const std::vector<std::string>& paths,
                         const TextOptions& options, const char* label, TextTotals& totals,
                         const std::function<Status(std::string_view text)>& work) {
  TRY_ASSIGN(const data::TextOptions text, text_options(options));
  TRY_ASSIGN(const std::vector<data::TextInput> inputs, list_inputs(context, paths, options));
  totals.bytes = total_bytes(inputs);
  ProgressBar bar(context, label, "KiB", totals.bytes >> 10);
  data::TextBatchReader reader(context.files, inputs, text, {}, static_cast<std::int64_t>(inputs.size()));
  data::DocumentSplitter splitter(inputs, text);
  data::TextBatch batch;
  std::int64_t done_bytes = 0;
  const auto take = [&](const data::Document& document) -> Status {
    const Status status = work(document.text);
    return status.with_context(fmt::format(
        "{}: the document at {}", inputs[static_cast<std::size_t>(document.input)].path, document.offset));
  };
  while (true) {
    TRY_ASSIGN(const bool has_text, reader.next(batch));
    if (!has_text) {
      break;
    }
    TRY(splitter.split(batch, totals.counts, take));
    done_bytes += batch.file_bytes;
    bar.update(done_bytes >> 10);
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
