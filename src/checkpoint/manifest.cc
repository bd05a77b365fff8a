#include "checkpoint/manifest.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "checkpoint/json_fields.h"

namespace cairn::checkpoint {
namespace {

constexpr std::string_view kFormat = "cairn checkpoint";
// Fixed length, so that it is found from the end without parsing anything.
constexpr std::string_view kTrailerBegin = ",\n  \"manifest_xxh3_128\": \"";
constexpr std::string_view kTrailerEnd = "\"\n}\n";
constexpr std::size_t kHexDigits = 32;
constexpr std::size_t kTrailerBytes = kTrailerBegin.size() + kHexDigits + kTrailerEnd.size();

void update_with_length(Hasher& hasher, std::string_view text) {
  hasher.update_uint64(text.size());
  hasher.update(text);
}

Hash128 trailer_hash(std::string_view body) {
  Hasher hasher;
  update_with_length(hasher, kManifestName);
  hasher.update(body);
  return hasher.digest();
}

// A relative path of plain parts: it cannot lead out of the checkpoint folder.
bool is_plain_relative_path(std::string_view name) {
  for (const std::string_view part : split(name, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return false;
    }
    for (const char c : part) {
      if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == 0x7F) {
        return false;
      }
    }
  }
  return true;
}

Status check_trailer(std::string_view text) {
  if (text.size() < kTrailerBytes) {
    return bad_data(fmt::format("{} bytes are too few for a manifest", text.size()));
  }
  const std::string_view trailer = text.substr(text.size() - kTrailerBytes);
  if (!trailer.starts_with(kTrailerBegin) || !trailer.ends_with(kTrailerEnd)) {
    return bad_data("the manifest has no trailer: it is truncated or damaged");
  }
  const std::string hash = trailer_hash(text.substr(0, text.size() - kTrailerBytes)).to_hex();
  if (trailer.substr(kTrailerBegin.size(), kHexDigits) != hash) {
    return bad_data("the manifest does not match its own checksum");
  }
  return ok_status();
}

void read_files(FieldReader& top, Faults& faults, Manifest& manifest) {
  const Json* list = top.array("files");
  std::set<std::string, std::less<>> names;
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    FieldReader reader(&(*list)[i], fmt::format("files[{}]", i), faults);
    ManifestFile file;
    file.name = reader.text("name");
    file.num_bytes = reader.integer("bytes", 0);
    file.hash = reader.hash("xxh3_128");
    reader.finish();
    if (!is_plain_relative_path(file.name) || file.name == kManifestName || !names.insert(file.name).second) {
      faults.add(reader.path("name"), file.name, "is no plain relative path, or is named twice",
                 "restore the manifest");
    }
    manifest.files.push_back(std::move(file));
  }
}

void read_moments(FieldReader& top, Faults& faults, Manifest& manifest) {
  const Json* list = top.array("moments");
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto name = as_string((*list)[i]);
    if (!name) {
      faults.add(fmt::format("moments[{}]", i), "", "is no string", "restore the manifest");
      continue;
    }
    manifest.moments.emplace_back(*name);
  }
}

}  // namespace

Hasher file_hasher(std::string_view run_id, std::int64_t step, std::string_view name) {
  Hasher hasher;
  update_with_length(hasher, run_id);
  hasher.update_uint64(static_cast<std::uint64_t>(step));
  update_with_length(hasher, name);
  return hasher;
}

std::string manifest_to_json(const Manifest& manifest) {
  Json json = Json::object();
  json["format"] = kFormat;
  json["version"] = kManifestVersion;
  json["run_id"] = manifest.run_id;
  json["step"] = manifest.step;
  json["attempt"] = manifest.attempt;
  json["saved_at_unix_s"] = manifest.saved_at_unix_s;
  json["master"] = manifest.master;
  json["tensors_xxh3_128"] = manifest.tensors_hash.to_hex();
  json["moments"] = manifest.moments;
  Json list = Json::array();
  for (const ManifestFile& file : manifest.files) {
    list.push_back({{"name", file.name}, {"bytes", file.num_bytes}, {"xxh3_128", file.hash.to_hex()}});
  }
  json["files"] = std::move(list);
  std::string text = json_to_text(json, 2);
  // json_to_text ends with "\n}"; the trailer takes its place and closes the object again.
  CHECK(text.ends_with("\n}"), "a manifest is an object with members");
  text.resize(text.size() - 2);
  const std::string hash = trailer_hash(text).to_hex();
  text += kTrailerBegin;
  text += hash;
  text += kTrailerEnd;
  return text;
}

Result<Manifest> manifest_from_json(std::string_view text) {
  TRY(check_trailer(text));
  TRY_ASSIGN(const Json json, parse_json(text, JsonLimits{}));
  Faults faults;
  FieldReader reader(&json, "", faults);
  if (const std::string format = reader.text("format"); !format.empty() && format != kFormat) {
    faults.add("format", format, fmt::format("is not \"{}\"", kFormat), "give the manifest of a checkpoint");
  }
  const std::int64_t version = reader.integer("version", 1);
  if (version > kManifestVersion) {
    return bad_data(
        fmt::format("checkpoint format {} is newer than this program (it reads up to {}); use the version "
                    "that wrote it, or newer",
                    version, kManifestVersion));
  }
  Manifest manifest;
  manifest.run_id = reader.text("run_id");
  manifest.step = reader.integer("step", 0);
  manifest.attempt = reader.integer("attempt", 0);
  manifest.saved_at_unix_s = reader.integer("saved_at_unix_s", 0);
  manifest.master = reader.text("master");
  if (manifest.master != "model" && manifest.master != "training/master") {
    faults.add("master", manifest.master, "is neither \"model\" nor \"training/master\"",
               "restore the manifest");
  }
  manifest.tensors_hash = reader.hash("tensors_xxh3_128");
  read_moments(reader, faults, manifest);
  read_files(reader, faults, manifest);
  reader.text("manifest_xxh3_128");
  reader.finish();
  TRY(faults.to_status(StatusCode::kBadData, "manifest"));
  return manifest;
}

}  // namespace cairn::checkpoint
