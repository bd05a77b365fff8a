// What is wrong with the members of a tokenizer's JSON file, in words for people. Include it in .cc files only, as
// formats/json.h.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/faults.h"
#include "formats/json.h"

namespace cairn::tokenizer {

// As shown in messages: long values are cut, lists and objects named.
std::string shown(std::string_view text);
std::string shown_json(const Json& value);

// A member that is a string; "" when it is none.
std::string_view text_member(const Json& object, std::string_view key);

class FileFaults {
 public:
  // `supported`: what to give instead of a file with members that are refused. Both outlive this.
  FileFaults(Faults& faults, std::string_view supported) : faults_(faults), supported_(supported) {}

  bool empty() const { return faults_.empty(); }
  std::string_view supported() const { return supported_; }

  // Keeps the first 20: a wrong file can have one per entry.
  void add(std::string field, std::string value, std::string reason, std::string fix);
  void refuse(const std::string& field, const Json& value);
  // Refuses every member of `object` that is not in `known`.
  void check_keys(const std::string& field, const Json& object, std::span<const std::string_view> known);
  // A member that is true or false; `missing` when it is not there, and a fault when it is something else.
  bool flag(const std::string& field, const Json& object, std::string_view key, bool missing);

 private:
  Faults& faults_;
  std::string_view supported_;
};

}  // namespace cairn::tokenizer
