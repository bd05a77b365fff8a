#include "data/text_input.h"

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <fnmatch.h>

#include "base/faults.h"
#include "doors/path.h"
#include "formats/decompress.h"

namespace cairn::data {
namespace {

constexpr int kFolderDepthMax = 64;
constexpr std::array<std::string_view, 6> kTextEndings = {".txt",    ".md",   ".jsonl",
                                                          ".ndjson", ".json", ".parquet"};
constexpr std::array<std::pair<DocumentUnit, std::string_view>, 5> kUnits = {
    {{DocumentUnit::kFile, "file"},
     {DocumentUnit::kLine, "line"},
     {DocumentUnit::kParagraph, "paragraph"},
     {DocumentUnit::kJsonLine, "jsonl"},
     {DocumentUnit::kParquetRow, "parquet"}}};

bool is_text_name(std::string_view path) {
  const std::string_view name = without_compression(path);
  return std::any_of(kTextEndings.begin(), kTextEndings.end(),
                     [name](std::string_view ending) { return name.ends_with(ending); });
}

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?[") != std::string_view::npos;
}

// Collects paths; a fault ends nothing.
class Lister {
 public:
  Lister(FileSystem& files, bool takes_any_name) : files_(files), takes_any_name_(takes_any_name) {}

  void add(const std::string& path) {
    if (files_.is_directory(path)) {
      add_folder(path, 0);
    } else if (has_wildcard(path) && !files_.exists(path)) {
      add_matches(path);
    } else {
      paths.push_back(path);
    }
  }

  std::vector<std::string> paths;
  std::int64_t num_ignored = 0;
  Faults faults;

 private:
  void add_folder(const std::string& folder, int depth) {
    const Result<std::vector<std::string>> names = files_.list(folder);
    if (!names.ok() || depth > kFolderDepthMax) {
      faults.add("input", folder,
                 names.ok() ? "folders are nested too deep (a link to itself?)" : names.status().message(),
                 "name files or folders that can be read");
      return;
    }
    for (const std::string& name : *names) {
      const std::string path = join_path(folder, name);
      if (name.starts_with(".")) {
        continue;
      }
      if (files_.is_directory(path)) {
        add_folder(path, depth + 1);
      } else if (takes_any_name_ || is_text_name(name)) {
        paths.push_back(path);
      } else {
        ++num_ignored;
      }
    }
  }

  void add_matches(const std::string& pattern) {
    // Each part of the path with a wildcard is matched against what the folders before it have.
    std::vector<std::string> found = {pattern.starts_with("/") ? "/" : "."};
    std::size_t begin = 0;
    while (begin < pattern.size()) {
      const std::size_t end = std::min(pattern.find('/', begin), pattern.size());
      const std::string part = pattern.substr(begin, end - begin);
      begin = end + 1;
      if (!part.empty()) {
        found = matches_of(found, part);
      }
    }
    if (found.empty()) {
      faults.add("input", pattern, "no file matches", "check the pattern");
    }
    for (const std::string& path : found) {
      add(path.starts_with("./") && !pattern.starts_with("./") ? path.substr(2) : path);
    }
  }

  std::vector<std::string> matches_of(const std::vector<std::string>& folders, const std::string& part) {
    std::vector<std::string> found;
    for (const std::string& folder : folders) {
      if (!has_wildcard(part)) {
        if (files_.exists(join_path(folder, part))) {
          found.push_back(join_path(folder, part));
        }
        continue;
      }
      const Result<std::vector<std::string>> names = files_.list(folder);
      for (std::size_t i = 0; names.ok() && i < names->size(); ++i) {
        if (fnmatch(part.c_str(), (*names)[i].c_str(), FNM_PERIOD) == 0) {
          found.push_back(join_path(folder, (*names)[i]));
        }
      }
    }
    return found;
  }

  FileSystem& files_;
  bool takes_any_name_;
};

}  // namespace

std::string_view document_unit_name(DocumentUnit unit) {
  return kUnits[static_cast<std::size_t>(unit)].second;
}

std::optional<DocumentUnit> document_unit_named(std::string_view name) {
  for (const auto& [unit, unit_name] : kUnits) {
    if (unit_name == name) {
      return unit;
    }
  }
  return std::nullopt;
}

DocumentUnit document_unit_for(std::string_view path) {
  const std::string_view name = without_compression(path);
  if (path.ends_with(".parquet")) {
    return DocumentUnit::kParquetRow;
  }
  const bool is_json = name.ends_with(".jsonl") || name.ends_with(".ndjson") || name.ends_with(".json");
  return is_json ? DocumentUnit::kJsonLine : DocumentUnit::kFile;
}

Result<TextInputList> list_text_inputs(FileSystem& files, std::span<const std::string> paths,
                                       std::optional<DocumentUnit> unit) {
  Lister lister(files, unit.has_value());
  for (const std::string& path : paths) {
    lister.add(path);
  }
  TextInputList list;
  list.num_ignored = lister.num_ignored;
  Faults missing = std::move(lister.faults);
  Faults twice;
  std::unordered_set<std::string> seen;
  for (std::string& path : lister.paths) {
    if (!seen.insert(path).second) {
      twice.add("input", path, "is named twice", "name it once; its documents would be there twice");
      continue;
    }
    const Result<std::unique_ptr<ReadableFile>> file = files.open(path);
    if (!file.ok()) {
      missing.add("input", path, file.status().message(), "name files that can be read");
      continue;
    }
    const DocumentUnit by_name = document_unit_for(path);
    const DocumentUnit chosen = by_name == DocumentUnit::kParquetRow ? by_name : unit.value_or(by_name);
    list.inputs.push_back({std::move(path), chosen, (*file)->size(), (*file)->modified_ns()});
  }
  TRY(missing.to_status(StatusCode::kNoInput, "the text cannot be read"));
  TRY(twice.to_status(StatusCode::kUsage, "the text cannot be used"));
  if (list.inputs.empty()) {
    return no_input(
        "no text files; folders are searched for .txt, .md, .jsonl, .ndjson, .json and .parquet files");
  }
  return list;
}

Status check_unchanged(FileSystem& files, const TextInput& input) {
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> file, files.open(input.path));
  if (file->size() != input.bytes) {
    return bad_data(fmt::format("{}: had {} bytes when the work began and has {} now; inputs must not change",
                                input.path, input.bytes, file->size()));
  }
  if (file->modified_ns() != input.modified_ns) {
    return bad_data(
        fmt::format("{}: was written to after the work began; inputs must not change", input.path));
  }
  return ok_status();
}

}  // namespace cairn::data
