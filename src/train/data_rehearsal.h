// Reads the data of a run in its order without training: damage and ids beyond the vocabulary are found before the run
// is started, and the hash chain is that of the training run. Any number of readers share a step's samples as ranks do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/run_order.h"
#include "data/sample_chain.h"
#include "device/thread_pool.h"
#include "doors/file_system.h"
#include "train/run_config.h"
#include "train/run_schedule.h"

namespace cairn::train {

class DataRehearsal {
 public:
  // `state_file` holds step and chain: written as it goes and gone on from when it is there; "" for none. Every thread of the pool is a reader. kBadConfig when the
  // file is that of another order of samples.
  static Result<std::unique_ptr<DataRehearsal>> open(FileSystem& files, Clock& clock, const RunConfig& config,
                                                     std::int64_t vocab_size, std::string state_file,
                                                     ThreadPool& pool);

  std::int64_t step() const { return step_; }  // steps read
  std::int64_t num_steps() const { return schedule_.num_steps(); }
  const data::SampleChain& chain() const { return chain_; }
  std::int64_t tokens_read() const { return tokens_read_; }  // by this process
  // Reads the next step. kBadData and kIo name file and offset.
  Status read_step();
  // Makes step and chain durable, if there is a state file. Refuses when a shard was changed since it was opened.
  Status save();

 private:
  struct Reader {
    data::RunOrderCursor cursor;
    std::vector<std::int32_t> tokens_T1;
    Status status;
  };
  struct ReadSample {
    data::SamplePlace place;
    Hash128 hash;
  };
  DataRehearsal(FileSystem& files, const RunConfig& config, std::string state_file, data::RunOrder order,
                ThreadPool& pool);
  Status restore();
  void read_block(Reader& reader, const StepSamples& samples, IndexRange block);

  FileSystem& files_;
  std::string state_file_;
  std::string order_hash_;  // of what the order depends on
  RunSchedule schedule_;
  std::int64_t microbatch_;
  data::RunOrder order_;
  ThreadPool& pool_;
  std::vector<Reader> readers_;
  std::vector<ReadSample> samples_;  // of the step
  data::SampleChain chain_;
  std::int64_t step_ = 0;
  std::int64_t tokens_read_ = 0;
};

}  // namespace cairn::train
