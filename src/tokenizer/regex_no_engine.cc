#include "tokenizer/regex_engine.h"

namespace cairn::tokenizer {

bool has_regex_engine() {
  return false;
}

Result<std::unique_ptr<const RegexEngine>> compile_engine(const std::string& /*pattern*/) {
  return bad_data("this program was built without PCRE2; install libpcre2-dev and build it again");
}

}  // namespace cairn::tokenizer
