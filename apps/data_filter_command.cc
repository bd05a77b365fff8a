// `cairn data filter`.
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/faults.h"
#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "data/shard_filter.h"
#include "progress_bar.h"

namespace cairn::apps {
namespace {

struct FilterOptions {
  data::FilterRequest request;
  std::vector<std::string> domains;
  std::vector<std::string> urls;
  std::vector<std::string> documents;
  std::vector<std::string> values;  // COLUMN=FILE
  std::string url_column = "url";
};

Status read_lists(FilterOptions& options) {
  Faults faults;
  std::vector<data::ListRequest>& lists = options.request.lists;
  using data::ListKind;
  for (const auto& [kind, paths] : {std::pair(ListKind::kDocuments, &options.documents),
                                    {ListKind::kUrls, &options.urls},
                                    {ListKind::kDomains, &options.domains}}) {
    for (const std::string& path : *paths) {
      lists.push_back({kind, path, options.url_column});
    }
  }
  for (const std::string& text : options.values) {
    const std::size_t equal = text.find('=');
    if (equal == std::string::npos || equal == 0 || equal + 1 == text.size()) {
      faults.add("--values", text, "has no column or no file",
                 "write COLUMN=FILE, as in licence=refused.txt");
      continue;
    }
    lists.push_back({ListKind::kValues, text.substr(equal + 1), text.substr(0, equal)});
  }
  if (lists.empty() && faults.empty()) {
    faults.add("lists", "", "none is given", "give --domains, --urls, --documents or --values");
  }
  return faults.to_status(StatusCode::kUsage, "the shard cannot be filtered like this");
}

Status filter(FilterOptions& options, CommandContext& context) {
  TRY(read_lists(options));
  const auto filter_with_bar = [&] {
    ProgressBar bar(context, "filter", "document", 0);
    return data::filter_shard(context.files, options.request, [&bar](std::int64_t done, std::int64_t total) {
      bar.set_total(total);
      bar.update(done);
    });
  };
  TRY_ASSIGN(const data::FilterReport report, filter_with_bar());
  for (const data::FilterReason& reason : report.reasons) {
    if (reason.entries_used < reason.entries) {
      context.log.warning("entries of a list name no document of the shard",
                          {{"list", reason.list.path}, {"entries", reason.entries - reason.entries_used}});
    }
  }
  if (context.json) {
    context.out << data::filter_report_json(options.request, report);
    return ok_status();
  }
  for (const data::FilterReason& reason : report.reasons) {
    context.out << fmt::format("{} {}: {} documents, {} tokens removed ({} of {} entries named one)\n",
                               data::list_kind_name(reason.list.kind), reason.list.path,
                               format_count(reason.documents), format_count(reason.tokens),
                               format_count(reason.entries_used), format_count(reason.entries));
  }
  context.out << fmt::format(
      "{0}: {1} of {2} documents kept, {3} of {4} tokens; what went is in {0}.removed.tsv\n",
      options.request.out, format_count(report.documents_kept), format_count(report.documents_before),
      format_count(report.tokens_kept), format_count(report.tokens_before));
  return ok_status();
}

}  // namespace

void add_data_filter_command(CLI::App& data, CommandContext& context) {
  auto options = std::make_shared<FilterOptions>();
  CLI::App* command =
      data.add_subcommand("filter", "Write a shard without the documents that lists name, and a report");
  command->add_option("prefix", options->request.prefix, "PREFIX of the shard; it needs PREFIX.origins")
      ->required();
  command->add_option("--out", options->request.out, "PREFIX of the new shard and its report")->required();
  const auto add_list = [&](const char* name, std::vector<std::string>& paths, const char* help) {
    command->add_option(name, paths, help)->allow_extra_args(false);
  };
  add_list("--domains", options->domains, "A file of domains; hosts below them go too (repeatable)");
  add_list("--urls", options->urls, "A file of whole URLs (repeatable)");
  add_list("--documents", options->documents, "A file of document numbers in the shard, from 0 (repeatable)");
  add_list("--values", options->values,
           "COLUMN=FILE: a file of values of a column, such as licence (repeatable)");
  command->add_option("--url-column", options->url_column, "The column of the origins that has the URL")
      ->capture_default_str();
  command->callback(
      [options, &context] { context.set_action([options, &context] { return filter(*options, context); }); });
}

}  // namespace cairn::apps
