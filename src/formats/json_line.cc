#include "formats/json_line.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace cairn {
namespace {

constexpr int kDepthMax = 64;
constexpr std::size_t kSlackBytes = 8;  // that copy_plain() writes beyond its text
constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = 0x8080808080808080;

// The high bit of each byte of `word` that ends a run of plain string bytes: a quote, a backslash, a control character.
// Bytes above the lowest one that is marked may be marked wrongly (a borrow), so only the lowest one counts.
std::uint64_t special_bytes(std::uint64_t word) {
  const std::uint64_t quote = word ^ (kOnes * '"');
  const std::uint64_t backslash = word ^ (kOnes * '\\');
  const std::uint64_t is_quote = (quote - kOnes) & ~quote;
  const std::uint64_t is_backslash = (backslash - kOnes) & ~backslash;
  const std::uint64_t is_control = (word - kOnes * 0x20) & ~word;
  return (is_quote | is_backslash | is_control) & kHighs;
}

bool is_special(char c) {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

// How many bytes of a word in memory stand before the first special one; 8 when none is.
std::size_t plain_bytes(std::uint64_t word) {
  if constexpr (std::endian::native == std::endian::big) {
    word = __builtin_bswap64(word);
  }
  const std::uint64_t marks = special_bytes(word);
  return marks == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(marks)) / 8;
}

// The first quote, backslash or control character of `text` from `at`, or its size.
std::size_t find_special(std::string_view text, std::size_t at) {
  while (text.size() - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const std::size_t count = plain_bytes(word);
    at += count;
    if (count < 8) {
      return at;
    }
  }
  while (at < text.size() && !is_special(text[at])) {
    ++at;
  }
  return at;
}

// Copies the bytes before the first special one of `text` from `at` and returns its place, or the text's size. Writes up to
// eight bytes beyond what it copies.
std::size_t copy_plain(std::string_view text, std::size_t at, char*& out) {
  while (text.size() - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    std::memcpy(out, &word, 8);
    const std::size_t count = plain_bytes(word);
    at += count;
    out += count;
    if (count < 8) {
      return at;
    }
  }
  while (at < text.size() && !is_special(text[at])) {
    *out++ = text[at++];
  }
  return at;
}

// What a letter behind a backslash stands for; 0 when it is none of the simple ones.
char meaning_of(char letter) {
  switch (letter) {
    case 'n':
      return '\n';
    case '"':
    case '\\':
    case '/':
      return letter;
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    default:
      return '\0';
  }
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Where UTF-8 of one scalar value goes to memory that is known to be large enough.
char* write_utf8(char* out, char32_t c) {
  const auto put = [&out](char32_t byte) { *out++ = static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
  return out;
}

}  // namespace

JsonLineReader::JsonLineReader(std::vector<std::string> fields)
    : fields_(std::move(fields)), values_(fields_.size()) {
  CHECK(fields_.size() <= kJsonLineFieldsMax, "too many fields");
}

Status JsonLineReader::fail(std::string_view why) const {
  return bad_data(fmt::format("no JSON at byte {} of the line: {}", at_, why));
}

void JsonLineReader::skip_space() {
  while (at_ < line_.size() &&
         (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r' || line_[at_] == '\n')) {
    ++at_;
  }
}

bool JsonLineReader::take(char c) {
  skip_space();
  if (at_ < line_.size() && line_[at_] == c) {
    ++at_;
    return true;
  }
  return false;
}

Status JsonLineReader::read(std::string_view line) {
  line_ = line;
  at_ = 0;
  decoded_size_ = 0;
  if (decoded_.size() < line.size() + kSlackBytes) {
    decoded_.resize(line.size() + kSlackBytes);
  }
  WantedList wanted;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    values_[i] = {};
    wanted.items[wanted.size++] = {i, fields_[i]};
  }
  if (!take('{')) {
    return fail("an object must begin here");
  }
  TRY(read_object(wanted, 1));
  skip_space();
  return at_ == line_.size() ? ok_status() : fail("something follows the object");
}

Status JsonLineReader::read_object(const WantedList& wanted, int depth) {
  if (depth > kDepthMax) {
    return fail(fmt::format("nested deeper than {}", kDepthMax));
  }
  if (take('}')) {
    return ok_status();
  }
  do {
    TRY(read_member(wanted, depth));
  } while (take(','));
  return take('}') ? ok_status() : fail("',' or '}' must follow a member");
}

Status JsonLineReader::read_member(const WantedList& wanted, int depth) {
  if (!take('"')) {
    return fail("a member's name must begin here");
  }
  std::string_view name;
  const std::size_t decoded_before = decoded_size_;
  TRY(read_string(name, wanted.size > 0));
  std::array<bool, kJsonLineFieldsMax> is_it = {};
  bool is_any = false;
  WantedList inside;
  for (std::size_t i = 0; i < wanted.size; ++i) {
    const Wanted& want = wanted.items[i];
    is_it[i] = want.rest == name;
    is_any = is_any || is_it[i];
    if (want.rest.size() > name.size() && want.rest.starts_with(name) && want.rest[name.size()] == '.') {
      inside.items[inside.size++] = {want.field, want.rest.substr(name.size() + 1)};
    }
  }
  decoded_size_ = decoded_before;
  if (!take(':')) {
    return fail("':' must follow a member's name");
  }
  skip_space();
  const bool is_string = at_ < line_.size() && line_[at_] == '"';
  if (is_string) {
    ++at_;
    kind_ = Kind::kString;
    TRY(read_string(text_, is_any));
  } else {
    TRY(read_value(inside, depth));
  }
  for (std::size_t i = 0; is_any && i < wanted.size; ++i) {
    if (is_it[i]) {
      TRY(store(wanted.items[i].field, kind_, text_));
    }
  }
  return ok_status();
}

Status JsonLineReader::store(std::size_t field, Kind kind, std::string_view text) {
  if (values_[field].kind != Kind::kMissing) {
    return fail(fmt::format("the field '{}' is there twice", fields_[field]));
  }
  values_[field] = {kind, text};
  return ok_status();
}

// Any value; sets kind_ and text_.
Status JsonLineReader::read_value(const WantedList& inside, int depth) {
  skip_space();
  const std::size_t begin = at_;
  const char c = at_ < line_.size() ? line_[at_] : '\0';
  Status status;
  Kind kind = Kind::kOther;
  switch (c) {
    case '{':
      ++at_;
      status = read_object(inside, depth + 1);
      break;
    case '[':
      ++at_;
      status = read_array(depth + 1);
      break;
    case '"': {
      ++at_;
      std::string_view ignored;
      status = read_string(ignored, false);
      break;
    }
    case 't':
      status = read_word("true");
      break;
    case 'f':
      status = read_word("false");
      break;
    case 'n':
      status = read_word("null");
      kind = Kind::kNull;
      break;
    default:
      status = read_number();
  }
  kind_ = kind;
  text_ = line_.substr(begin, at_ - begin);
  return status;
}

Status JsonLineReader::read_array(int depth) {
  if (depth > kDepthMax) {
    return fail(fmt::format("nested deeper than {}", kDepthMax));
  }
  if (take(']')) {
    return ok_status();
  }
  do {
    TRY(read_value({}, depth));
  } while (take(','));
  return take(']') ? ok_status() : fail("',' or ']' must follow an element");
}

// From behind the opening quote to behind the closing one. What is wanted is copied on the way, eight bytes at a time.
Status JsonLineReader::read_string(std::string_view& text, bool is_wanted) {
  char* const decoded = decoded_.data() + decoded_size_;
  char* out = decoded;
  while (true) {
    if (is_wanted) {
      at_ = copy_plain(line_, at_, out);
    } else {
      at_ = find_special(line_, at_);
    }
    if (at_ == line_.size()) {
      return fail("a string is cut short");
    }
    const char c = line_[at_];
    if (static_cast<unsigned char>(c) < 0x20) {
      return fail("a control character inside a string");
    }
    ++at_;
    if (c == '"') {
      break;
    }
    TRY(read_escape(out, is_wanted));
  }
  text = {decoded, static_cast<std::size_t>(out - decoded)};
  decoded_size_ += text.size();
  return ok_status();
}

// Behind a backslash. An escape is never shorter than what it stands for, so `decoded_` is large enough.
Status JsonLineReader::read_escape(char*& out, bool is_wanted) {
  const char letter = at_ < line_.size() ? line_[at_] : '\0';
  ++at_;
  if (const char meaning = meaning_of(letter); meaning != '\0') {
    if (is_wanted) {
      *out++ = meaning;
    }
    return ok_status();
  }
  if (letter != 'u') {
    --at_;
    return fail("an escape that JSON does not have");
  }
  std::uint32_t unit = 0;
  TRY(read_hex(unit));
  char32_t code_point = unit;
  if (unit >= 0xD800 && unit < 0xE000) {
    std::uint32_t low = 0;
    const bool is_pair = unit < 0xDC00 && line_.substr(at_).starts_with("\\u");
    if (is_pair) {
      at_ += 2;
      TRY(read_hex(low));
    }
    if (!is_pair || low < 0xDC00 || low >= 0xE000) {
      return fail("half a surrogate pair");
    }
    code_point = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
  }
  if (is_wanted) {
    out = write_utf8(out, code_point);
  }
  return ok_status();
}

Status JsonLineReader::read_hex(std::uint32_t& unit) {
  if (line_.size() - at_ < 4) {
    return fail("an escape is cut short");
  }
  unit = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = line_[at_];
    const char lower = static_cast<char>(c | 0x20);
    if (!is_digit(c) && (lower < 'a' || lower > 'f')) {
      return fail("a digit of an escape is not hexadecimal");
    }
    unit = unit * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : lower - 'a' + 10);
  }
  return ok_status();
}

Status JsonLineReader::read_number() {
  const auto peek = [&] { return at_ < line_.size() ? line_[at_] : '\0'; };
  const auto digits = [&] {
    const std::size_t begin = at_;
    while (is_digit(peek())) {
      ++at_;
    }
    return at_ > begin;
  };
  if (peek() == '-') {
    ++at_;
  }
  if (peek() == '0') {
    ++at_;
  } else if (!digits()) {
    return fail("a value must begin here");
  }
  if (peek() == '.') {
    ++at_;
    if (!digits()) {
      return fail("a digit must follow the point");
    }
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at_;
    if (peek() == '+' || peek() == '-') {
      ++at_;
    }
    if (!digits()) {
      return fail("a digit must follow the exponent's sign");
    }
  }
  return ok_status();
}

Status JsonLineReader::read_word(std::string_view word) {
  if (!line_.substr(at_).starts_with(word)) {
    return fail("a value must begin here");
  }
  at_ += word.size();
  return ok_status();
}

}  // namespace cairn
