// How a configuration struct lists its fields, once. Everything else about a field (reading it from TOML,
// printing, validating, comparing, hashing, documenting) is a visitor over that one list.
//
//   struct KeepConfig {
//     std::int64_t last = 3;
//     static void visit_fields(KeepConfig& self, FieldVisitor& visitor) {
//       visitor.field({.key = "last", .doc = "How many of the newest ...", .unit = "checkpoints", .min = 1}, self.last);
//     }
//   };
//
// A new kind of reader or writer of configurations derives from FieldVisitor; config/*.h has the usual ones.
// Not thread-safe; a visitor is used for one walk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace cairn {

struct FieldInfo {
  std::string_view key;
  std::string_view doc;        // one paragraph: what it does and what follows from changing it
  std::string_view unit = {};  // "samples", "tokens", "steps"; empty for names, switches and ratios
  double min = -std::numeric_limits<double>::infinity();  // numbers: smallest allowed
  double max = std::numeric_limits<double>::infinity();   // numbers: largest allowed
  bool is_min_exclusive = false;
  bool is_max_exclusive = false;
};

// The value of a leaf field as text files know it. monostate: an optional that is not set.
using Scalar = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

enum class LeafKind : std::uint8_t { kBool, kInteger, kReal, kText, kChoice };

template <class T>
struct LeafTraits;  // kKind, get(const T&) -> Scalar, set(T&, const Scalar&)

// One leaf member of a configuration struct, with its type erased.
class Leaf {
 public:
  template <class T>
  static Leaf of(T& member) {
    Leaf leaf;
    leaf.member_ = &member;
    leaf.kind_ = LeafTraits<T>::kKind;
    leaf.choices_ = LeafTraits<T>::choices();
    leaf.get_ = [](const void* m) { return LeafTraits<T>::get(*static_cast<const T*>(m)); };
    leaf.set_ = [](void* m, const Scalar& value) { LeafTraits<T>::set(*static_cast<T*>(m), value); };
    return leaf;
  }

  LeafKind kind() const { return kind_; }
  std::span<const std::string_view> choices() const { return choices_; }  // kChoice: the names, in enum order
  Scalar get() const { return get_(member_); }
  // REQUIRES: the alternative of kind() (kChoice: a string among choices()).
  void set(const Scalar& value) const { set_(member_, value); }

 private:
  Leaf() = default;
  void* member_ = nullptr;
  LeafKind kind_ = LeafKind::kBool;
  std::span<const std::string_view> choices_;
  Scalar (*get_)(const void*) = nullptr;
  void (*set_)(void*, const Scalar&) = nullptr;
};

class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;

  // bool, std::int64_t, double, std::string, an enum with enum_names(), or std::optional of one of them.
  template <class T>
  void field(const FieldInfo& info, T& member) {
    visit_leaf(info, Leaf::of(member));
  }
  // A nested table [key].
  template <class T>
  void table(const FieldInfo& info, T& member) {
    if (enter_table(info)) {
      T::visit_fields(member, *this);
      leave_table();
    }
  }
  // An array of tables [[key]].
  template <class T>
  void tables(const FieldInfo& info, std::vector<T>& members) {
    members.resize(array_size(info, members.size()));
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (enter_element(info, i)) {
        T::visit_fields(members[i], *this);
        leave_table();
      }
    }
    if (members.empty() && wants_sample_element()) {
      T sample;
      if (enter_element(info, 0)) {
        T::visit_fields(sample, *this);
        leave_table();
      }
    }
  }
  // A name that belongs to the format and has no meaning in this version: every use is refused by name.
  void reserved(const FieldInfo& info) { visit_reserved(info); }

 protected:
  virtual void visit_leaf(const FieldInfo& info, const Leaf& leaf) = 0;
  virtual bool enter_table(const FieldInfo& info) = 0;  // false: skip it
  virtual bool enter_element(const FieldInfo& info, std::size_t index) = 0;
  virtual void leave_table() = 0;
  virtual std::size_t array_size(const FieldInfo& info, std::size_t current_size);  // default: current_size
  virtual void visit_reserved(const FieldInfo& info);                               // default: nothing
  virtual bool wants_sample_element() const { return false; }                       // documentation does
};

// ---- Which member types are leaves.

template <>
struct LeafTraits<bool> {
  static constexpr LeafKind kKind = LeafKind::kBool;
  static std::span<const std::string_view> choices() { return {}; }
  static Scalar get(bool member) { return member; }
  static void set(bool& member, const Scalar& value) { member = std::get<bool>(value); }
};
template <>
struct LeafTraits<std::int64_t> {
  static constexpr LeafKind kKind = LeafKind::kInteger;
  static std::span<const std::string_view> choices() { return {}; }
  static Scalar get(std::int64_t member) { return member; }
  static void set(std::int64_t& member, const Scalar& value) { member = std::get<std::int64_t>(value); }
};
template <>
struct LeafTraits<double> {
  static constexpr LeafKind kKind = LeafKind::kReal;
  static std::span<const std::string_view> choices() { return {}; }
  static Scalar get(double member) { return member; }
  static void set(double& member, const Scalar& value) { member = std::get<double>(value); }
};
template <>
struct LeafTraits<std::string> {
  static constexpr LeafKind kKind = LeafKind::kText;
  static std::span<const std::string_view> choices() { return {}; }
  static Scalar get(const std::string& member) { return member; }
  static void set(std::string& member, const Scalar& value) { member = std::get<std::string>(value); }
};
// An enum whose enumerators count from 0 and whose namespace has
//   std::span<const std::string_view> enum_names(E);   the names in that order
template <class E>
requires std::is_enum_v<E>
struct LeafTraits<E> {
  static constexpr LeafKind kKind = LeafKind::kChoice;
  static std::span<const std::string_view> choices() { return enum_names(E{}); }
  static Scalar get(E member) { return std::string(choices()[static_cast<std::size_t>(member)]); }
  static void set(E& member, const Scalar& value) {
    const std::string& name = std::get<std::string>(value);
    for (std::size_t i = 0; i < choices().size(); ++i) {
      if (choices()[i] == name) {
        member = static_cast<E>(i);
      }
    }
  }
};
template <class T>
struct LeafTraits<std::optional<T>> {
  static constexpr LeafKind kKind = LeafTraits<T>::kKind;
  static std::span<const std::string_view> choices() { return LeafTraits<T>::choices(); }
  static Scalar get(const std::optional<T>& member) {
    return member.has_value() ? LeafTraits<T>::get(*member) : Scalar{};
  }
  static void set(std::optional<T>& member, const Scalar& value) {
    LeafTraits<T>::set(member.emplace(), value);
  }
};

}  // namespace cairn
