#include "checkpoint/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "checkpoint/export.h"
#include "checkpoint/file_io.h"
#include "checkpoint/manifest.h"
#include "checkpoint/reader.h"
#include "formats/json.h"

namespace cairn::checkpoint {
namespace {

struct Side {
  std::string path;
  std::optional<Manifest> manifest;

  Result<TensorSet> open(FileSystem& files, const std::string& group) const {
    if (manifest) {
      return open_tensors(files, path, *manifest, group);
    }
    if (group != "weights") {
      return TensorSet();
    }
    TRY_ASSIGN(HfFolder folder, HfFolder::open(files, path));
    return std::move(folder).take_tensors();
  }
};

Result<Side> open_side(FileSystem& files, const std::string& path) {
  Side side;
  TRY_ASSIGN(side.path, resolve_model_folder(files, path));
  if (files.exists(join_path(side.path, kManifestName))) {
    TRY_ASSIGN(side.manifest, read_manifest(files, side.path, ""));
  }
  return side;
}

void compare_values(std::span<const float> a, std::span<const float> b, TensorDifference& difference) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) {
      continue;
    }
    ++difference.num_different;
    const double distance = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    difference.difference_max = std::isnan(distance) ? std::numeric_limits<double>::infinity()
                                                     : std::max(difference.difference_max, distance);
  }
  difference.is_bitwise_equal = difference.num_different == 0;
}

Status compare_tensor(const TensorSet& set_a, const TensorSet& set_b, TensorDifference& difference) {
  const StoredTensor* a = set_a.find(difference.name);
  const StoredTensor* b = set_b.find(difference.name);
  difference.is_in_a = a != nullptr;
  difference.is_in_b = b != nullptr;
  if (a == nullptr || b == nullptr || !(a->shape == b->shape)) {
    return ok_status();
  }
  difference.has_same_shape = true;
  const auto count = static_cast<std::size_t>(a->shape.num_elements());
  std::vector<float> values_a(count);
  std::vector<float> values_b(count);
  TRY(set_a.read_as_float32(*a, make_view(std::span(values_a), a->shape)));
  TRY(set_b.read_as_float32(*b, make_view(std::span(values_b), b->shape)));
  compare_values(values_a, values_b, difference);
  return ok_status();
}

Status compare_group(FileSystem& files, const Side& a, const Side& b, const std::string& group,
                     Comparison& comparison) {
  TRY_ASSIGN(const TensorSet set_a, a.open(files, group));
  TRY_ASSIGN(const TensorSet set_b, b.open(files, group));
  std::set<std::string> names;
  for (const TensorSet* set : {&set_a, &set_b}) {
    for (const StoredTensor& tensor : set->list()) {
      names.insert(tensor.name);
    }
  }
  for (const std::string& name : names) {
    TensorDifference difference;
    difference.group = group;
    difference.name = name;
    TRY(compare_tensor(set_a, set_b, difference));
    comparison.num_equal += difference.is_bitwise_equal ? 1 : 0;
    comparison.tensors.push_back(std::move(difference));
  }
  return ok_status();
}

// Members of the state that are expected to differ between equal trainings.
bool is_incidental(const std::string& key) {
  return key == "elapsed_s" || key == "run_id";
}

Status compare_state(FileSystem& files, Comparison& comparison) {
  TRY_ASSIGN(const TrainState a, read_train_state(files, comparison.a));
  TRY_ASSIGN(const TrainState b, read_train_state(files, comparison.b));
  comparison.has_state = true;
  TRY_ASSIGN(const Json json_a, parse_json(train_state_to_json(a), JsonLimits{}));
  TRY_ASSIGN(const Json json_b, parse_json(train_state_to_json(b), JsonLimits{}));
  for (const auto& [key, value] : json_a.items()) {
    const Json* other = find(json_b, key);
    if (!is_incidental(key) && other != nullptr && value != *other) {
      comparison.state_differences.push_back(
          fmt::format("{}: {}, {}", key, json_to_text(value, -1), json_to_text(*other, -1)));
    }
  }
  return ok_status();
}

}  // namespace

Result<Comparison> compare_checkpoints(FileSystem& files, const std::string& a, const std::string& b) {
  TRY_ASSIGN(const Side side_a, open_side(files, a));
  TRY_ASSIGN(const Side side_b, open_side(files, b));
  Comparison comparison;
  comparison.a = side_a.path;
  comparison.b = side_b.path;
  TRY(compare_group(files, side_a, side_b, "weights", comparison));
  if (side_a.manifest && side_b.manifest) {
    std::set<std::string> moments(side_a.manifest->moments.begin(), side_a.manifest->moments.end());
    moments.insert(side_b.manifest->moments.begin(), side_b.manifest->moments.end());
    for (const std::string& moment : moments) {
      TRY(compare_group(files, side_a, side_b, moment, comparison));
    }
    TRY(compare_state(files, comparison));
  }
  return comparison;
}

}  // namespace cairn::checkpoint
