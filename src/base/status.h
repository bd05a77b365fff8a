// Errors of the world and of people, as values. A Status says what went wrong and, through its code,
// what the process (and the supervisor above it) should do next. Bugs do not come here: they CHECK.
// Thread-safe to copy and move between threads like any value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace cairn {

// The numbers are the process exit codes of docs/runbooks (sysexits where they exist).
enum class StatusCode : int {
  kOk = 0,
  kStoppedSaved = 10,    // stopped on request, checkpoint confirmed
  kStoppedUnsaved = 11,  // stopped on request, nothing saved
  kUsage = 64,           // the command line is wrong
  kBadData = 65,         // a file is damaged or does not fit what it claims to be
  kNoInput = 66,         // a file or folder that was named does not exist
  kNodeSuspect = 69,     // this node should not be used
  kBug = 70,             // an internal invariant failed
  kCannotWrite = 73,     // the output cannot be created (permission, full, exists already)
  kIo = 74,              // reading or writing failed part way
  kTransient = 75,       // try again
  kDiverged = 76,        // the numbers are no longer finite or sane
  kBadConfig = 78,       // the run file or model configuration is wrong
};

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  int exit_code() const { return static_cast<int>(code_); }
  const std::string& message() const { return message_; }

  // The same status with "context: " in front of its message; ok stays ok.
  Status with_context(std::string_view context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status ok_status() {
  return Status();
}
inline Status bad_data(std::string m) {
  return {StatusCode::kBadData, std::move(m)};
}
inline Status bad_config(std::string m) {
  return {StatusCode::kBadConfig, std::move(m)};
}
inline Status no_input(std::string m) {
  return {StatusCode::kNoInput, std::move(m)};
}
inline Status cannot_write(std::string m) {
  return {StatusCode::kCannotWrite, std::move(m)};
}
inline Status io_error(std::string m) {
  return {StatusCode::kIo, std::move(m)};
}
inline Status usage_error(std::string m) {
  return {StatusCode::kUsage, std::move(m)};
}

// A T or the Status that explains its absence. REQUIRES ok() before value().
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    CHECK(!status_.ok(), "a Result without a value needs an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & { return checked(); }
  const T& value() const& { return const_cast<Result*>(this)->checked(); }  // NOLINT
  T&& value() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return checked(); }
  const T& operator*() const& { return value(); }

 private:
  T& checked() {
    CHECK(value_.has_value(), status_.message().c_str());
    return *value_;
  }
  std::optional<T> value_;
  Status status_;
};

}  // namespace cairn

// TRY(status_expression);                    returns the error from the enclosing function
// TRY_ASSIGN(auto x, result_expression);     declares x from the value or returns the error
#define CAIRN_CONCAT_INNER(a, b) a##b
#define CAIRN_CONCAT(a, b) CAIRN_CONCAT_INNER(a, b)
#define TRY(expression)                         \
  do {                                          \
    ::cairn::Status try_status_ = (expression); \
    if (!try_status_.ok()) {                    \
      return try_status_;                       \
    }                                           \
  } while (false)
#define TRY_ASSIGN(declaration, expression) \
  TRY_ASSIGN_IMPL(CAIRN_CONCAT(try_result_, __LINE__), declaration, expression)
#define TRY_ASSIGN_IMPL(result, declaration, expression) \
  auto result = (expression);                            \
  if (!result.ok()) {                                    \
    return result.status();                              \
  }                                                      \
  declaration = std::move(result).value()
