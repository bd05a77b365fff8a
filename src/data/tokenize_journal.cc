#include "data/tokenize_journal.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/faults.h"
#include "base/hash.h"
#include "doors/path.h"
#include "formats/json.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kFaultsMax = 20;
constexpr JsonLimits kLimits = {std::int64_t{1} << 32, 8};

std::string work_file(const std::string& prefix) {
  return join_path(partial_folder(prefix), "work.json");
}

Json json_of(const TextInput& input) {
  return {input.path, document_unit_name(input.unit), input.bytes, input.modified_ns};
}

std::string work_text(const TokenizeWork& work) {
  Json settings = Json::object();
  for (const auto& [name, value] : work.settings) {
    settings[name] = value;
  }
  Json inputs = Json::array();
  for (const TextInput& input : work.inputs) {
    inputs.push_back(json_of(input));
  }
  return json_to_text(Json{{"version", kVersion}, {"settings", settings}, {"inputs", inputs}}, -1);
}

// The counters by name, for both directions.
using Counter = std::pair<const char*, std::int64_t*>;
std::array<Counter, 11> counters(TokenizeProgress& progress) {
  return {{{"input", &progress.place.input},
           {"offset", &progress.place.offset},
           {"line", &progress.place.line},
           {"documents", &progress.shard.num_documents},
           {"tokens", &progress.shard.num_tokens},
           {"origin_bytes", &progress.shard.num_bytes},
           {"blocks", &progress.shard.num_blocks},
           {"texts", &progress.counts.documents},
           {"empty", &progress.counts.empty},
           {"bad_bytes", &progress.counts.bad_bytes},
           {"text_bytes", &progress.counts.text_bytes}}};
}

void compare_settings(const Json& begun, const TokenizeWork& now, Faults& faults) {
  for (const auto& [name, value] : now.settings) {
    const Json* before = find(begun, name);
    const std::string was(before != nullptr ? as_string(*before).value_or("") : "");
    if (was != value) {
      faults.add(name, value, fmt::format("the work was begun with '{}'", was), "use that again");
    }
  }
}

// Files that were not read yet may have changed since: what is in the shard does not depend on them.
bool is_used(const TextPlace& place, std::size_t input) {
  const auto index = static_cast<std::int64_t>(input);
  return index < place.input || (index == place.input && place.offset > 0);
}

void compare_inputs(const Json& begun, const TokenizeWork& now, const TextPlace& place, Faults& faults) {
  if (begun.size() != now.inputs.size()) {
    faults.add("inputs", fmt::format("{} files", now.inputs.size()),
               fmt::format("the work was begun with {}", begun.size()), "name the same files");
  }
  for (std::size_t i = 0; i < std::min(begun.size(), now.inputs.size()); ++i) {
    const TextInput& input = now.inputs[i];
    const Json expected = json_of(input);
    const bool is_same_file = begun[i].is_array() && begun[i].size() == expected.size() &&
                              begun[i][0] == expected[0] && begun[i][1] == expected[1];
    if (begun[i] == expected || (is_same_file && !is_used(place, i))) {
      continue;
    }
    if (faults.list().size() == kFaultsMax) {
      return;
    }
    faults.add(fmt::format("input {}", i), input.path,
               is_same_file ? "was changed after it was read"
                            : fmt::format("the work was begun with {}", json_to_text(begun[i], -1)),
               "give the same files in the same order");
  }
}

Status compare(const std::string& begun_text, const TokenizeWork& now, const TextPlace& place,
               const std::string& path) {
  const Result<Json> begun = parse_json(begun_text, kLimits);
  const Json* version = begun.ok() ? find(*begun, "version") : nullptr;
  const Json* settings = begun.ok() ? find(*begun, "settings") : nullptr;
  const Json* inputs = begun.ok() ? find(*begun, "inputs") : nullptr;
  if (version == nullptr || settings == nullptr || inputs == nullptr || !inputs->is_array()) {
    return bad_data(fmt::format("{} is damaged; begin anew with --restart", path));
  }
  Faults faults;
  if (as_int64(*version) != kVersion) {
    faults.add("version", fmt::format("{}", kVersion), "the work was begun by another version of the program",
               "finish it with that one");
  }
  compare_settings(*settings, now, faults);
  compare_inputs(*inputs, now, place, faults);
  return faults.to_status(
      StatusCode::kBadConfig,
      fmt::format("{} holds unfinished work that is not this one; go on with the same command, or "
                  "begin anew with --restart",
                  parent_path(path)));
}

Result<TokenizeProgress> parse_progress(const std::string& text, const std::string& path) {
  const Status damaged = bad_data(fmt::format("{} is damaged; begin anew with --restart", path));
  Result<Json> json = parse_json(text, kLimits);
  const Json* checksum = json.ok() ? find(*json, "checksum") : nullptr;
  if (checksum == nullptr || !checksum->is_string()) {
    return damaged;
  }
  const std::string expected = checksum->get<std::string>();
  json->erase("checksum");
  if (xxh3_128(json_to_text(*json, -1)).to_hex() != expected) {
    return damaged;
  }
  TokenizeProgress progress;
  for (const auto& [name, value] : counters(progress)) {
    const Json* field = find(*json, name);
    const std::optional<std::int64_t> number = field != nullptr ? as_int64(*field) : std::nullopt;
    if (!number || *number < 0) {
      return damaged;
    }
    *value = *number;
  }
  const Json* filled = find(*json, "filled");
  for (std::size_t i = 0; filled != nullptr && i < filled->size(); ++i) {
    progress.filled.push_back(as_int64((*filled)[i]).value_or(0));
  }
  return progress;
}

}  // namespace

Status begin_tokenize_journal(FileSystem& files, const std::string& prefix, const TokenizeWork& work) {
  return files.replace_text(work_file(prefix), work_text(work));
}

Status commit_tokenize_journal(FileSystem& files, const std::string& prefix,
                               const TokenizeProgress& progress) {
  TokenizeProgress copy = progress;
  Json json = {{"version", kVersion}};
  for (const auto& [name, value] : counters(copy)) {
    json[name] = *value;
  }
  json["filled"] = copy.filled;
  const std::string text = json_to_text(json, -1);
  json["checksum"] = xxh3_128(text).to_hex();
  return files.replace_text(progress_file(prefix), json_to_text(json, -1));
}

Result<std::optional<TokenizeProgress>> load_tokenize_journal(FileSystem& files, const std::string& prefix,
                                                              const TokenizeWork& work) {
  const std::string path = progress_file(prefix);
  if (!files.exists(path)) {
    return std::optional<TokenizeProgress>();
  }
  TRY_ASSIGN(const std::string text, files.read_text(path));
  TRY_ASSIGN(TokenizeProgress progress, parse_progress(text, path));
  TRY_ASSIGN(const std::string begun, files.read_text(work_file(prefix)));
  if (begun != work_text(work)) {
    TRY(compare(begun, work, progress.place, work_file(prefix)));
    TRY(begin_tokenize_journal(files, prefix, work));
  }
  return std::optional(std::move(progress));
}

}  // namespace cairn::data
