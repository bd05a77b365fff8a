#include "tokenizer/word_counter.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/text.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_runs.h"
#include "tokenizer/word_table.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kStretchBytes = std::size_t{1} << 18;  // a share of work
constexpr std::size_t kWaitingMax = 16;                      // shares that wait
// Of a thread's own table: about 20 MB.
constexpr std::size_t kLocalWordsMax = std::size_t{1} << 18;
constexpr std::size_t kLocalBytesMax = std::size_t{8} << 20;
constexpr int kShardBits = 6;
constexpr std::size_t kNumShards = std::size_t{1} << kShardBits;

std::size_t shard_of(std::uint64_t hash) {
  return hash >> (64 - kShardBits);
}

// Counts the frequent short words, which most of a text is made of, in the nearest caches: a small table in which a
// word has two places. One that finds both taken drives out the word with the lower count.
class HotWords {
 public:
  static constexpr std::size_t kWordBytesMax = 15;

  // REQUIRES a word of 1 to kWordBytesMax bytes that 16 bytes can be read from, and a machine with the low byte first.
  void add(std::string_view word, WordTable& table) {
    const Key key = key_of(word);
    const std::uint64_t mixed = (key.low * 0x9E3779B97F4A7C15U ^ key.high) * 0xD6E8FEB86659FD93U;
    Slot* first = &slots_[(mixed >> (64 - kSlotBits)) & ~std::uint64_t{1}];
    for (Slot* slot = first; slot <= first + 1; ++slot) {
      if (slot->key.low == key.low && slot->key.high == key.high) {
        ++slot->count;
        return;
      }
    }
    Slot& slot = first[first[1].count < first[0].count ? 1 : 0];
    drive_out(slot, table);
    slot = {key, 1};
  }

  void drive_all_out(WordTable& table) {
    for (Slot& slot : slots_) {
      drive_out(slot, table);
    }
  }

 private:
  // The bytes of the word, then zeros; the last byte is the size.
  struct Key {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
  };
  struct Slot {
    Key key;
    std::int64_t count = 0;
  };

  static Key key_of(std::string_view word) {
    static_assert(std::endian::native == std::endian::little);
    Key key;
    std::memcpy(&key, word.data(), sizeof(key));
    const std::size_t size = word.size();
    key.low &= size >= 8 ? kAll : ~(kAll << (8 * size));
    key.high &= size > 8 ? ~(kAll << (8 * (size - 8))) : 0;
    key.high |= static_cast<std::uint64_t>(size) << 56;
    return key;
  }

  static void drive_out(Slot& slot, WordTable& table) {
    if (slot.count > 0) {
      std::array<char, sizeof(Key)> bytes{};
      std::memcpy(bytes.data(), &slot.key, sizeof(Key));
      const std::string_view word(bytes.data(), slot.key.high >> 56);
      table.add(word, xxh3_64(word, 0), slot.count);
      slot = {};
    }
  }

  static constexpr std::uint64_t kAll = ~std::uint64_t{0};
  static constexpr int kSlotBits = 14;  // 393 kB
  std::vector<Slot> slots_ = std::vector<Slot>(std::size_t{1} << kSlotBits);
};

// What one thread counts in.
struct Local {
  HotWords hot;
  WordTable table;
  SplitterBuffers splitter;
};

// A stretch of text to count: words begin in [begin, end), what the pattern sees ends at view_end.
struct Segment {
  std::size_t begin;
  std::size_t end;
  std::size_t view_end;
};

struct Share {
  std::string text;  // with some bytes behind the last segment
  std::vector<Segment> segments;
};

// True for the patterns whose words never have a newline before a letter: texts may be cut there.
bool cuts_before_letters(const WordCounterOptions& options) {
  const PatternFamily family = options.pattern.family;
  return !options.splitter && (family == PatternFamily::kGpt2 || family == PatternFamily::kLetter ||
                               family == PatternFamily::kCased);
}

// The size of the character at `at` when it is a letter after a newline, otherwise 0. What comes before needs this one
// character to look ahead to.
std::size_t letter_after_newline(std::string_view text, std::size_t at) {
  if (text[at - 1] != '\n') {
    return 0;
  }
  const Utf8CodePoint c = decode_utf8(text, at);
  return (code_point_flags(c.code_point) & kLetter) != 0 ? static_cast<std::size_t>(c.length) : 0;
}

}  // namespace

struct WordCounter::State {
  explicit State(WordCounterOptions options_in) : options(std::move(options_in)) {
    if (options.files != nullptr) {
      runs.emplace(*options.files, options.folder);
    }
    locals.resize(static_cast<std::size_t>(options.num_threads));
    for (std::size_t i = 1; i < locals.size(); ++i) {  // last: they use what is above
      threads.emplace_back([this, i] { work(locals[i]); });
    }
  }

  ~State() { stop(); }

  void add(std::string_view text);
  void add_segment(std::string_view text, std::size_t view_size);
  void hand_over();
  void drain(Local& local);
  void work(Local& local);
  void stop();
  void count(const Share& share, Local& local);
  void count_word(std::string_view word, Local& local);
  void publish(WordTable& words);
  void add_sizes(const WordTable& shard, std::int64_t sign);
  void write_run();
  void fail(Status status);
  Status first_error();

  WordCounterOptions options;
  std::optional<WordRuns> runs;
  Share filling;              // of the adding thread
  std::vector<Local> locals;  // one a thread, the first of the adding thread

  std::mutex mutex;  // of what follows
  std::condition_variable has_work;
  std::deque<Share> waiting;
  bool is_stopping = false;
  Status error;

  // Held shared while adding to the shards, alone while writing them out.
  std::shared_mutex shards_mutex;
  std::array<std::mutex, kNumShards> shard_mutexes;  // one a table
  std::vector<WordTable> shards{kNumShards};
  std::atomic<std::int64_t> shards_bytes{0};  // of memory
  std::atomic<std::int64_t> num_words{0};
  std::atomic<std::int64_t> word_bytes{0};

  std::vector<std::thread> threads;
};

void WordCounter::State::add_segment(std::string_view text, std::size_t view_size) {
  const std::size_t begin = filling.text.size();
  filling.segments.push_back({begin, begin + text.size(), begin + view_size});
}

void WordCounter::State::add(std::string_view text) {
  const bool may_cut = cuts_before_letters(options);
  while (!text.empty()) {
    std::size_t end = text.size();
    std::size_t ahead = 0;
    for (std::size_t at = kStretchBytes; may_cut && at < text.size(); ++at) {
      ahead = letter_after_newline(text, at);
      if (ahead > 0) {
        end = at;
        break;
      }
    }
    add_segment(text.substr(0, end), end + ahead);
    filling.text.append(text.substr(0, end + ahead));
    text.remove_prefix(end);
    if (filling.text.size() >= kStretchBytes) {
      hand_over();
    }
  }
}

// Gives the share to whoever is free; counts one itself when enough are waiting.
void WordCounter::State::hand_over() {
  std::optional<Share> own;
  {
    const std::lock_guard lock(mutex);
    filling.text.append(sizeof(std::uint64_t) * 2, '\0');
    waiting.push_back(std::exchange(filling, {}));
    if (threads.empty() || waiting.size() > kWaitingMax) {
      own = std::move(waiting.front());
      waiting.pop_front();
    }
  }
  has_work.notify_one();
  if (own) {
    count(*own, locals.front());
  }
}

void WordCounter::State::work(Local& local) {
  std::unique_lock lock(mutex);
  while (true) {
    has_work.wait(lock, [&] { return is_stopping || !waiting.empty(); });
    if (waiting.empty()) {
      return;
    }
    const Share share = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    count(share, local);
    lock.lock();
  }
}

void WordCounter::State::stop() {
  {
    const std::lock_guard lock(mutex);
    is_stopping = true;
  }
  has_work.notify_all();
  for (std::thread& thread : threads) {
    thread.join();
  }
  threads.clear();
}

void WordCounter::State::count(const Share& share, Local& local) {
  for (const Segment& segment : share.segments) {
    const std::string_view view = std::string_view(share.text).substr(0, segment.view_end);
    std::size_t begin = segment.begin;
    if (options.splitter) {
      const std::string_view text = view.substr(begin, segment.end - begin);
      const Status status = options.splitter->split(
          text, local.splitter,
          [&](std::size_t from, std::size_t to) { count_word(text.substr(from, to - from), local); });
      if (!status.ok()) {
        fail(status);
        return;
      }
      continue;
    }
    while (begin < segment.end) {
      const std::size_t end = piece_end(options.pattern, view, begin);
      count_word(view.substr(begin, end - begin), local);
      begin = end;
    }
    CHECK(begin == segment.end, "a word crosses the end of a stretch");
  }
}

void WordCounter::State::count_word(std::string_view word, Local& local) {
  if (word.size() <= HotWords::kWordBytesMax) {
    local.hot.add(word, local.table);
  } else {
    local.table.add(word, xxh3_64(word, 0), 1);
  }
  if (local.table.size() >= kLocalWordsMax || local.table.word_bytes() >= kLocalBytesMax) {
    publish(local.table);
  }
}

void WordCounter::State::publish(WordTable& words) {
  std::array<std::vector<std::uint32_t>, kNumShards> places;
  for (std::size_t i = 0; i < words.size(); ++i) {
    places[shard_of(words.hash(i))].push_back(static_cast<std::uint32_t>(i));
  }
  {
    const std::shared_lock all(shards_mutex);
    for (std::size_t shard = 0; shard < kNumShards; ++shard) {
      const std::lock_guard lock(shard_mutexes[shard]);
      add_sizes(shards[shard], -1);
      for (const std::uint32_t i : places[shard]) {
        shards[shard].add(words.word(i), words.hash(i), words.count(i));
      }
      add_sizes(shards[shard], 1);
    }
  }
  words.clear();
  if (runs && shards_bytes > options.memory_bytes) {
    const std::unique_lock all(shards_mutex);
    if (shards_bytes > options.memory_bytes) {  // still: another thread may have been here
      write_run();
    }
  }
}

void WordCounter::State::add_sizes(const WordTable& shard, std::int64_t sign) {
  shards_bytes += sign * static_cast<std::int64_t>(shard.memory_bytes());
  num_words += sign * static_cast<std::int64_t>(shard.size());
  word_bytes += sign * static_cast<std::int64_t>(shard.word_bytes());
}

// REQUIRES shards_mutex held alone.
void WordCounter::State::write_run() {
  const Status status = runs->write(shards);
  if (!status.ok()) {
    fail(status.with_context("writing counted words that do not fit into memory"));
  }
  shards = std::vector<WordTable>(kNumShards);
  shards_bytes = num_words = word_bytes = 0;
}

void WordCounter::State::fail(Status status) {
  const std::lock_guard lock(mutex);
  if (error.ok()) {
    error = std::move(status);
  }
}

Status WordCounter::State::first_error() {
  const std::lock_guard lock(mutex);
  return error;
}

WordCounter::WordCounter(WordCounterOptions options) : state_(std::make_unique<State>(std::move(options))) {}
WordCounter::~WordCounter() = default;
WordCounter::WordCounter(WordCounter&&) noexcept = default;
WordCounter& WordCounter::operator=(WordCounter&&) noexcept = default;

Status WordCounter::add_text(std::string_view text) {
  state_->add(text);
  return state_->first_error();
}

std::int64_t WordCounter::num_words() const {
  return state_->num_words;
}

std::int64_t WordCounter::word_bytes() const {
  return state_->word_bytes;
}

std::int64_t WordCounter::num_files_written() const {
  return state_->runs ? state_->runs->num_written() : 0;
}

Status WordCounter::finish(const std::function<Status(std::string_view word, std::int64_t count)>& visit) {
  State& state = *state_;
  state.hand_over();
  state.drain(state.locals.front());
  state.stop();
  for (Local& local : state.locals) {
    local.hot.drive_all_out(local.table);
    state.publish(local.table);
    local = {};
  }
  TRY(state.first_error());
  if (state.runs && !state.runs->empty()) {
    TRY(state.runs->write(state.shards));
    state.shards.clear();
    return state.runs->merge(visit);
  }
  for (WordTable& shard : state.shards) {
    for (std::size_t i = 0; i < shard.size(); ++i) {
      TRY(visit(shard.word(i), shard.count(i)));
    }
    shard = WordTable();
  }
  return ok_status();
}

// Counts what is waiting, beside the other threads.
void WordCounter::State::drain(Local& local) {
  std::unique_lock lock(mutex);
  while (!waiting.empty()) {
    const Share share = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    count(share, local);
    lock.lock();
  }
}

}  // namespace cairn::tokenizer
