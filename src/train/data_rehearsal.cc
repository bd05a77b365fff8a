#include "train/data_rehearsal.h"

#include <utility>

#include <fmt/format.h>

#include "config/config_text.h"
#include "formats/json.h"

namespace cairn::train {
namespace {

// Of the keys that decide which sample comes when, and of what the shards hold.
std::string hash_order(const RunConfig& config, const data::RunOrder& order) {
  Hasher hasher;
  for (const FlatField& field : flatten_config(config)) {
    const bool counts = field.path.starts_with("data.stage") || field.path.starts_with("train.ramp") ||
                        field.path == "data.mixture_rounding" || field.path == "train.sequence" ||
                        field.path == "train.samples" || field.path == "train.tokens" ||
                        field.path == "train.global_batch" || field.path == "train.microbatch";
    if (counts) {
      hasher.update(fmt::format("{} = {}\n", field.path, field.value));
    }
  }
  for (const data::TokenSource& source : order.sources()) {
    hasher.update(source.fingerprint());
  }
  return hasher.digest().to_hex();
}

}  // namespace

DataRehearsal::DataRehearsal(FileSystem& files, const RunConfig& config, std::string state_file,
                             data::RunOrder order, ThreadPool& pool)
    : files_(files),
      state_file_(std::move(state_file)),
      order_hash_(hash_order(config, order)),
      schedule_(resolve_run(config)),
      microbatch_(config.train.microbatch),
      order_(std::move(order)),
      pool_(pool) {
  for (int i = 0; i < pool.num_threads(); ++i) {
    readers_.push_back({data::RunOrderCursor(order_),
                        std::vector<std::int32_t>(static_cast<std::size_t>(config.train.sequence + 1)),
                        Status()});
  }
}

Result<std::unique_ptr<DataRehearsal>> DataRehearsal::open(FileSystem& files, Clock& clock,
                                                           const RunConfig& config, std::int64_t vocab_size,
                                                           std::string state_file, ThreadPool& pool) {
  TRY_ASSIGN(data::RunOrder order,
             data::RunOrder::open(files, clock, run_order_options(config, vocab_size), &pool));
  std::unique_ptr<DataRehearsal> rehearsal(
      new DataRehearsal(files, config, std::move(state_file), std::move(order), pool));
  TRY(rehearsal->restore());
  return rehearsal;
}

Status DataRehearsal::restore() {
  if (state_file_.empty() || !files_.exists(state_file_)) {
    return ok_status();
  }
  TRY_ASSIGN(const std::string text, files_.read_text(state_file_));
  const Result<Json> json = parse_json(text, JsonLimits{});
  const auto damaged = [&] { return bad_data(fmt::format("'{}' is no state of a rehearsal", state_file_)); };
  if (!json.ok() || !json->is_object() || !json->contains("step") || !(*json)["step"].is_number_integer() ||
      !json->contains("order") || !(*json)["order"].is_string() || !json->contains("sample_chain") ||
      !(*json)["sample_chain"].is_string()) {
    return damaged();
  }
  if ((*json)["order"].get<std::string>() != order_hash_) {
    return bad_config(
        fmt::format("'{}' is of another order of samples; remove it to begin anew", state_file_));
  }
  step_ = (*json)["step"].get<std::int64_t>();
  TRY_ASSIGN(chain_, data::SampleChain::from_hex((*json)["sample_chain"].get<std::string>()));
  return step_ >= 0 && step_ <= num_steps() ? ok_status() : damaged();
}

Status DataRehearsal::save() {
  TRY(order_.check_unchanged(files_));
  if (state_file_.empty()) {
    return ok_status();
  }
  Json json = Json::object();
  json["step"] = step_;
  json["sample_chain"] = chain_.to_hex();
  json["order"] = order_hash_;
  return files_.replace_text(state_file_, json_to_text(json, 2) + "\n");
}

void DataRehearsal::read_block(Reader& reader, const StepSamples& samples, IndexRange block) {
  for (std::int64_t i = block.begin * microbatch_; i < block.end * microbatch_ && reader.status.ok(); ++i) {
    const data::SamplePlace place = reader.cursor.locate(samples.first + i);
    const Result<std::int64_t> read = order_.source(place.order).read_sample(place.sample, reader.tokens_T1);
    reader.status = read.status();
    samples_[static_cast<std::size_t>(i)] = {place, data::hash_tokens(reader.tokens_T1)};
  }
}

Status DataRehearsal::read_step() {
  const StepSamples samples = schedule_.samples_of(step_ + 1);
  samples_.resize(static_cast<std::size_t>(samples.count));
  const std::int64_t num_microbatches = samples.count / microbatch_;
  pool_.run([&](int rank) {
    read_block(readers_[static_cast<std::size_t>(rank)], samples,
               static_block(num_microbatches, rank, pool_.num_threads()));
  });
  for (const Reader& reader : readers_) {
    TRY(reader.status);
  }
  for (const ReadSample& sample : samples_) {
    chain_.add(sample.place.order, sample.place.sample, sample.hash);
  }
  tokens_read_ += samples.count * (order_.sequence() + 1);
  ++step_;
  return ok_status();
}

}  // namespace cairn::train
