// A tiny model with optimizer state, a run folder and the checks that tests of src/checkpoint share.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "checkpoint/file_io.h"
#include "checkpoint/reader.h"
#include "checkpoint/run_folder.h"
#include "checkpoint/writer.h"

namespace cairn::checkpoint::testing {

inline constexpr std::string_view kConfigText = "{\n  \"model_type\": \"tiny\"\n}\n";
inline const std::string kRunPath = "/data/run";
inline constexpr std::string_view kTokenizerText = "{\"tokenizer\": true}\n";

inline Holder holder(std::int64_t process_id = 7) {
  return {"node1", process_id, 1'700'000'000'000'000'000 + process_id};
}

// Owns named float32 tensors; the same seed and names give the same values.
class Tensors {
 public:
  Tensors(std::string_view group, std::uint64_t seed) {
    add(group, seed, "model.embed_tokens.weight", {7, 4});
    add(group, seed, "model.layers.0.mlp.act_fn.alpha_p", {1});
    add(group, seed, "model.layers.0.mlp.down_proj.weight", {4, 6});
    add(group, seed, "model.norm.weight", {4});
    add(group, seed, "lm_head.weight", {7, 4});
  }
  std::vector<NamedTensor> views() const {
    std::vector<NamedTensor> views;
    for (const Entry& entry : entries_) {
      views.push_back({entry.name, make_const_view(std::span(entry.values), entry.shape)});
    }
    return views;
  }
  std::vector<NamedTarget> targets() {
    std::vector<NamedTarget> targets;
    for (Entry& entry : entries_) {
      targets.push_back({entry.name, make_view(std::span(entry.values), entry.shape)});
    }
    return targets;
  }
  std::vector<float>& values(std::size_t index) { return entries_[index].values; }
  bool has_same_bits(const Tensors& other) const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const std::vector<float>& a = entries_[i].values;
      const std::vector<float>& b = other.entries_[i].values;
      if (a.size() != b.size() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) != 0) {
        return false;
      }
    }
    return true;
  }

 private:
  struct Entry {
    std::string name;
    Shape shape;
    std::vector<float> values;
  };
  void add(std::string_view group, std::uint64_t seed, const std::string& name, Shape shape) {
    RandomStream random(random_key(seed, std::string(group) + name), 0);
    Entry entry{name, shape, std::vector<float>(static_cast<std::size_t>(shape.num_elements()))};
    for (float& value : entry.values) {
      value = random.next_float() - 0.5F;
    }
    entries_.push_back(std::move(entry));
  }
  std::vector<Entry> entries_;
};

// Weights, two moments and the state of one step. The values depend on the step alone.
struct TrainerState {
  explicit TrainerState(std::int64_t step)
      : weights("weights", static_cast<std::uint64_t>(step)),
        exp_avg("exp_avg", static_cast<std::uint64_t>(step)),
        exp_avg_sq("exp_avg_sq", static_cast<std::uint64_t>(step)) {
    state.step = step;
    state.consumed_samples = 4 * step;
    state.consumed_tokens = 64 * step;
    state.optimizer_step = step;
    state.seed = 18'000'000'000'000'000'000U;
    state.stages = {{0,
                     4 * step,
                     16,
                     {{"a.bin", 3.0, 0, 3 * step, 1234, 4000, 2}, {"b.bin", 1.0, 7, step, 1234, 4000, 1}}}};
    state.sample_chain = "0123456789abcdef0123456789abcdef";
    state.config_hash = "c0ffee";
    state.schedule = {"wsd", 3e-4, 1000, 10, 100};
    state.tokenizer_fingerprint = "feed";
    state.data_fingerprints = {{"a.bin", "aa"}, {"b.bin", "bb"}};
    state.elapsed_s = 0.1 * static_cast<double>(step);
  }
  Snapshot snapshot(const RunFolder& run) const {
    Snapshot snapshot;
    snapshot.model_files.config_json = kConfigText;
    snapshot.model_files.generation_config_json = "{}\n";
    snapshot.model_files.tokenizer_files = {{"tokenizer.json", std::string(kTokenizerText)}};
    snapshot.model_files.buffers = buffers();
    snapshot.weights = weights.views();
    snapshot.moments = {{"exp_avg", exp_avg.views()}, {"exp_avg_sq", exp_avg_sq.views()}};
    snapshot.state = state;
    snapshot.state.run_id = run.run_id();
    return snapshot;
  }
  static std::vector<nn::Buffer> buffers() {
    return {{"model.layers.0.mlp.act_fn.beta", 0.5F}, {"model.layers.0.mlp.act_fn.eps", -1e-6F}};
  }

  Tensors weights, exp_avg, exp_avg_sq;
  TrainState state;
};

inline void write_text(FileSystem& files, const std::string& path, std::string_view text) {
  const Status status = files.replace_text(path, text);
  ASSERT_TRUE(status.ok()) << status.message();
}

// The folder of a run whose attempt has begun.
inline Result<RunFolder> begin_run(FileSystem& files, const std::string& path, const Holder& holder) {
  TRY_ASSIGN(RunFolder run, RunFolder::open(files, path, holder));
  TRY(run.begin_attempt());
  return run;
}

inline Status save_step(FileSystem& files, RunFolder& run, std::int64_t step,
                        const SaveOptions& options = {}) {
  const TrainerState trainer(step);
  return save_checkpoint(files, run, trainer.snapshot(run), options);
}

inline std::string step_path(std::int64_t step) {
  return kRunPath + "/checkpoints/" + step_folder_name(step);
}

// Restores a checkpoint and compares every bit and the state with what a trainer of that step had.
inline void expect_restores(FileSystem& files, const std::string& path, std::int64_t step) {
  const TrainerState expected(step);
  TrainerState restored(step + 1);
  ASSERT_FALSE(expected.weights.has_same_bits(restored.weights));
  const std::vector<MomentTargets> moments = {{"exp_avg", restored.exp_avg.targets()},
                                              {"exp_avg_sq", restored.exp_avg_sq.targets()}};
  const Status status =
      restore_tensors(files, path, restored.weights.targets(), TrainerState::buffers(), moments);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(expected.weights.has_same_bits(restored.weights));
  EXPECT_TRUE(expected.exp_avg.has_same_bits(restored.exp_avg));
  EXPECT_TRUE(expected.exp_avg_sq.has_same_bits(restored.exp_avg_sq));
  auto state = read_train_state(files, path);
  ASSERT_TRUE(state.ok()) << state.status().message();
  TrainState wanted = expected.state;
  wanted.run_id = state->run_id;
  EXPECT_TRUE(*state == wanted);
}

}  // namespace cairn::checkpoint::testing
