// A few fields of many JSON objects, at gigabytes a second: the reader of bulk JSON lines. parse_json (json.h) is for
// everything small. The whole line is checked against the grammar (RFC 8259), but no value is built except the wanted ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn {

inline constexpr std::size_t kJsonLineFieldsMax = 32;

class JsonLineReader {
 public:
  enum class Kind : std::uint8_t { kMissing, kNull, kString, kOther };
  struct Value {
    Kind kind = Kind::kMissing;
    std::string_view text;  // of a string: what it stands for; otherwise as it is written
  };

  // A field with dots is looked for inside objects too: "metadata.url" is the member "url" of "metadata", or the
  // member "metadata.url". REQUIRES at most kJsonLineFieldsMax fields.
  explicit JsonLineReader(std::vector<std::string> fields);

  // Reads one object with nothing but white space around it. kBadData naming the byte of the line where it is no
  // JSON, nested deeper than 64, or has a wanted field twice. Bytes of strings are not checked to be UTF-8; escapes
  // that are no Unicode (half a surrogate pair) are refused.
  Status read(std::string_view line);

  // Of the last line that was read; borrowed from that line and from this reader, until the next.
  const Value& value(std::size_t field) const { return values_[field]; }
  std::size_t num_fields() const { return fields_.size(); }

 private:
  struct Wanted {
    std::size_t field = 0;
    std::string_view rest;  // of its name, inside the current object
  };
  struct WantedList {
    std::array<Wanted, kJsonLineFieldsMax> items;
    std::size_t size = 0;
  };

  Status fail(std::string_view why) const;
  void skip_space();
  bool take(char c);
  Status read_value(const WantedList& inside, int depth);
  Status read_object(const WantedList& wanted, int depth);
  Status read_member(const WantedList& wanted, int depth);
  Status read_array(int depth);
  Status read_string(std::string_view& text, bool is_wanted);
  Status read_escape(char*& out, bool is_wanted);
  Status read_hex(std::uint32_t& unit);
  Status read_number();
  Status read_word(std::string_view word);
  Status store(std::size_t field, Kind kind, std::string_view text);

  std::vector<std::string> fields_;
  std::vector<Value> values_;
  std::vector<char> decoded_;  // wanted strings; together never longer than the line
  std::size_t decoded_size_ = 0;
  std::string_view line_;
  std::size_t at_ = 0;
  Kind kind_ = Kind::kMissing;  // of the value read last
  std::string_view text_;
};

}  // namespace cairn
