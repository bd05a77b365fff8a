// Fills a configuration struct from TOML and the command line's overrides. Collects every fault of the whole
// file: unknown keys (with the nearest known one), wrong types, values out of range, names not implemented yet.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/faults.h"
#include "config/field_visitor.h"
#include "formats/toml.h"

namespace cairn {

// What reading found wrong.
struct ReadReport {
  Faults faults;
  // Paths whose value is not what the person meant: rules over several fields leave them alone, so that one
  // mistake is not reported twice.
  std::vector<std::string> doubtful_paths;

  bool is_doubtful(std::string_view path) const;  // the path itself or a table around it
};

// Puts "a.b.0.c=value" into the tree; the right side is a TOML value, or else taken as text. A number addresses
// an element of an array of tables; one past the end appends.  Faults go to the report.
void apply_override(TomlValue& root, std::string_view override_text, ReadReport& report);

class ConfigReader : public FieldVisitor {
 public:
  // `root` and `report` outlive the reader. Call finish() after the walk.
  ConfigReader(const TomlValue& root, ReadReport& report);
  void finish() { leave_table(); }

 private:
  struct OpenTable {
    const TomlValue* value;  // null: the file does not have it, defaults stand
    std::string path;
    std::vector<std::string> known_keys;
  };
  const TomlValue* find(const FieldInfo& info);
  void add_fault(const std::string& path, const TomlValue& value, const std::string& reason, std::string fix);
  void add_unknown_key(const OpenTable& table, const std::string& key, const TomlValue& value);

  void visit_leaf(const FieldInfo& info, const Leaf& leaf) override;
  bool enter_table(const FieldInfo& info) override;
  bool enter_element(const FieldInfo& info, std::size_t index) override;
  void leave_table() override;
  std::size_t array_size(const FieldInfo& info, std::size_t current_size) override;
  void visit_reserved(const FieldInfo& info) override;

  ReadReport& report_;
  std::vector<OpenTable> tables_;
};

// Leaves fields that the tree does not name as they are.
template <class T>
void read_config(const TomlValue& root, T& config, ReadReport& report) {
  ConfigReader reader(root, report);
  T::visit_fields(config, reader);
  reader.finish();
}

}  // namespace cairn
