// CHECK: an invariant of our own code. Always on; a failure prints evidence and ends with exit code 70.
// The world's failures and people's mistakes are never CHECKed: they are Status values.
#pragma once

#include <string>

namespace cairn {

// Prints "file:line: CHECK failed: condition: message" to standard error. Debug and sanitizer builds abort.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* message);
[[noreturn]] inline void check_failed(const char* file, int line, const char* condition,
                                      const std::string& message) {
  check_failed(file, line, condition, message.c_str());
}

}  // namespace cairn

// The message is evaluated only on failure. Use fmt::format for a message with values.
#define CHECK(condition, message)                                       \
  do {                                                                  \
    if (!(condition)) [[unlikely]] {                                    \
      ::cairn::check_failed(__FILE__, __LINE__, #condition, (message)); \
    }                                                                   \
  } while (false)

// DCHECK: the same inside hot loops; compiled out when NDEBUG is set.
#ifdef NDEBUG
#define DCHECK(condition, message) \
  do {                             \
  } while (false)
#else
#define DCHECK(condition, message) CHECK(condition, message)
#endif
