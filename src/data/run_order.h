// The samples of a run in the order in which it consumes them: stages, mixtures and the orders of their sources. A pure
// function of the run file and the shards; where a run stands is one number, the samples consumed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/blend.h"
#include "data/index_cache.h"
#include "data/stage_plan.h"
#include "data/token_source.h"
#include "device/thread_pool.h"
#include "doors/clock.h"
#include "doors/file_system.h"

namespace cairn::data {

struct RunOrderOptions {
  std::vector<Stage> stages;     // without faults
  std::int64_t num_samples = 0;  // of the run
  std::int64_t sequence = 0;     // T
  std::int64_t vocab_size = 0;   // every id read is checked against it
  BlendRounding rounding = BlendRounding::kSeparate;
  std::string cache_folder;  // for indices that take long to make; "": none
};

// Where a sample of the run comes from.
struct SamplePlace {
  std::int64_t stage = 0;
  std::int64_t use = 0;     // source within the stage
  std::int64_t order = 0;   // index for RunOrder::source()
  std::int64_t sample = 0;  // of that order
  friend bool operator==(const SamplePlace&, const SamplePlace&) = default;
};

// What a stage has taken of one of its sources.
struct StageTaken {
  std::int64_t first_sample = 0;  // of the order, where the stage began
  std::int64_t num_samples = 0;
};

// Immutable after open(); thread-safe.
class RunOrder {
 public:
  // Opens every shard and makes or maps every index. kBadData naming stage and source when sources without weights are
  // too small; errors of TokenSource::open.
  static Result<RunOrder> open(FileSystem& files, Clock& clock, const RunOrderOptions& options,
                               ThreadPool* pool = nullptr);

  std::int64_t num_samples() const { return options_.num_samples; }
  std::int64_t sequence() const { return options_.sequence; }
  const RunOrderOptions& options() const { return options_; }
  const StagePlan& plan() const { return plan_; }
  std::span<const TokenSource> sources() const { return sources_; }  // one for each planned order
  const TokenSource& source(std::int64_t order) const { return sources_[static_cast<std::size_t>(order)]; }
  // Why indices could not be kept; empty in general.
  const std::vector<std::string>& notes() const { return notes_; }

  // Errors of TokenShard::check_unchanged, for every shard.
  Status check_unchanged(FileSystem& files) const;

  // The stage of sample `sample` of the run.
  std::int64_t stage_of(std::int64_t sample) const;
  // What stage `stage` has taken of its use `use` when `consumed` samples of the run are.
  StageTaken taken(std::int64_t stage, std::int64_t use, std::int64_t consumed) const;
  // The sample of the run that reads sample `sample` of order `order`, if the run gets there.
  std::optional<std::int64_t> find(std::int64_t order, std::int64_t sample) const;

 private:
  friend class RunOrderCursor;
  struct StageMix {
    std::optional<Blend> blend;               // none for a single source
    std::vector<std::int64_t> first_samples;  // of each use
    std::int64_t count(std::int64_t use, std::int64_t stage_samples) const;
  };
  RunOrder() = default;
  Status open_sources(FileSystem& files, IndexCache& cache, ThreadPool* pool);
  Status mix_stage(std::size_t stage, IndexCache& cache, std::vector<std::int64_t>& used);

  RunOrderOptions options_;
  StagePlan plan_;
  std::vector<TokenSource> sources_;
  std::vector<StageMix> mixes_;
  std::vector<std::string> notes_;
};

// Reads a RunOrder, quickest in order; one for each reading thread. Allocates nothing after construction. The order
// outlives it.
class RunOrderCursor {
 public:
  explicit RunOrderCursor(const RunOrder& order);
  // REQUIRES 0 <= sample < num_samples().
  SamplePlace locate(std::int64_t sample);

 private:
  const RunOrder* order_;
  std::vector<BlendCursor> cursors_;  // of the stages with several sources, in order of stages
  std::vector<std::size_t> cursor_of_stage_;
};

}  // namespace cairn::data
