// A configuration as text: printed as TOML, flattened to "path = value" lines, compared, hashed, and its values
// and limits in words. All are walks over visit_fields (field_visitor.h). Pure; thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "config/field_visitor.h"

namespace cairn {

// A value as TOML writes it: true, 42, 0.1, "text". Reals always have a point or an exponent, and the shortest
// digits that read back to the same double. "" for monostate.
std::string scalar_to_toml(const Scalar& value);

// What is wrong with `value` for the field, in words ("must be at least 1"), or "".  Type, range and choice.
std::string check_scalar(const FieldInfo& info, const Leaf& leaf, const Scalar& value);
// "integer, 1 or more, in samples", "one of \"a\", \"b\"", ...
std::string describe_type(const FieldInfo& info, const Leaf& leaf);

// One leaf of a configuration. Elements of arrays of tables are counted: "data.stage.0.seed".
struct FlatField {
  std::string path;
  std::string value;  // as TOML; "" when an optional is not set
  friend bool operator==(const FlatField&, const FlatField&) = default;
};

struct FieldDifference {
  std::string path;
  std::string left;   // "" where the field does not exist
  std::string right;  // "" where the field does not exist
};

// Fields in order of the listing; differences in the order of `left`, then what only `right` has.
std::vector<FieldDifference> diff_fields(std::span<const FlatField> left, std::span<const FlatField> right);
// XXH3-128 of the lines "path = value\n": equal for equal configurations, however their files were written.
Hash128 hash_fields(std::span<const FlatField> fields);

// Collects the leaves.
class FlattenVisitor : public FieldVisitor {
 public:
  std::vector<FlatField> take() { return std::move(fields_); }

 private:
  void visit_leaf(const FieldInfo& info, const Leaf& leaf) override;
  bool enter_table(const FieldInfo& info) override;
  bool enter_element(const FieldInfo& info, std::size_t index) override;
  void leave_table() override { prefixes_.pop_back(); }

  std::vector<std::string> prefixes_{""};
  std::vector<FlatField> fields_;
};

// Prints tables in the order of the listing, the leaves of a table before its inner tables.
class TomlWriter : public FieldVisitor {
 public:
  TomlWriter() : tables_(1) {}
  std::string take();

 private:
  struct OpenTable {
    std::string path;    // "data.stage"
    std::string header;  // "[[data.stage]]"; "" for the root
    std::string leaves;  // lines
    std::string inner;   // finished inner tables
    bool is_element = false;
  };
  void visit_leaf(const FieldInfo& info, const Leaf& leaf) override;
  bool enter_table(const FieldInfo& info) override;
  bool enter_element(const FieldInfo& info, std::size_t index) override;
  void leave_table() override;

  std::vector<OpenTable> tables_;
};

// What is known of a key without any run file.
struct FieldDocument {
  std::string path;           // "data.stage.source.path": elements are not counted
  std::string header;         // tables: "[train]" or "[[data.stage]]"; leaves: ""
  std::string type;           // leaves: describe_type()
  std::string default_value;  // leaves: as TOML
  std::string unit;
  std::string doc;
  bool is_reserved = false;
};

class DocumentVisitor : public FieldVisitor {
 public:
  std::vector<FieldDocument> take() { return std::move(documents_); }

 private:
  void visit_leaf(const FieldInfo& info, const Leaf& leaf) override;
  bool enter_table(const FieldInfo& info) override;
  bool enter_element(const FieldInfo& info, std::size_t index) override;
  void leave_table() override { prefixes_.pop_back(); }
  void visit_reserved(const FieldInfo& info) override;
  bool wants_sample_element() const override { return true; }

  std::vector<std::string> prefixes_{""};
  std::vector<FieldDocument> documents_;
};

// ---- For whole configurations. Visitors take non-const members, hence the copies (a run file is small).

template <class T>
std::vector<FlatField> flatten_config(T config) {
  FlattenVisitor visitor;
  T::visit_fields(config, visitor);
  return visitor.take();
}
template <class T>
std::string config_to_toml(T config) {
  TomlWriter visitor;
  T::visit_fields(config, visitor);
  return visitor.take();
}
template <class T>
std::vector<FieldDocument> document_config() {
  T config;
  DocumentVisitor visitor;
  T::visit_fields(config, visitor);
  return visitor.take();
}
template <class T>
Hash128 hash_config(const T& config) {
  return hash_fields(flatten_config(config));
}

}  // namespace cairn
