#include "train/data_trace.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "device/thread_pool.h"

namespace cairn::train {

Result<std::unique_ptr<DataTrace>> DataTrace::open(FileSystem& files, Clock& clock, const RunConfig& config,
                                                   std::int64_t num_ranks, ThreadPool* pool) {
  constexpr std::int64_t kAnyId = std::numeric_limits<std::int32_t>::max();  // no tokens are read
  TRY_ASSIGN(data::RunOrder order,
             data::RunOrder::open(files, clock, run_order_options(config, kAnyId), pool));
  return std::unique_ptr<DataTrace>(new DataTrace(files, clock, config, num_ranks, pool, std::move(order)));
}

DataTrace::DataTrace(FileSystem& files, Clock& clock, const RunConfig& config, std::int64_t num_ranks,
                     ThreadPool* pool, data::RunOrder order)
    : run_(resolve_run(config)),
      schedule_(run_),
      microbatch_(config.train.microbatch),
      num_ranks_(num_ranks),
      pool_(pool),
      order_(std::move(order)),
      cursor_(order_),
      cache_(files, clock, order_.options().cache_folder) {}

std::vector<std::string> DataTrace::sources() const {
  std::vector<std::string> names;
  for (const data::TokenSource& source : order_.sources()) {
    if (std::ranges::find(names, source.prefix()) == names.end()) {
      names.push_back(source.prefix());
    }
  }
  return names;
}

// The inverse of static_block over the step's microbatches.
std::int64_t DataTrace::rank_of(std::int64_t sample, const StepSamples& step) const {
  const std::int64_t count = step.count / microbatch_;
  const std::int64_t microbatch = (sample - step.first) / microbatch_;
  const std::int64_t least = count / num_ranks_;
  const std::int64_t num_longer = count % num_ranks_;
  const std::int64_t longer_end = num_longer * (least + 1);
  return microbatch < longer_end ? microbatch / (least + 1) : num_longer + (microbatch - longer_end) / least;
}

Result<std::vector<TracedPiece>> DataTrace::step(std::int64_t step) {
  if (step < 1 || step > schedule_.num_steps()) {
    return usage_error(fmt::format("the run has steps 1 to {}, and no step {}", schedule_.num_steps(), step));
  }
  const StepSamples samples = schedule_.samples_of(step);
  std::vector<TracedPiece> pieces;
  for (std::int64_t sample = samples.first; sample < samples.first + samples.count; ++sample) {
    const data::SamplePlace place = cursor_.locate(sample);
    const data::TokenSource& source = order_.source(place.order);
    const std::int64_t rank = rank_of(sample, samples);
    source.order().visit_pieces(
        place.sample, [&](std::int64_t /*index*/, const data::TokenSpan& span, bool is_first) {
          pieces.push_back({step, sample, rank, source.prefix(), span.document, span.offset, span.count,
                            span.count - (is_first ? 1 : 0)});
        });
  }
  return pieces;
}

Result<const data::OrderInverse*> DataTrace::inverse_of(std::size_t order) {
  if (const auto known = inverses_.find(order); known != inverses_.end()) {
    return &known->second;
  }
  const data::TokenSource& source = order_.sources()[order];
  TRY_ASSIGN(data::OrderInverse inverse,
             data::OrderInverse::make(source.order(), source.order_fingerprint(), &cache_, pool_));
  return &inverses_.emplace(order, std::move(inverse)).first->second;
}

Result<std::vector<TracedPiece>> DataTrace::document(const std::string& source, std::int64_t document) {
  std::vector<TracedPiece> pieces;
  bool is_known = false;
  for (std::size_t order = 0; order < order_.sources().size(); ++order) {
    const data::TokenSource& shard = order_.sources()[order];
    if (shard.prefix() != source) {
      continue;
    }
    is_known = true;
    if (document < 0 || document >= shard.shard().num_sequences()) {
      return usage_error(fmt::format("{} has documents 0 to {}, and no document {}", source,
                                     shard.shard().num_sequences() - 1, document));
    }
    TRY_ASSIGN(const data::OrderInverse* inverse, inverse_of(order));
    for (const data::DocumentUse& use : inverse->uses_of(document)) {
      const std::optional<std::int64_t> sample = order_.find(static_cast<std::int64_t>(order), use.sample);
      if (!sample || *sample >= run_.consumed_samples) {
        continue;  // the run does not get there
      }
      const std::int64_t step = schedule_.step_of(*sample);
      pieces.push_back({step, *sample, rank_of(*sample, schedule_.samples_of(step)), source, document,
                        use.span.offset, use.span.count, use.span.count - (use.is_first ? 1 : 0)});
    }
  }
  if (!is_known) {
    return usage_error(fmt::format("no stage of the run has the source {}", source));
  }
  std::ranges::stable_sort(pieces, {}, &TracedPiece::sample);
  return pieces;
}

}  // namespace cairn::train
