// A tiny training run on a simulated disk, for the tests of this folder.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "data/token_shard_writer.h"
#include "doors/clock.h"
#include "doors/signals.h"
#include "doors/sim_file_system.h"
#include "train/trainer.h"

namespace cairn::train::test {

inline constexpr std::int64_t kVocabulary = 64;

// Documents of 3 to 40 ids, low ids more often, each ended by id 2.
inline void write_shard(FileSystem& files, const std::string& prefix, int num_documents, std::uint64_t seed) {
  Result<data::TokenShardWriter> writer = data::TokenShardWriter::create(files, prefix, kVocabulary);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  RandomStream random(random_key(seed, "trainer fixture"), 0);
  for (int d = 0; d < num_documents; ++d) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(3 + random.next_below(38)));
    for (std::int32_t& id : ids) {
      const double u = random.next_double();
      id = 4 + static_cast<std::int32_t>(u * u * static_cast<double>(kVocabulary - 4));
    }
    ids.push_back(2);
    ASSERT_TRUE(writer->add_document(ids).ok());
  }
  const Status finished = writer->finish();
  ASSERT_TRUE(finished.ok()) << finished.message();
}

inline constexpr std::string_view kRunFile = R"(
[run]
name = "tiny"
folder = "/run"
threads = 1
[model]
type = "apertus"
vocab_size = 64
hidden_size = 16
intermediate_size = 24
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
max_position_embeddings = 32
[data]
eod_loss = true
[data.goldfish]
h = 4
[[data.stage]]
[[data.stage.source]]
path = "/data/train"
[train]
sequence = 16
global_batch = 6
microbatch = 2
samples = 60
[optimizer]
alpha_warmup_steps = 5
beta3_warmup_steps = 5
[schedule]
learning_rate = 0.02
[checkpoint]
every = 3
)";

inline RunConfig tiny_run(const std::vector<std::string>& overrides = {}) {
  Result<RunConfig> config = parse_run_config(kRunFile, "tiny.toml", overrides);
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? *config : RunConfig{};
}

// Signals that come while a step is done: seen from the first step of an attempt on (`after_first_step`), or before it.
class TimedSignals : public Signals {
 public:
  explicit TimedSignals(FileSystem& files) : files_(files) {}
  enum class When : std::uint8_t { kNever, kBeforeStart, kAfterFirstStep };

  void raise(Signal signal, When when) {
    signal_ = signal;
    when_ = when;
  }
  void begin_attempt() { steps_before_ = num_recorded_steps(); }
  int count(Signal signal) const override {
    if (signal != signal_ || when_ == When::kNever) {
      return 0;
    }
    return when_ == When::kBeforeStart || num_recorded_steps() > steps_before_ ? 1 : 0;
  }

 private:
  std::int64_t num_recorded_steps() const {
    const Result<std::string> text = files_.read_text("/run/metrics/train.jsonl");
    return text.ok() ? std::ranges::count(*text, '\n') : 0;
  }

  FileSystem& files_;
  Signal signal_ = Signal::kUser2;
  When when_ = When::kNever;
  std::int64_t steps_before_ = 0;
};

// A machine with a disk that may be crashed.
struct Machine {
  explicit Machine(std::uint64_t seed) : files(seed) {
    EXPECT_TRUE(files.make_directories("/data").ok());
    write_shard(files, "/data/train", 12, 1);
    write_shard(files, "/data/held_out", 4, 2);
    EXPECT_TRUE(files.sync_directory("/data").ok());
    EXPECT_TRUE(files.sync_directory("/").ok());
  }

  TrainerDoors doors() { return {files, clock, signals, log, {"node", 7, clock.wall_ns()}, {}}; }

  // Opens and runs a trainer as one process would. Its last state is left in `state`.
  Status train(const RunConfig& config) {
    clock.advance_ns(kNsPerSecond);  // every start at its own time
    signals.begin_attempt();
    Result<std::unique_ptr<Trainer>> trainer = Trainer::open(config, doors());
    if (!trainer.ok()) {
      return trainer.status();
    }
    const Status status = (*trainer)->run();
    state = (*trainer)->state();
    return status;
  }

  // What the newest good checkpoint holds: "step tensors chain"; "" when there is none.
  std::string newest() {
    const Result<checkpoint::Search> search = checkpoint::find_newest_good(files, "/run/checkpoints", "");
    if (!search.ok() || !search->newest_good) {
      return "";
    }
    const checkpoint::Manifest& manifest = search->newest_good->manifest;
    const auto saved = checkpoint::read_train_state(files, search->newest_good->folder.path);
    return std::to_string(manifest.step) + " " + manifest.tensors_hash.to_hex() + " " +
           (saved.ok() ? saved->sample_chain : saved.status().message());
  }

  SimFileSystem files;
  SimClock clock{1'700'000'000 * kNsPerSecond};
  TimedSignals signals{files};
  Logger log{[this] { return clock.wall_ns(); }};
  checkpoint::TrainState state;
};

}  // namespace cairn::train::test
