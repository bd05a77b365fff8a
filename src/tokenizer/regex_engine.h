// The seam to PCRE2: regex_pcre2.cc with the library, regex_no_engine.cc without.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tokenizer/regex.h"

namespace cairn::tokenizer {

// What an engine writes to while it searches.
class EngineBuffers {
 public:
  virtual ~EngineBuffers() = default;
};

// A compiled expression over bytes. Immutable and thread-safe.
class RegexEngine {
 public:
  virtual ~RegexEngine() = default;
  virtual Status find(std::string_view bytes, std::size_t from, std::unique_ptr<EngineBuffers>& buffers,
                      RegexMatch& match) const = 0;
};

// `pattern` in PCRE2's syntax: ASCII, characters as \xHH, no captures.
Result<std::unique_ptr<const RegexEngine>> compile_engine(const std::string& pattern);

}  // namespace cairn::tokenizer
