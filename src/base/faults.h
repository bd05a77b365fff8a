// Faults: a list of people's mistakes, collected so that all are shown at once before work starts.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn {

struct Fault {
  std::string field;   // "train.sequence", "tensor 'lm_head.weight'", "header"
  std::string value;   // what was found, as written; empty when the field is missing
  std::string reason;  // why it cannot be used
  std::string fix;     // what to do about it
};

class Faults {
 public:
  void add(std::string field, std::string value, std::string reason, std::string fix);
  void append(const Faults& other);
  bool empty() const { return faults_.empty(); }
  std::span<const Fault> list() const { return faults_; }
  // One line per fault below `heading`; ok when there is none.
  Status to_status(StatusCode code, std::string_view heading) const;

 private:
  std::vector<Fault> faults_;
};

// The candidate nearest to `word` by edit distance, or "" when none is near enough to suggest.
std::string closest_match(std::string_view word, std::span<const std::string> candidates);

}  // namespace cairn
