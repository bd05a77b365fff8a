// Strict reading of the JSON files of this module: every key present, known, of its type and in its range, and all
// faults at once. For .cc files only (it includes the JSON library).
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>

#include "base/faults.h"
#include "base/hash.h"
#include "formats/json.h"

namespace cairn::checkpoint {

// Reads the members of one object. A value that is missing or wrong is a fault and reads as zero or "".
class FieldReader {
 public:
  // `where` names the object in messages ("stages[0]"; "" at the top). `object` may be null or no object.
  FieldReader(const Json* object, std::string where, Faults& faults);

  std::int64_t integer(std::string_view key, std::int64_t min,
                       std::int64_t max = std::numeric_limits<std::int64_t>::max());
  std::uint64_t unsigned_integer(std::string_view key);
  double number(std::string_view key);
  std::string text(std::string_view key);
  Hash128 hash(std::string_view key);
  const Json* array(std::string_view key);  // null after a fault
  const Json* object(std::string_view key);
  std::string path(std::string_view key) const;  // "stages[0].sources"
  // Call last: members that nobody asked for are faults.
  void finish();

 private:
  const Json* member(std::string_view key, std::string_view wanted_kind);
  void fault(std::string_view key, const Json& value, std::string reason);

  const Json* object_;
  std::string where_;
  Faults& faults_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace cairn::checkpoint
