#include "tokenizer/word_runs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include <fmt/format.h>

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 18;
constexpr std::size_t kHeaderBytes = sizeof(std::uint32_t) + sizeof(std::int64_t);

class RunWriter {
 public:
  explicit RunWriter(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

  Status add(std::string_view word, std::int64_t count) {
    std::array<char, kHeaderBytes> header{};
    const auto size = static_cast<std::uint32_t>(word.size());
    std::memcpy(header.data(), &size, sizeof(size));
    std::memcpy(header.data() + sizeof(size), &count, sizeof(count));
    buffer_.append(header.data(), header.size()).append(word);
    return buffer_.size() < kBufferBytes ? ok_status() : flush();
  }

  Status close() {
    TRY(flush());
    return file_->close();
  }

 private:
  Status flush() {
    const Status status = file_->append(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
    return status;
  }

  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
};

class RunReader {
 public:
  explicit RunReader(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}

  std::string_view word() const { return word_; }
  std::int64_t count() const { return count_; }

  // Goes to the next record; false at the end.
  Result<bool> next() {
    if (at_ == buffer_.size() && offset_ == file_->size()) {
      return false;
    }
    TRY(have(kHeaderBytes));
    std::uint32_t size = 0;
    std::memcpy(&size, buffer_.data() + at_, sizeof(size));
    std::memcpy(&count_, buffer_.data() + at_ + sizeof(size), sizeof(count_));
    at_ += kHeaderBytes;
    TRY(have(size));
    word_.assign(buffer_, at_, size);
    at_ += size;
    return true;
  }

 private:
  // Makes `size` bytes follow at_ in the buffer.
  Status have(std::size_t size) {
    if (buffer_.size() - at_ >= size) {
      return ok_status();
    }
    buffer_.erase(0, at_);
    at_ = 0;
    const std::size_t before = buffer_.size();
    const auto rest = static_cast<std::size_t>(file_->size() - offset_);
    if (rest < size - before) {
      return bad_data("a file of counted words is cut off");
    }
    buffer_.resize(std::min(before + rest, std::max(kBufferBytes, size)));
    const std::span<std::byte> part = std::as_writable_bytes(std::span(buffer_)).subspan(before);
    TRY(file_->read(offset_, part));
    offset_ += static_cast<std::int64_t>(part.size());
    return ok_status();
  }

  std::unique_ptr<ReadableFile> file_;
  std::int64_t offset_ = 0;  // of the file, behind the buffer
  std::string buffer_;
  std::size_t at_ = 0;
  std::string word_;
  std::int64_t count_ = 0;
};

// Where a word lies: a table and its place there.
struct Place {
  const WordTable* table;
  std::uint32_t index;
  std::string_view word() const { return table->word(index); }
};

}  // namespace

WordRuns::WordRuns(FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

WordRuns::~WordRuns() {
  if (num_written_ > 0) {
    const Status status = files_.remove_tree(folder_);  // a leftover is removed by the next run
    static_cast<void>(status);
  }
}

std::string WordRuns::next_path() {
  return fmt::format("{}/run-{:06}", folder_, num_written_++);
}

Status WordRuns::write(std::span<const WordTable> tables) {
  if (num_written_ == 0) {
    TRY(files_.remove_tree(folder_));
    TRY(files_.make_directories(folder_));
  }
  std::vector<Place> places;
  for (const WordTable& table : tables) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      places.push_back({&table, static_cast<std::uint32_t>(i)});
    }
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.word() < b.word(); });
  const std::string path = next_path();
  TRY_ASSIGN(std::unique_ptr<WritableFile> file, files_.create(path));
  RunWriter writer(std::move(file));
  for (const Place& place : places) {
    TRY(writer.add(place.word(), place.table->count(place.index)));
  }
  TRY(writer.close());
  runs_.push_back(path);
  return runs_.size() < kRunsMax ? ok_status() : merge_into_one();
}

Status WordRuns::merge_into_one() {
  const std::string path = next_path();
  TRY_ASSIGN(std::unique_ptr<WritableFile> file, files_.create(path));
  RunWriter writer(std::move(file));
  TRY(merge([&](std::string_view word, std::int64_t count) { return writer.add(word, count); }));
  TRY(writer.close());
  for (const std::string& run : runs_) {
    TRY(files_.remove_file(run));
  }
  runs_ = {path};
  return ok_status();
}

Status WordRuns::merge(const Visit& visit) {
  std::vector<RunReader> readers;
  for (const std::string& run : runs_) {
    TRY_ASSIGN(std::unique_ptr<ReadableFile> file, files_.open(run));
    readers.emplace_back(std::move(file));
  }
  const auto comes_later = [&](std::size_t a, std::size_t b) {
    return readers[a].word() > readers[b].word();
  };
  std::vector<std::size_t> heap;  // of the readers that are not at their end
  const auto advance = [&](std::size_t reader) -> Status {
    TRY_ASSIGN(const bool has_word, readers[reader].next());
    if (has_word) {
      heap.push_back(reader);
      std::push_heap(heap.begin(), heap.end(), comes_later);
    }
    return ok_status();
  };
  for (std::size_t reader = 0; reader < readers.size(); ++reader) {
    TRY(advance(reader));
  }
  std::string word;
  while (!heap.empty()) {
    word = readers[heap.front()].word();
    std::int64_t count = 0;
    while (!heap.empty() && readers[heap.front()].word() == word) {
      const std::size_t reader = heap.front();
      std::pop_heap(heap.begin(), heap.end(), comes_later);
      heap.pop_back();
      count += readers[reader].count();
      TRY(advance(reader));
    }
    TRY(visit(word, count));
  }
  return ok_status();
}

}  // namespace cairn::tokenizer
