// A small structured logger. One record = level, wall time, message, key/value fields. Each sink renders it:
// text for people, JSON lines for programs. No globals: a Logger& is passed to who logs. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cairn {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
std::string_view log_level_name(LogLevel level);  // "debug", "info", "warning", "error"

// One field. Strings are borrowed for the call. `precision` is the number of significant digits that people
// see (0 = as many as needed); programs always get the shortest digits that read back to the same value.
struct LogField {
  using Value = std::variant<std::int64_t, std::uint64_t, double, bool, std::string_view>;

  LogField(std::string_view k, std::int64_t v) : key(k), value(v) {}
  LogField(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
  LogField(std::string_view k, std::uint64_t v) : key(k), value(v) {}
  LogField(std::string_view k, double v, int digits = 0) : key(k), value(v), precision(digits) {}
  LogField(std::string_view k, float v, int digits = 0) : key(k), value(double{v}), precision(digits) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}

  std::string_view key;
  Value value;
  int precision = 0;
};

struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  std::int64_t wall_ns = 0;  // since 1970-01-01 UTC
  std::string_view message;
  std::span<const LogField> fields;
};

// Where rendered text goes: a terminal, a file, a string in a test. Called under the logger's lock.
class TextOutput {
 public:
  virtual ~TextOutput() = default;
  virtual void write(std::string_view text) = 0;
};

// Writes to an open file descriptor (2 = standard error) without buffering; errors are ignored, because a
// log that cannot be written must not end a run.
class DescriptorOutput : public TextOutput {
 public:
  explicit DescriptorOutput(int descriptor) : descriptor_(descriptor) {}
  void write(std::string_view text) override;

 private:
  int descriptor_;
};

class StringOutput : public TextOutput {
 public:
  void write(std::string_view text) override { text_ += text; }
  const std::string& text() const { return text_; }
  void clear() { text_.clear(); }

 private:
  std::string text_;
};

// "12:34:56.789 info  message key=value key=\"two words\"\n"; UTC. A reused buffer: no allocation once warm.
void append_human_line(std::string& out, const LogRecord& record, bool use_color);
// {"time":"2026-01-02T03:04:05.678901Z","level":"info","message":"...","key":value}\n. Non-finite numbers
// become the strings "nan", "inf", "-inf"; bytes that are not UTF-8 become U+FFFD.
void append_json_line(std::string& out, const LogRecord& record);
// `text` as a JSON string with its quotes, escaped as above.
void append_json_string(std::string& out, std::string_view text);
// The shortest digits that read back to the same double ("0.1", "1e-05"); non-finite as in append_json_line.
void append_json_number(std::string& out, double value);

// A sink renders a record. Sinks are called one at a time under the logger's lock.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(const LogRecord& record) = 0;
};

class HumanSink : public LogSink {
 public:
  HumanSink(TextOutput& output, bool use_color) : output_(output), use_color_(use_color) {}
  void write(const LogRecord& record) override;

 private:
  TextOutput& output_;
  bool use_color_;
  std::string line_;
};

class JsonLinesSink : public LogSink {
 public:
  explicit JsonLinesSink(TextOutput& output) : output_(output) {}
  void write(const LogRecord& record) override;

 private:
  TextOutput& output_;
  std::string line_;
};

class Logger {
 public:
  // `wall_ns` tells the time (the clock door: [&] { return clock.wall_ns(); }). Without sinks it is silent.
  explicit Logger(std::function<std::int64_t()> wall_ns) : wall_ns_(std::move(wall_ns)) {}
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // `sink` must outlive the logger. Records below `level_min` do not reach it.
  void add_sink(LogSink& sink, LogLevel level_min);

  void log(LogLevel level, std::string_view message, std::span<const LogField> fields);
  void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) {
    log(level, message, std::span<const LogField>(fields.begin(), fields.size()));
  }
  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::kDebug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::kInfo, message, fields);
  }
  void warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::kWarning, message, fields);
  }
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::kError, message, fields);
  }

 private:
  struct Target {
    LogSink* sink;
    LogLevel level_min;
  };
  std::function<std::int64_t()> wall_ns_;
  std::mutex mutex_;
  std::vector<Target> targets_;
};

// Hands records on to another logger, which must outlive this. Records keep their message and fields and get the other
// logger's time.
class ForwardSink : public LogSink {
 public:
  explicit ForwardSink(Logger& target) : target_(target) {}
  void write(const LogRecord& record) override { target_.log(record.level, record.message, record.fields); }

 private:
  Logger& target_;
};

}  // namespace cairn
