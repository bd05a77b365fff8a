// `cairn data trace | audit | rehearse`: the order of a run's samples, asked and read.
#include <algorithm>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "checkpoint/reader.h"
#include "checkpoint/train_state.h"
#include "commands.h"
#include "train/data_rehearsal.h"
#include "train/data_trace.h"
#include "train/document_list.h"
#include "train/run_inputs.h"

namespace cairn::apps {
namespace {

struct TraceOptions {
  std::string run_file;
  std::vector<std::string> overrides;
  std::int64_t step = 0;
  std::string document;
  std::int64_t ranks = 0;
};

struct AuditOptions {
  std::string run;
  std::string list;
  std::vector<std::string> overrides;
};

struct RehearseOptions {
  std::string run_file;
  std::vector<std::string> overrides;
  std::int64_t ranks = 1;
  std::int64_t until_step = 0;
  std::int64_t save_every = 100;
  std::string state_file;
};

std::string piece_text(const train::TracedPiece& piece) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\n", piece.step, piece.sample, piece.rank, piece.source,
                     piece.document, piece.offset, piece.count);
}

std::string piece_json(const train::TracedPiece& piece) {
  std::string source;
  append_json_string(source, piece.source);
  return fmt::format(
      R"({{"step":{},"sample":{},"rank":{},"source":{},"document":{},"offset":{},"tokens":{},"predicted":{}}})"
      "\n",
      piece.step, piece.sample, piece.rank, source, piece.document, piece.offset, piece.count,
      piece.num_predicted);
}

Status trace(const TraceOptions& options, CommandContext& context) {
  TRY_ASSIGN(const train::RunConfig config,
             train::load_run_config(context.files, options.run_file, options.overrides));
  ThreadPool pool(train::num_worker_threads(config));
  const std::int64_t ranks = options.ranks > 0 ? options.ranks : config.parallel.data;
  TRY_ASSIGN(const std::unique_ptr<train::DataTrace> trace,
             train::DataTrace::open(context.files, context.clock, config, ranks, &pool));
  std::vector<train::TracedPiece> pieces;
  if (options.document.empty()) {
    TRY_ASSIGN(pieces, trace->step(options.step));
  } else {
    TRY_ASSIGN(const train::ListedDocument name,
               train::parse_document_name(options.document, trace->sources()));
    TRY_ASSIGN(pieces, trace->document(name.source, name.document));
  }
  std::string text = context.json ? "" : "step\tsample\trank\tsource\tdocument\toffset\ttokens\n";
  for (const train::TracedPiece& piece : pieces) {
    text += context.json ? piece_json(piece) : piece_text(piece);
  }
  context.out << text;
  return ok_status();
}

// A run file, or a run folder: its run file, with the samples of its newest good checkpoint.
struct AuditedRun {
  train::RunConfig config;
  std::int64_t consumed_samples = -1;  // -1: the whole plan
};

Result<AuditedRun> read_audited_run(const AuditOptions& options, CommandContext& context) {
  AuditedRun run;
  const bool is_folder = context.files.is_directory(options.run);
  const std::string file = is_folder ? options.run + "/run.toml" : options.run;
  TRY_ASSIGN(run.config, train::load_run_config(context.files, file, options.overrides));
  if (is_folder) {
    TRY_ASSIGN(const checkpoint::Search search,
               checkpoint::find_newest_good(context.files, options.run + "/checkpoints", ""));
    run.consumed_samples = 0;
    if (search.newest_good) {
      TRY_ASSIGN(const checkpoint::TrainState state,
                 checkpoint::read_train_state(context.files, search.newest_good->folder.path));
      run.consumed_samples = state.consumed_samples;
    }
  }
  return run;
}

// What was found of one line of the list.
struct Finding {
  std::int64_t num_documents = 0;
  std::set<std::int64_t> steps;
  std::int64_t num_predicted = 0;
};
using Findings = std::map<std::string, Finding>;

std::string steps_text(const std::set<std::int64_t>& steps) {
  constexpr std::size_t kShown = 20;
  std::string text;
  std::size_t shown = 0;
  for (const std::int64_t step : steps) {
    if (shown++ == kShown) {
      return text + fmt::format(" and {} more", steps.size() - kShown);
    }
    text += fmt::format("{}{}", text.empty() ? "" : ", ", step);
  }
  return text.empty() ? "none" : text;
}

Result<Findings> find_documents(train::DataTrace& trace, const train::DocumentList& list,
                                std::int64_t consumed_samples) {
  Findings findings;
  for (const std::string& name : list.unmatched) {
    findings[name] = {};
  }
  for (const train::ListedDocument& listed : list.documents) {
    TRY_ASSIGN(const std::vector<train::TracedPiece> pieces, trace.document(listed.source, listed.document));
    Finding& finding = findings[listed.name];
    ++finding.num_documents;
    for (const train::TracedPiece& piece : pieces) {
      if (consumed_samples < 0 || piece.sample < consumed_samples) {
        finding.steps.insert(piece.step);
        finding.num_predicted += piece.num_predicted;
      }
    }
  }
  return findings;
}

void print_findings(const Findings& findings, std::int64_t consumed_samples, CommandContext& context) {
  std::int64_t num_used = 0;
  std::int64_t num_tokens = 0;
  std::set<std::int64_t> steps;
  for (const auto& [name, finding] : findings) {
    num_used += finding.steps.empty() ? 0 : 1;
    num_tokens += finding.num_predicted;
    steps.insert(finding.steps.begin(), finding.steps.end());
    if (context.json) {
      std::string quoted;
      append_json_string(quoted, name);
      context.out << fmt::format("{{\"listed\":{},\"documents\":{},\"steps\":[{}],\"tokens\":{}}}\n", quoted,
                                 finding.num_documents, fmt::join(finding.steps, ","), finding.num_predicted);
    } else {
      context.out << fmt::format("{}\t{} documents\t{} tokens\tsteps {}\n", name, finding.num_documents,
                                 finding.num_predicted, steps_text(finding.steps));
    }
  }
  if (!context.json) {
    const std::string scope =
        consumed_samples < 0 ? "the whole planned run"
                             : fmt::format("the {} samples trained so far", format_count(consumed_samples));
    context.out << fmt::format("{} of {} entries were used, {} tokens in {} steps, of {}\n", num_used,
                               findings.size(), format_count(num_tokens),
                               format_count(static_cast<std::int64_t>(steps.size())), scope);
  }
}

Status audit(const AuditOptions& options, CommandContext& context) {
  TRY_ASSIGN(const AuditedRun run, read_audited_run(options, context));
  TRY_ASSIGN(const std::string text, context.files.read_text(options.list));
  ThreadPool pool(train::num_worker_threads(run.config));
  TRY_ASSIGN(
      const std::unique_ptr<train::DataTrace> trace,
      train::DataTrace::open(context.files, context.clock, run.config, run.config.parallel.data, &pool));
  const Result<train::DocumentList> list =
      train::resolve_document_list(context.files, text, trace->sources());
  if (!list.ok()) {
    return list.status().with_context(options.list);
  }
  TRY_ASSIGN(const Findings findings, find_documents(*trace, *list, run.consumed_samples));
  print_findings(findings, run.consumed_samples, context);
  return ok_status();
}

Status rehearse(const RehearseOptions& options, CommandContext& context) {
  TRY_ASSIGN(const train::RunConfig config,
             train::load_run_config(context.files, options.run_file, options.overrides));
  TRY_ASSIGN(const train::RunInputs inputs, train::read_run_inputs(context.files, config));
  ThreadPool pool(static_cast<int>(options.ranks));
  TRY_ASSIGN(const std::unique_ptr<train::DataRehearsal> rehearsal,
             train::DataRehearsal::open(context.files, context.clock, config, inputs.model.vocab_size,
                                        options.state_file, pool));
  const std::int64_t end =
      options.until_step > 0 ? std::min(options.until_step, rehearsal->num_steps()) : rehearsal->num_steps();
  const std::int64_t first = rehearsal->step();
  const double start_s = context.clock.monotonic_s();
  while (rehearsal->step() < end) {
    TRY(rehearsal->read_step());
    if (rehearsal->step() % options.save_every == 0) {
      TRY(rehearsal->save());
    }
  }
  TRY(rehearsal->save());
  const double elapsed_s = std::max(context.clock.monotonic_s() - start_s, 1e-9);
  const double rate = static_cast<double>(rehearsal->tokens_read()) * sizeof(std::int32_t) / elapsed_s * 1e-6;
  if (context.json) {
    context.out << fmt::format(R"({{"first_step":{},"step":{},"sample_chain":"{}","mb_per_s":{:.1f}}})",
                               first, rehearsal->step(), rehearsal->chain().to_hex(), rate)
                << '\n';
  } else {
    context.out << fmt::format(
        "steps {} to {} of {} read with {} ranks, {:.0f} MB/s of int32 tokens\nsample chain {}\n", first + 1,
        rehearsal->step(), rehearsal->num_steps(), options.ranks, rate, rehearsal->chain().to_hex());
  }
  return ok_status();
}

void add_trace(CLI::App& group, CommandContext& context) {
  const auto options = std::make_shared<TraceOptions>();
  CLI::App* command =
      group.add_subcommand("trace", "Documents that a step reads, or steps that read a document");
  command->add_option("run", options->run_file, "The run file")->required()->type_name("RUN.toml");
  CLI::Option_group* question = command->add_option_group("question", "What is asked, one of");
  question->add_option("--step", options->step, "The step, from 1")->check(CLI::PositiveNumber);
  question->add_option("--document", options->document, "The document, as NUMBER or SOURCE:NUMBER");
  question->require_option(1);
  command
      ->add_option("--ranks", options->ranks,
                   "Data-parallel ranks that share a step (default: parallel.data)")
      ->check(CLI::PositiveNumber);
  add_set_option(*command, options->overrides);
  command->callback(
      [options, &context] { context.set_action([options, &context] { return trace(*options, context); }); });
}

void add_audit(CLI::App& group, CommandContext& context) {
  const auto options = std::make_shared<AuditOptions>();
  CLI::App* command =
      group.add_subcommand("audit", "Which steps of a run used listed documents, and how many tokens");
  command->add_option("run", options->run, "A run folder (what it has trained) or a run file (all of it)")
      ->required()
      ->type_name("RUN");
  command
      ->add_option("--list", options->list,
                   "An entry a line: NUMBER, SOURCE:NUMBER, URL or domain; '#' begins a comment")
      ->required();
  add_set_option(*command, options->overrides);
  command->callback(
      [options, &context] { context.set_action([options, &context] { return audit(*options, context); }); });
}

void add_rehearse(CLI::App& group, CommandContext& context) {
  const auto options = std::make_shared<RehearseOptions>();
  CLI::App* command = group.add_subcommand(
      "rehearse", "Read the data of a run in its order, without training, and print its chain");
  command->add_option("run", options->run_file, "The run file")->required()->type_name("RUN.toml");
  command->add_option("--ranks", options->ranks, "Readers that share the samples of a step")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command->add_option("--until-step", options->until_step, "Stop after this step")
      ->check(CLI::PositiveNumber);
  command->add_option("--state", options->state_file,
                      "Go on from this file when it is there, and keep it current");
  command->add_option("--save-every", options->save_every, "Steps between two states")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  add_set_option(*command, options->overrides);
  command->callback([options, &context] {
    context.set_action([options, &context] { return rehearse(*options, context); });
  });
}

}  // namespace

void add_data_order_commands(CLI::App& data, CommandContext& context) {
  add_trace(data, context);
  add_audit(data, context);
  add_rehearse(data, context);
}

}  // namespace cairn::apps
