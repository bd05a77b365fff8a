#include "train/start_times.h"

namespace cairn::train {

void StartTimes::end(std::string phase, double now_s) {
  fields_.emplace_back(std::move(phase) + "_s", now_s - before_s_);
  before_s_ = now_s;
}

void StartTimes::log(Logger& log) const {
  constexpr int kDigits = 3;
  std::vector<LogField> fields = {{"start_s", total_s(), kDigits}};
  for (const auto& [key, seconds] : fields_) {
    fields.emplace_back(key, seconds, kDigits);
  }
  log.log(LogLevel::kInfo, "first step done", fields);
}

std::string StartTimes::documentation() {
  return R"(## The start

Once per start, after its first step, a record `first step done` in `RUN/logs` and on standard error: `start_s`, seconds since
the first input was read, and in their order the parts of it:

| field | what |
|---|---|
| `inputs_s` | run file's inputs (tokenizer, model configuration) and the plan of the memory |
| `device_s` | what was left to wait for the GPU: it is opened beside the inputs, and cuBLASLt loaded beside that |
| `data_s` | token shards and the order of samples; read from `data.cache` where they were made before |
| `memory_s` | the run folder's lock, arenas, workers; on a CPU its peak is measured |
| `weights_s` | initial weights drawn on the device, or weights and moments read |
| `folder_s` | first files in the run folder |
| `attention_s` | on a GPU: what was left to wait for the plans of attention over whole sequences, made beside all since `device_s`: read from `RUN/cache` or compiled; those of packed documents are waited for in the first step |
| `products_s` | on a GPU: the first batch, and choices of matrix products read from `RUN/cache`, or tuned |
| `first_step_s` | the first step; on a GPU its kernels are loaded and its graphs recorded |
)";
}

}  // namespace cairn::train
