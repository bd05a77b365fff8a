#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "tokenizer/regex_engine.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace cairn::tokenizer {
namespace {

// Without its automatic possessive repeats: PCRE2 10.42 takes " *" before "(?:b|c)?+ " for one and misses "   x".
constexpr std::uint32_t kOptions =
    PCRE2_MULTILINE | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NO_AUTO_POSSESS;
constexpr std::size_t kStackBytesStart = std::size_t{64} << 10;
constexpr std::size_t kStackBytesMax = std::size_t{64} << 20;
constexpr std::uint32_t kHeapKibibytesMax = 128 << 10;
constexpr std::size_t kStepsMin = 100'000;
constexpr std::size_t kStepsPerByte = 64;
constexpr std::size_t kStepsMax = 1'000'000'000;

struct Free {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

struct Pcre2Buffers : EngineBuffers {
  Owned<pcre2_match_data> match{pcre2_match_data_create(1, nullptr)};
  Owned<pcre2_match_context> context{pcre2_match_context_create(nullptr)};
  Owned<pcre2_jit_stack> stack{pcre2_jit_stack_create(kStackBytesStart, kStackBytesMax, nullptr)};

  bool is_whole() const { return match && context; }
};

class Pcre2Engine : public RegexEngine {
 public:
  Pcre2Engine(Owned<pcre2_code> code, bool is_jit) : code_(std::move(code)), is_jit_(is_jit) {}

  Status find(std::string_view bytes, std::size_t from, std::unique_ptr<EngineBuffers>& buffers,
              RegexMatch& match) const override {
    if (!buffers) {
      auto made = std::make_unique<Pcre2Buffers>();
      if (!made->is_whole()) {
        return {StatusCode::kTransient, "no memory to search by a regular expression"};
      }
      pcre2_set_heap_limit(made->context.get(), kHeapKibibytesMax);
      pcre2_jit_stack_assign(made->context.get(), nullptr, made->stack.get());
      buffers = std::move(made);
    }
    auto& own = static_cast<Pcre2Buffers&>(*buffers);
    const std::size_t steps = std::min(kStepsMin + kStepsPerByte * bytes.size(), kStepsMax);
    pcre2_set_match_limit(own.context.get(), static_cast<std::uint32_t>(steps));
    const auto search = is_jit_ ? pcre2_jit_match : pcre2_match;
    const int found = search(code_.get(), reinterpret_cast<PCRE2_SPTR>(bytes.data()), bytes.size(), from, 0,
                             own.match.get(), own.context.get());
    if (found == PCRE2_ERROR_NOMATCH) {
      match = {};
      return ok_status();
    }
    if (found < 0) {
      return bad_data(fmt::format("a pattern needs too much work on a stretch of {} characters: {}",
                                  bytes.size(), message_of(found)));
    }
    const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(own.match.get());
    match = {ends[0], ends[1]};
    return ok_status();
  }

 private:
  Owned<pcre2_code> code_;
  bool is_jit_;
};

}  // namespace

bool has_regex_engine() {
  return true;
}

Result<std::unique_ptr<const RegexEngine>> compile_engine(const std::string& pattern) {
  const Owned<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
  if (!context) {
    return Status(StatusCode::kTransient, "no memory to compile a regular expression");
  }
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE place = 0;
  Owned<pcre2_code> code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), kOptions,
                                       &error, &place, context.get()));
  if (!code) {
    return bad_data(fmt::format("PCRE2 does not compile it: {}", message_of(error)));
  }
  // Without the just-in-time compiler (other processors, no executable memory) it is interpreted: the same matches.
  const bool is_jit = pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE) == 0;
  return std::unique_ptr<const RegexEngine>(std::make_unique<Pcre2Engine>(std::move(code), is_jit));
}

}  // namespace cairn::tokenizer
