// The order of work on batches of text by many threads: who reads what next, and in which order the results come out. Files
// are taken in groups; several groups are read at once, so that one slow stream (gzip) does not hold up the others.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/document_splitter.h"
#include "data/text_batch.h"
#include "data/text_input.h"
#include "doors/file_system.h"

namespace cairn::data {

// A batch of text and what became of it. Used again and again, so that its memory is.
struct BatchWork {
  TextBatch text;
  std::vector<std::byte> tokens;      // as a .bin file has them
  std::vector<std::int32_t> lengths;  // tokens of each document
  struct Origin {
    std::int64_t input = 0;
    std::int64_t offset = 0;
  };
  std::vector<Origin> origins;       // of each document
  std::string values;                // the columns of each document, one after the other
  std::vector<std::size_t> ends;     // of each value
  std::vector<std::int64_t> filled;  // documents with something in each column
  DocumentCounts counts;
  Status status;

  std::int64_t group = 0;
  std::int64_t index = 0;  // in the group

  void clear();
};

// Inputs [begin, end) that are read one after the other. Cut by the sizes of the files alone.
struct InputGroup {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
std::vector<InputGroup> group_inputs(std::span<const TextInput> inputs);

// Thread-safe. Memory is bounded: about `batches_max` batches exist at a time.
class BatchQueue {
 public:
  // Reads from `begin` on. The inputs outlive the queue.
  BatchQueue(FileSystem& files, std::span<const TextInput> inputs, const TextOptions& options,
             TextPlace begin, std::size_t groups_max, std::size_t batches_max);

  // The next batch to work on, read; null at the end and after stop(). Waits when the writer is behind. A batch that could not be
  // read comes out of next() with its status; the caller does not see it.
  std::unique_ptr<BatchWork> claim();
  void deliver(std::unique_ptr<BatchWork> work);
  // In order of the text; null at the end. One caller, which gives each back.
  std::unique_ptr<BatchWork> next();
  void give_back(std::unique_ptr<BatchWork> work);
  // Lets all claims end. What is not yet written is dropped.
  void stop();

 private:
  struct Lane {
    std::unique_ptr<TextBatchReader> reader;
    bool is_busy = false;
    bool is_finished = false;
    std::int64_t num_claimed = 0;
  };

  std::optional<std::int64_t> choose_lane();
  void open_lanes();
  bool is_all_claimed() const;

  FileSystem& files_;
  std::span<const TextInput> inputs_;
  TextOptions options_;
  TextPlace begin_;
  std::size_t groups_max_;
  std::size_t batches_max_;
  std::vector<InputGroup> groups_;

  std::mutex mutex_;
  std::condition_variable may_claim_;
  std::condition_variable may_write_;
  std::map<std::int64_t, Lane> lanes_;  // by group
  std::map<std::pair<std::int64_t, std::int64_t>, std::unique_ptr<BatchWork>> done_;
  std::vector<std::unique_ptr<BatchWork>> free_;
  std::int64_t head_ = 0;         // the group that is being written
  std::int64_t num_written_ = 0;  // batches of it
  std::size_t num_outstanding_ = 0;
  bool is_stopped_ = false;
};

}  // namespace cairn::data
