#include "tokenizer/bpe_trainer.h"

#include <unordered_set>

#include <fmt/format.h>

#include "base/faults.h"
#include "base/text.h"
#include "tokenizer/bpe_learner.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer_data.h"
#include "tokenizer/word_counter.h"

namespace cairn::tokenizer {
namespace {

constexpr std::int64_t kNumBytes = 256;
constexpr std::int64_t kMemoryMin = std::int64_t{16} << 20;
constexpr std::int64_t kMemoryMax = std::int64_t{1} << 50;

void check_sizes(const BpeTrainerOptions& options, Faults& faults) {
  const auto num_special = static_cast<std::int64_t>(options.special_tokens.size());
  if (options.vocab_size < num_special + kNumBytes || options.vocab_size > kTokenIdEnd) {
    faults.add("vocab_size", fmt::format("{}", options.vocab_size),
               fmt::format("{} special tokens and {} bytes need room, and {} is the most", num_special,
                           kNumBytes, kTokenIdEnd),
               "choose a size in between");
  }
  if (options.token_length_max < 0 || options.min_frequency < 0 || options.min_word_count < 0) {
    faults.add(
        "min_frequency, min_word_count, token_length_max",
        fmt::format("{}, {}, {}", options.min_frequency, options.min_word_count, options.token_length_max),
        "are not all 0 or more", "choose counts");
  }
  if (options.num_threads < 1) {
    faults.add("threads", fmt::format("{}", options.num_threads), "is less than 1",
               "choose a number of threads");
  }
  if (options.memory_bytes < kMemoryMin || options.memory_bytes > kMemoryMax) {
    faults.add("memory", format_bytes(options.memory_bytes),
               fmt::format("is not between {} and {}", format_bytes(kMemoryMin), format_bytes(kMemoryMax)),
               "choose an amount in between");
  }
}

// The program of a pattern that has no scanner.
Result<Splitter> compile_pattern(std::string_view regex) {
  TRY_ASSIGN(RegexTree tree, parse_regex(regex));
  std::vector<SplitStep> steps;
  steps.push_back({std::move(tree), SplitBehavior::kIsolated, false});
  return Splitter::create(steps);
}

// Sets `splitter` when the pattern needs one.
Status check_options(const BpeTrainerOptions& options, std::optional<Splitter>& splitter) {
  Faults faults;
  check_sizes(options, faults);
  std::unordered_set<std::string_view> seen;
  for (const std::string& token : options.special_tokens) {
    if (token.size() < 2 || !is_valid_utf8(token) || !seen.insert(token).second) {
      faults.add("special_tokens", token, "is shorter than two bytes, not UTF-8 or there twice",
                 "name each special token once");
    }
  }
  for (const std::string* token :
       {&options.roles.bos, &options.roles.eos, &options.roles.pad, &options.roles.unk}) {
    if (!token->empty() && !seen.contains(*token)) {
      faults.add("special_tokens", *token, "has a role but is not in the list",
                 "add it to the special tokens, or give the role to another or to none");
    }
  }
  if (!find_pattern(options.regex)) {
    Result<Splitter> compiled =
        is_valid_utf8(options.regex) ? compile_pattern(options.regex) : bad_data("not UTF-8");
    if (compiled.ok()) {
      splitter = std::move(compiled).value();
    } else {
      faults.add("pattern", options.regex, "is not implemented: " + compiled.status().message(),
                 "use gpt2, llama3, qwen, tekken, o200k or another expression");
    }
  }
  return faults.to_status(StatusCode::kUsage, "the tokenizer cannot be trained");
}

}  // namespace

std::optional<std::string_view> regex_of_style(std::string_view name) {
  for (const auto& [known, regex] : {std::pair("gpt2", kGpt2Regex),
                                     {"llama3", kLlama3Regex},
                                     {"qwen", kQwenRegex},
                                     {"tekken", kTekkenRegex},
                                     {"o200k", kO200kRegex}}) {
    if (name == known) {
      return regex;
    }
  }
  return std::nullopt;
}

struct BpeTrainer::State {
  State(BpeTrainerOptions options_in, std::optional<Splitter> splitter)
      : options(std::move(options_in)), counter(counter_options(options, std::move(splitter))) {}

  // Files help only when rare words are left out: learning needs more memory for a word than counting it.
  static WordCounterOptions counter_options(const BpeTrainerOptions& options,
                                            std::optional<Splitter> splitter) {
    return {.pattern = find_pattern(options.regex).value_or(Pattern()),
            .splitter = std::move(splitter),
            .num_threads = options.num_threads,
            .files = options.min_word_count > 1 ? options.files : nullptr,
            .folder = options.folder_for_words,
            .memory_bytes = options.memory_bytes / 2};
  }

  Status check_memory(std::int64_t num_words, std::int64_t word_bytes) const {
    if (BpeLearner::memory_bytes(num_words, word_bytes) > options.memory_bytes) {
      return bad_data(fmt::format(
          "learning from the {} distinct words so far needs more memory than {}; give more, leave more rare "
          "words out (min_word_count), or train on a sample of the texts",
          format_count(num_words), format_bytes(options.memory_bytes)));
    }
    return ok_status();
  }

  Status fill(BpeLearner& learner);

  BpeTrainerOptions options;
  WordCounter counter;
};

BpeTrainer::BpeTrainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
BpeTrainer::~BpeTrainer() = default;
BpeTrainer::BpeTrainer(BpeTrainer&&) noexcept = default;
BpeTrainer& BpeTrainer::operator=(BpeTrainer&&) noexcept = default;

Result<BpeTrainer> BpeTrainer::create(BpeTrainerOptions options) {
  std::optional<Splitter> splitter;
  TRY(check_options(options, splitter));
  return BpeTrainer(std::make_unique<State>(std::move(options), std::move(splitter)));
}

Status BpeTrainer::add_text(std::string_view text) {
  if (const std::optional<std::size_t> wrong = find_invalid_utf8(text)) {
    return bad_data(fmt::format("the text is not UTF-8 at byte {}", *wrong));
  }
  TRY(state_->counter.add_text(text));
  return state_->options.min_word_count > 1
             ? ok_status()
             : state_->check_memory(state_->counter.num_words(), state_->counter.word_bytes());
}

// Gives the learner the words that matter to it.
Status BpeTrainer::State::fill(BpeLearner& learner) {
  return counter.finish([&](std::string_view word, std::int64_t count) {
    if (word.size() < 2 || count < options.min_word_count) {
      return ok_status();
    }
    if (!learner.add_word(word, count)) {
      return bad_data("the words have more than 2^32 letters; leave rare words out by a least count");
    }
    return check_memory(learner.num_words(), learner.num_bytes());
  });
}

Result<TrainedTokenizer> BpeTrainer::train(
    std::function<void(std::int64_t done, std::int64_t total)> on_progress) {
  const BpeTrainerOptions& options = state_->options;
  // Ids: special tokens, then the bytes in the order of their letters, then what is learned.
  std::vector<std::string> tokens(options.special_tokens.size());  // bytes; special tokens stand for none
  std::vector<std::int32_t> byte_ids(kNumBytes);
  for (char32_t letter = 0; letter < kByteLetterEnd; ++letter) {
    const int byte = letter_to_byte(letter);
    if (byte >= 0) {
      byte_ids[static_cast<std::size_t>(byte)] = static_cast<std::int32_t>(tokens.size());
      tokens.emplace_back(1, static_cast<char>(byte));
    }
  }
  std::unordered_set<std::string> taken;
  for (const std::string& token : options.special_tokens) {
    taken.insert(letters_to_bytes(token).value_or(token));
  }
  BpeLearner learner;
  TRY(state_->fill(learner));
  const std::vector<BpeMerge> merges = learner.learn({.vocab_size = options.vocab_size,
                                                      .min_frequency = options.min_frequency,
                                                      .token_length_max = options.token_length_max,
                                                      .num_threads = options.num_threads,
                                                      .on_progress = std::move(on_progress)},
                                                     byte_ids, taken, tokens);
  return TrainedTokenizer{write_tokenizer_files({.special_tokens = options.special_tokens,
                                                 .roles = options.roles,
                                                 .regex = options.regex,
                                                 .bytes = tokens,
                                                 .merges = merges}),
                          learner.num_words(), static_cast<std::int64_t>(tokens.size()),
                          static_cast<std::int64_t>(merges.size())};
}

}  // namespace cairn::tokenizer
