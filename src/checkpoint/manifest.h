// manifest.json: the table of what a checkpoint folder holds, written last inside it. Each file's checksum covers
// run id, step, name and bytes, so that stale, swapped or misdirected data fails as well as damage does.
// Format: docs/formats/checkpoint.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/status.h"

namespace cairn::checkpoint {

inline constexpr int kManifestVersion = 1;
inline constexpr std::string_view kManifestName = "manifest.json";

// A hasher that has already taken in who the file is: run id, step and name, each with its length.
Hasher file_hasher(std::string_view run_id, std::int64_t step, std::string_view name);

struct ManifestFile {
  std::string name;  // relative to the checkpoint folder, '/' between parts, no "..", not absolute
  std::int64_t num_bytes = 0;
  Hash128 hash;  // by file_hasher
  friend bool operator==(const ManifestFile&, const ManifestFile&) = default;
};

struct Manifest {
  std::string run_id;
  std::int64_t step = 0;
  std::int64_t attempt = 0;  // which start of the run wrote it
  std::int64_t saved_at_unix_s = 0;
  // Where the float32 weights are: "training/master", or "model" when the model files are float32 themselves.
  std::string master;
  // Over names and float32 bytes of weights and moments, without run id, step or time: equal for equal tensors.
  Hash128 tensors_hash;
  std::vector<std::string> moments;  // "exp_avg", ...
  std::vector<ManifestFile> files;   // by name; the manifest itself is not listed
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// Ends with the trailer: a last member "manifest_xxh3_128" over every byte before it.
std::string manifest_to_json(const Manifest& manifest);
// Checks the trailer, then parses strictly; all faults at once (kBadData).
Result<Manifest> manifest_from_json(std::string_view text);

}  // namespace cairn::checkpoint
