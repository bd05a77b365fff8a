// Which documents a step reads, and which steps read a document: the order of the run asked for people. Reads no tokens
// and touches nothing but the index cache.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/order_inverse.h"
#include "data/run_order.h"
#include "train/run_config.h"
#include "train/run_schedule.h"

namespace cairn::train {

// A piece of a document as a step reads it.
struct TracedPiece {
  std::int64_t step = 0;    // from 1
  std::int64_t sample = 0;  // of the run
  std::int64_t rank = 0;    // data-parallel rank that reads it
  std::string source;       // prefix of the shard
  std::int64_t document = 0;
  std::int64_t offset = 0;  // tokens into the document
  std::int64_t count = 0;
  // Of them, those that the sample has to predict: all but the first token of a sample, which is the last of another.
  std::int64_t num_predicted = 0;
};

class DataTrace {
 public:
  // `num_ranks` data-parallel ranks share the microbatches of a step in contiguous blocks. Errors of RunOrder::open.
  static Result<std::unique_ptr<DataTrace>> open(FileSystem& files, Clock& clock, const RunConfig& config,
                                                 std::int64_t num_ranks, ThreadPool* pool = nullptr);

  // What `step` reads, sample by sample. kUsage when the run has no such step.
  Result<std::vector<TracedPiece>> step(std::int64_t step);
  // Every use of a document of the shard `source`, step by step. kUsage when no stage has that source or the shard no
  // such document. The first question about a source makes its inverse order.
  Result<std::vector<TracedPiece>> document(const std::string& source, std::int64_t document);

  const data::RunOrder& order() const { return order_; }
  const RunSchedule& schedule() const { return schedule_; }
  std::vector<std::string> sources() const;  // prefixes, each once

 private:
  DataTrace(FileSystem& files, Clock& clock, const RunConfig& config, std::int64_t num_ranks,
            ThreadPool* pool, data::RunOrder order);
  std::int64_t rank_of(std::int64_t sample, const StepSamples& step) const;
  Result<const data::OrderInverse*> inverse_of(std::size_t order);

  ResolvedRun run_;
  RunSchedule schedule_;
  std::int64_t microbatch_;
  std::int64_t num_ranks_;
  ThreadPool* pool_;
  data::RunOrder order_;
  data::RunOrderCursor cursor_;
  data::IndexCache cache_;
  std::map<std::size_t, data::OrderInverse> inverses_;
};

}  // namespace cairn::train
