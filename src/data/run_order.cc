#include "data/run_order.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kCachedPicks = 100'000'000;  // a mixture that takes longer to decide than to read

Result<Blend> cached_blend(IndexCache& cache, std::span<const double> weights, std::int64_t num_samples,
                           BlendRounding rounding) {
  const auto num_sources = static_cast<std::int64_t>(weights.size());
  if (num_samples < kCachedPicks / num_sources) {
    return Blend::build(weights, num_samples, rounding);
  }
  Hasher hasher;
  hasher.update("mixture, version 1");
  hasher.update(std::as_bytes(weights));
  hasher.update_uint64(static_cast<std::uint64_t>(num_samples));
  hasher.update_uint64(static_cast<std::uint64_t>(rounding));
  TRY_ASSIGN(const IndexArrays arrays,
             cache.load_or_make("mixture", hasher.digest(), [&]() -> Result<IndexArrays> {
               TRY_ASSIGN(Blend blend, Blend::build(weights, num_samples, rounding));
               auto storage = std::make_shared<const Blend>(std::move(blend));
               return IndexArrays{{std::as_bytes(storage->table())}, storage};
             }));
  return Blend::adopt(weights, num_samples, rounding, arrays.as<std::int64_t>(0), arrays.storage);
}

}  // namespace

std::int64_t RunOrder::StageMix::count(std::int64_t use, std::int64_t stage_samples) const {
  return blend ? blend->count_before(use, stage_samples) : stage_samples;
}

Result<RunOrder> RunOrder::open(FileSystem& files, Clock& clock, const RunOrderOptions& options,
                                ThreadPool* pool) {
  RunOrder order;
  order.options_ = options;
  order.plan_ = plan_stages(options.stages, options.num_samples);
  IndexCache cache(files, clock, options.cache_folder);
  TRY(order.open_sources(files, cache, pool));
  std::vector<std::int64_t> used(order.sources_.size(), 0);  // samples of each order before the stage
  for (std::size_t stage = 0; stage < order.plan_.stages.size(); ++stage) {
    TRY(order.mix_stage(stage, cache, used));
  }
  order.notes_ = cache.notes();
  return order;
}

Status RunOrder::open_sources(FileSystem& files, IndexCache& cache, ThreadPool* pool) {
  std::map<std::string, std::shared_ptr<const TokenShard>> shards;  // a shard with two orders is opened once
  for (const PlannedOrder& planned : plan_.orders) {
    std::shared_ptr<const TokenShard>& shard = shards[planned.prefix];
    if (shard == nullptr) {
      TRY_ASSIGN(TokenShard opened, TokenShard::open(files, planned.prefix));
      shard = std::make_shared<const TokenShard>(std::move(opened));
    }
    TokenSourceOptions options;
    options.order.sequence = options_.sequence;
    options.order.num_samples = planned.num_samples;
    options.order.seed = planned.seed;
    options.vocab_size = options_.vocab_size;
    TRY_ASSIGN(TokenSource source, TokenSource::open(shard, planned.prefix, options, &cache, pool));
    sources_.push_back(std::move(source));
  }
  return ok_status();
}

// Decides the mixture of a stage, given how many samples of each order the stages before it used; adds its own.
Status RunOrder::mix_stage(std::size_t stage, IndexCache& cache, std::vector<std::int64_t>& used) {
  const PlannedStage& planned = plan_.stages[stage];
  StageMix mix;
  std::vector<double> weights;
  std::int64_t left = 0;
  for (const PlannedUse& use : planned.uses) {
    const std::int64_t rest = sources_[use.order].num_samples() - used[use.order];
    mix.first_samples.push_back(used[use.order]);
    weights.push_back(planned.is_by_size ? static_cast<double>(rest) : use.weight);
    left += rest;
    if (planned.is_by_size && rest <= 0) {
      return bad_config(
          fmt::format("data.stage.{}: nothing is left of {}; remove it, give the sources weights (then "
                      "it is repeated), or order = \"restart\"",
                      stage, sources_[use.order].prefix()));
    }
  }
  if (planned.is_by_size && left < planned.num_samples) {
    return bad_config(
        fmt::format("data.stage.{}: {} samples are to be taken and its sources have {} left; shorten the "
                    "stage, add sources, or give them weights (then they are repeated)",
                    stage, planned.num_samples, left));
  }
  if (planned.uses.size() > 1) {
    TRY_ASSIGN(Blend blend,
               cached_blend(cache, normalize_weights(weights), planned.num_samples, options_.rounding));
    mix.blend = std::move(blend);
  }
  for (std::size_t i = 0; i < planned.uses.size(); ++i) {
    const std::size_t order = planned.uses[i].order;
    used[order] += mix.count(static_cast<std::int64_t>(i), planned.num_samples);
    if (used[order] > sources_[order].num_samples()) {
      return bad_data(
          fmt::format("data.stage.{}: the mixture takes sample {} of {}, which was made ready for {}", stage,
                      used[order], sources_[order].prefix(), sources_[order].num_samples()));
    }
  }
  mixes_.push_back(std::move(mix));
  return ok_status();
}

Status RunOrder::check_unchanged(FileSystem& files) const {
  const TokenShard* last = nullptr;
  for (const TokenSource& source : sources_) {
    if (&source.shard() != last) {
      TRY(source.shard().check_unchanged(files));
    }
    last = &source.shard();
  }
  return ok_status();
}

std::int64_t RunOrder::stage_of(std::int64_t sample) const {
  CHECK(sample >= 0 && sample < num_samples(), "sample out of range");
  const auto after = std::ranges::upper_bound(plan_.stages, sample, {}, &PlannedStage::start_samples);
  return after - plan_.stages.begin() - 1;
}

StageTaken RunOrder::taken(std::int64_t stage, std::int64_t use, std::int64_t consumed) const {
  const auto i = static_cast<std::size_t>(stage);
  const PlannedStage& planned = plan_.stages[i];
  const std::int64_t in_stage =
      std::clamp<std::int64_t>(consumed - planned.start_samples, 0, planned.num_samples);
  return {mixes_[i].first_samples[static_cast<std::size_t>(use)], mixes_[i].count(use, in_stage)};
}

std::optional<std::int64_t> RunOrder::find(std::int64_t order, std::int64_t sample) const {
  for (std::size_t stage = 0; stage < mixes_.size(); ++stage) {
    const PlannedStage& planned = plan_.stages[stage];
    for (std::size_t use = 0; use < planned.uses.size(); ++use) {
      const std::int64_t index = sample - mixes_[stage].first_samples[use];
      if (planned.uses[use].order != static_cast<std::size_t>(order) || index < 0 ||
          index >= mixes_[stage].count(static_cast<std::int64_t>(use), planned.num_samples)) {
        continue;
      }
      const std::optional<Blend>& blend = mixes_[stage].blend;
      return planned.start_samples + (blend ? blend->find(static_cast<std::int64_t>(use), index) : index);
    }
  }
  return std::nullopt;
}

RunOrderCursor::RunOrderCursor(const RunOrder& order) : order_(&order) {
  for (const RunOrder::StageMix& mix : order.mixes_) {
    cursor_of_stage_.push_back(cursors_.size());
    if (mix.blend) {
      cursors_.emplace_back(*mix.blend);
    }
  }
}

SamplePlace RunOrderCursor::locate(std::int64_t sample) {
  SamplePlace place;
  place.stage = order_->stage_of(sample);
  const auto stage = static_cast<std::size_t>(place.stage);
  const PlannedStage& planned = order_->plan_.stages[stage];
  BlendSample picked = {0, sample - planned.start_samples};
  if (order_->mixes_[stage].blend) {
    picked = cursors_[cursor_of_stage_[stage]].at(picked.index);
  }
  place.use = picked.source;
  place.order = static_cast<std::int64_t>(planned.uses[static_cast<std::size_t>(picked.source)].order);
  place.sample = order_->mixes_[stage].first_samples[static_cast<std::size_t>(picked.source)] + picked.index;
  return place;
}

}  // namespace cairn::data
