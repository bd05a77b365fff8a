// `cairn checkpoint`: list, verify, export, import, compare and prune checkpoints. The work is done in
// src/checkpoint; here are options and printing.
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "checkpoint/compare.h"
#include "checkpoint/export.h"
#include "checkpoint/file_io.h"
#include "checkpoint/reader.h"
#include "checkpoint/retention.h"
#include "checkpoint/run_folder.h"
#include "checkpoint/writer.h"
#include "commands.h"
#include "formats/json.h"

namespace cairn::apps {
namespace {

void print_json(CommandContext& context, const Json& json) {
  context.out << json_to_text(json, 2) << '\n';
}

// A checkpoint, the checkpoints of a run folder, or those of a checkpoints folder; newest first.
Result<std::vector<checkpoint::StepFolder>> find_steps(FileSystem& files, const std::string& path) {
  if (!files.is_directory(path)) {
    return no_input(fmt::format("{} is no folder", path));
  }
  if (const auto step = checkpoint::step_from_name(file_name(path))) {
    return std::vector<checkpoint::StepFolder>{{*step, path}};
  }
  const std::string inner = join_path(path, "checkpoints");
  TRY_ASSIGN(auto steps, checkpoint::list_steps(files, files.is_directory(inner) ? inner : path));
  if (steps.empty()) {
    return no_input(fmt::format("{} holds no checkpoint", path));
  }
  return steps;
}

struct ListedStep {
  checkpoint::StepFolder folder;
  checkpoint::Manifest manifest;  // empty when damaged
  std::string damage;             // "" when good
  std::int64_t num_bytes = 0;
};

std::vector<ListedStep> look_at(FileSystem& files, const std::vector<checkpoint::StepFolder>& steps,
                                bool reads_everything) {
  std::vector<ListedStep> listed;
  for (const checkpoint::StepFolder& folder : steps) {
    ListedStep step{folder, {}, "", 0};
    auto manifest = reads_everything ? checkpoint::verify_checkpoint(files, folder.path, "")
                                     : checkpoint::read_manifest(files, folder.path, "");
    if (manifest.ok()) {
      step.manifest = std::move(manifest).value();
      for (const checkpoint::ManifestFile& file : step.manifest.files) {
        step.num_bytes += file.num_bytes;
      }
    } else {
      step.damage = manifest.status().message();
    }
    listed.push_back(std::move(step));
  }
  return listed;
}

std::string date_of(const checkpoint::Manifest& manifest) {
  constexpr std::size_t kUpToSeconds = 19;
  return manifest.saved_at_unix_s == 0
             ? "-"
             : format_time(manifest.saved_at_unix_s * kNsPerSecond).substr(0, kUpToSeconds);
}

Json to_json(const ListedStep& step) {
  Json json = Json::object();
  json["step"] = step.folder.step;
  json["path"] = step.folder.path;
  json["good"] = step.damage.empty();
  if (step.damage.empty()) {
    json["run_id"] = step.manifest.run_id;
    json["bytes"] = step.num_bytes;
    json["saved_at_unix_s"] = step.manifest.saved_at_unix_s;
    json["tensors_xxh3_128"] = step.manifest.tensors_hash.to_hex();
  } else {
    json["reason"] = step.damage;
  }
  return json;
}

void print_table(CommandContext& context, const std::vector<ListedStep>& listed) {
  context.out << fmt::format("{:>10}  {:>10}  {:<19}  {:<7}  {}\n", "step", "size", "saved (UTC)", "state",
                             "tensors");
  for (const ListedStep& step : listed) {
    const bool is_good = step.damage.empty();
    context.out << fmt::format("{:>10}  {:>10}  {:<19}  {:<7}  {}\n", step.folder.step,
                               is_good ? format_bytes(step.num_bytes) : "-",
                               is_good ? date_of(step.manifest) : "-", is_good ? "good" : "damaged",
                               is_good ? step.manifest.tensors_hash.to_hex() : step.damage);
  }
}

enum class ListDepth : unsigned char { kManifests, kEverything };
enum class OnDamage : unsigned char { kSay, kFail };

Status list_checkpoints(CommandContext& context, const std::string& path, ListDepth depth,
                        OnDamage on_damage) {
  TRY_ASSIGN(const auto steps, find_steps(context.files, path));
  const auto listed = look_at(context.files, steps, depth == ListDepth::kEverything);
  if (context.json) {
    Json json = Json::array();
    for (const ListedStep& step : listed) {
      json.push_back(to_json(step));
    }
    print_json(context, json);
  } else {
    print_table(context, listed);
  }
  const auto damaged =
      std::find_if(listed.begin(), listed.end(), [](const ListedStep& step) { return !step.damage.empty(); });
  return on_damage == OnDamage::kFail && damaged != listed.end() ? bad_data(damaged->damage) : ok_status();
}

struct ExportOptions {
  std::string source;
  std::string target;
  std::string dtype = "float32";
  std::int64_t shard_bytes_max = 5'000'000'000;
};

Status export_model(CommandContext& context, const ExportOptions& options) {
  checkpoint::HfWriteOptions write;
  write.dtype = options.dtype == "bfloat16" ? DType::kBFloat16 : DType::kFloat32;
  write.shard_bytes_max = options.shard_bytes_max;
  TRY_ASSIGN(const auto report,
             checkpoint::export_model(context.files, options.source, options.target, write));
  if (context.json) {
    Json json = Json::object();
    json["source"] = report.source;
    json["target"] = report.target;
    json["model_type"] = nn::model_type_name(report.config.type);
    json["parameters"] = report.num_parameters;
    json["tensors"] = report.num_tensors;
    print_json(context, json);
    return ok_status();
  }
  context.out << fmt::format("{}: {} model, {} parameters in {} tensors, all finite\n", report.source,
                             nn::model_type_name(report.config.type), format_count(report.num_parameters),
                             report.num_tensors);
  if (!report.target.empty()) {
    context.out << fmt::format("written to {} as {}\n", report.target, options.dtype);
  }
  return ok_status();
}

Json to_json(const checkpoint::TensorDifference& tensor) {
  Json json = Json::object();
  json["group"] = tensor.group;
  json["name"] = tensor.name;
  json["in_a"] = tensor.is_in_a;
  json["in_b"] = tensor.is_in_b;
  json["same_shape"] = tensor.has_same_shape;
  json["equal"] = tensor.is_bitwise_equal;
  json["different_elements"] = tensor.num_different;
  json["difference_max"] = tensor.difference_max;
  return json;
}

std::string verdict(const checkpoint::TensorDifference& tensor) {
  if (!tensor.is_in_a || !tensor.is_in_b) {
    return tensor.is_in_a ? "only in the first" : "only in the second";
  }
  if (!tensor.has_same_shape) {
    return "other shape";
  }
  return tensor.is_bitwise_equal ? "bitwise equal"
                                 : fmt::format("{} elements differ, by at most {:.3g}", tensor.num_different,
                                               tensor.difference_max);
}

void print_comparison(CommandContext& context, const checkpoint::Comparison& comparison, bool shows_equal) {
  for (const checkpoint::TensorDifference& tensor : comparison.tensors) {
    if (shows_equal || !tensor.is_bitwise_equal) {
      context.out << fmt::format("{:<10}  {}: {}\n", tensor.group, tensor.name, verdict(tensor));
    }
  }
  for (const std::string& line : comparison.state_differences) {
    context.out << fmt::format("{:<10}  {}\n", "state", line);
  }
  context.out << fmt::format("{} of {} tensors bitwise equal{}\n", comparison.num_equal,
                             comparison.tensors.size(),
                             !comparison.has_state                  ? ""
                             : comparison.state_differences.empty() ? ", training state equal"
                                                                    : ", training state differs");
}

struct DiffOptions {
  std::string a;
  std::string b;
  bool shows_equal = false;
  bool requires_equal = false;
};

Status diff_checkpoints(CommandContext& context, const DiffOptions& options) {
  TRY_ASSIGN(const auto comparison, checkpoint::compare_checkpoints(context.files, options.a, options.b));
  if (context.json) {
    Json json = Json::object();
    json["a"] = comparison.a;
    json["b"] = comparison.b;
    json["equal"] = comparison.is_equal();
    json["tensors"] = Json::array();
    for (const checkpoint::TensorDifference& tensor : comparison.tensors) {
      json["tensors"].push_back(to_json(tensor));
    }
    json["state"] = comparison.state_differences;
    print_json(context, json);
  } else {
    print_comparison(context, comparison, options.shows_equal);
  }
  if (options.requires_equal && !comparison.is_equal()) {
    return bad_data(fmt::format("{} and {} differ", comparison.a, comparison.b));
  }
  return ok_status();
}

struct PruneOptions {
  std::string run;
  checkpoint::RetentionRules rules;
  bool applies = false;
};

Status prune_checkpoints(CommandContext& context, const PruneOptions& options) {
  const std::string checkpoints = join_path(options.run, "checkpoints");
  if (!context.files.is_directory(checkpoints)) {
    return no_input(fmt::format("{} is no run folder: it has no checkpoints/", options.run));
  }
  std::vector<std::int64_t> steps;
  if (options.applies) {
    // The lock keeps a live trainer's folder from being changed under it.
    TRY_ASSIGN(const auto run,
               checkpoint::RunFolder::open(
                   context.files, options.run,
                   {context.environment.host, context.environment.process_id, context.clock.wall_ns()}));
    TRY(checkpoint::remove_rubbish(context.files, run));
    TRY_ASSIGN(steps, checkpoint::Retention(context.files, run, options.rules).apply());
  } else {
    TRY_ASSIGN(steps, checkpoint::Retention(context.files, checkpoints, options.rules).plan());
  }
  if (context.json) {
    Json json = Json::object();
    json["applied"] = options.applies;
    json["steps"] = steps;
    print_json(context, json);
    return ok_status();
  }
  for (const std::int64_t step : steps) {
    context.out << fmt::format("{} step {}\n", options.applies ? "deleted" : "would delete", step);
  }
  context.out << fmt::format("{} checkpoints {}\n", steps.size(),
                             options.applies ? "deleted" : "to delete; --apply deletes them");
  return ok_status();
}

void add_list_and_verify(CLI::App& group, CommandContext& context) {
  auto list_path = std::make_shared<std::string>();
  auto is_quick = std::make_shared<bool>(false);
  CLI::App* list =
      group.add_subcommand("list", "The checkpoints of a run, newest first, each read and checked");
  list->add_option("folder", *list_path, "Run folder, or a folder of checkpoints")->required();
  list->add_flag("--quick", *is_quick, "Check manifests only, do not read the tensors");
  list->callback([&context, list_path, is_quick] {
    context.set_action([=, &context] {
      return list_checkpoints(context, *list_path, *is_quick ? ListDepth::kManifests : ListDepth::kEverything,
                              OnDamage::kSay);
    });
  });
  auto verify_path = std::make_shared<std::string>();
  CLI::App* verify = group.add_subcommand("verify", "Read every byte; exit code 65 if anything is damaged");
  verify->add_option("folder", *verify_path, "Checkpoint, run folder, or a folder of checkpoints")
      ->required();
  verify->callback([&context, verify_path] {
    context.set_action([=, &context] {
      return list_checkpoints(context, *verify_path, ListDepth::kEverything, OnDamage::kFail);
    });
  });
}

void add_export_and_import(CLI::App& group, CommandContext& context) {
  const auto add = [&](const char* name, const char* help, const char* source_help, bool needs_target) {
    auto options = std::make_shared<ExportOptions>();
    CLI::App* command = group.add_subcommand(name, help);
    command->add_option("source", options->source, source_help)->required();
    CLI::Option* target =
        command->add_option("target", options->target, "New model folder; an existing one is refused");
    target->required(needs_target);
    command->add_option("--dtype", options->dtype, "Element type of the weights")
        ->check(CLI::IsMember({"float32", "bfloat16"}))
        ->capture_default_str();
    command->add_option("--shard-bytes", options->shard_bytes_max, "Largest safetensors file")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->callback([&context, options] {
      context.set_action([=, &context] { return export_model(context, *options); });
    });
  };
  add("export", "Write a model folder that transformers opens",
      "Checkpoint, or run folder (its newest good one)", true);
  add("import", "Check a model folder from elsewhere; write it anew when a target is named", "Model folder",
      false);
}

void add_diff_and_prune(CLI::App& group, CommandContext& context) {
  auto diff = std::make_shared<DiffOptions>();
  CLI::App* diff_command =
      group.add_subcommand("diff", "Compare two checkpoints or model folders bit by bit");
  diff_command->add_option("a", diff->a, "Checkpoint, run folder or model folder")->required();
  diff_command->add_option("b", diff->b, "The other one")->required();
  diff_command->add_flag("--all", diff->shows_equal, "List equal tensors too");
  diff_command->add_flag("--require-equal", diff->requires_equal, "Exit code 65 unless everything is equal");
  diff_command->callback(
      [&context, diff] { context.set_action([=, &context] { return diff_checkpoints(context, *diff); }); });
  auto prune = std::make_shared<PruneOptions>();
  CLI::App* prune_command =
      group.add_subcommand("prune", "Say which checkpoints the rules would delete; --apply deletes them");
  prune_command->add_option("run", prune->run, "Run folder")->required();
  prune_command->add_option("--keep-last", prune->rules.keep_last, "Newest good ones to keep, at least 2")
      ->check(CLI::PositiveNumber)
      ->required();
  prune_command->add_option("--keep-every", prune->rules.keep_every, "Keep multiples of this step too")
      ->check(CLI::NonNegativeNumber);
  prune_command->add_flag("--apply", prune->applies, "Delete");
  prune_command->callback([&context, prune] {
    context.set_action([=, &context] { return prune_checkpoints(context, *prune); });
  });
}

}  // namespace

void add_checkpoint_command(CLI::App& app, CommandContext& context) {
  CLI::App* group = app.add_subcommand("checkpoint", "Look at, check, convert and remove checkpoints");
  group->require_subcommand(1);
  add_list_and_verify(*group, context);
  add_export_and_import(*group, context);
  add_diff_and_prune(*group, context);
  add_parity_command(*group, context);
}

}  // namespace cairn::apps
