#include "base/faults.h"

#include <algorithm>
#include <cstddef>

namespace cairn {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

void Faults::add(std::string field, std::string value, std::string reason, std::string fix) {
  faults_.push_back({std::move(field), std::move(value), std::move(reason), std::move(fix)});
}

void Faults::append(const Faults& other) {
  faults_.insert(faults_.end(), other.faults_.begin(), other.faults_.end());
}

Status Faults::to_status(StatusCode code, std::string_view heading) const {
  if (faults_.empty()) {
    return ok_status();
  }
  std::string text(heading);
  for (const Fault& fault : faults_) {
    text += "\n  " + fault.field;
    if (!fault.value.empty()) {
      text += " = " + fault.value;
    }
    text += ": " + fault.reason;
    if (!fault.fix.empty()) {
      text += "\n      fix: " + fault.fix;
    }
  }
  return {code, text};
}

std::string closest_match(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 2;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace cairn
