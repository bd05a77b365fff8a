#include "serve/parity.h"

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/faults.h"
#include "checkpoint/hf_folder.h"
#include "device/memory.h"
#include "device/thread_pool.h"
#include "formats/safetensors.h"
#include "nn/model.h"
#include "tensor/plan.h"

namespace cairn::serve {
namespace {

constexpr std::int64_t kIgnoredLabel = -100;

// What the inputs file says, checked against the model.
struct Inputs {
  std::int64_t B = 0;
  std::int64_t T = 0;
  std::vector<std::int64_t> input_ids;
  std::vector<std::int64_t> labels;            // empty without labels
  std::vector<std::int64_t> document_lengths;  // (B, documents) or empty
  std::int64_t documents_per_row = 0;
  bool has_labels() const { return !labels.empty(); }
};

class InputsReader {
 public:
  InputsReader(const SafetensorsFile& file, const nn::ModelConfig& config, bool needs_labels)
      : file_(file), config_(config), needs_labels_(needs_labels) {}
  Result<Inputs> read();

 private:
  // The elements of an int64 tensor; empty after a fault.
  std::vector<std::int64_t> read_int64(const SafetensorsInfo& info);
  void read_input_ids();
  void read_labels();
  void read_document_lengths();
  void check_document_sums();
  void fault(std::string_view name, std::string value, std::string reason, std::string fix) {
    faults_.add(fmt::format("tensor '{}'", name), std::move(value), std::move(reason), std::move(fix));
  }
  // The first element outside [0, V) that is not `allowed`.
  void check_ids(std::string_view name, std::span<const std::int64_t> ids,
                 std::optional<std::int64_t> allowed);

  const SafetensorsFile& file_;
  const nn::ModelConfig& config_;
  bool needs_labels_;
  Faults faults_;
  Inputs inputs_;
};

std::vector<std::int64_t> InputsReader::read_int64(const SafetensorsInfo& info) {
  if (info.dtype != DType::kInt64) {
    fault(info.name, std::string(dtype_name(info.dtype)), "has the wrong dtype", "store it as I64");
    return {};
  }
  std::vector<std::int64_t> values(static_cast<std::size_t>(info.shape.num_elements()));
  const Status status = file_.read(info.name, make_view(std::span(values), info.shape));
  if (!status.ok()) {
    fault(info.name, "", status.message(), "write the file again");
    return {};
  }
  return values;
}

void InputsReader::check_ids(std::string_view name, std::span<const std::int64_t> ids,
                             std::optional<std::int64_t> allowed) {
  std::int64_t count = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if ((ids[i] < 0 || ids[i] >= config_.vocab_size) && ids[i] != allowed) {
      first = count == 0 ? i : first;
      ++count;
    }
  }
  if (count > 0) {
    fault(name, std::to_string(ids[first]),
          fmt::format("at element {} is outside the vocabulary ({} such)", first, count),
          fmt::format("give 0 to {}{}", config_.vocab_size - 1, allowed ? ", or -100 for no label" : ""));
  }
}

void InputsReader::read_input_ids() {
  const SafetensorsInfo* info = file_.find("input_ids");
  if (info == nullptr) {
    fault("input_ids", "", "is missing", "store the tokens as input_ids, I64 [B, T]");
    return;
  }
  if (info->shape.rank() != 2 || info->shape.num_elements() == 0) {
    fault("input_ids", info->shape.to_string(), "is not [B, T]", "give two dims, none of them 0");
    return;
  }
  if (info->shape.dim(1) > config_.max_position_embeddings) {
    fault("input_ids", info->shape.to_string(),
          fmt::format("is longer than max_position_embeddings ({})", config_.max_position_embeddings),
          "give shorter rows");
    return;
  }
  inputs_.B = info->shape.dim(0);
  inputs_.T = info->shape.dim(1);
  inputs_.input_ids = read_int64(*info);
  check_ids("input_ids", inputs_.input_ids, std::nullopt);
}

void InputsReader::read_labels() {
  const SafetensorsInfo* info = file_.find("labels");
  if (info == nullptr) {
    if (needs_labels_) {
      fault("labels", "", "is missing; gradients are those of the loss", "store labels, I64 [B, T]");
    }
    return;
  }
  if (inputs_.B > 0 && !(info->shape == Shape{inputs_.B, inputs_.T})) {
    fault("labels", info->shape.to_string(), "has not the shape of input_ids", "give one label per position");
    return;
  }
  inputs_.labels = read_int64(*info);
  check_ids("labels", inputs_.labels, kIgnoredLabel);
}

void InputsReader::read_document_lengths() {
  const SafetensorsInfo* info = file_.find("document_lengths");
  if (info == nullptr || inputs_.B == 0) {
    return;
  }
  const bool is_shared = info->shape.rank() == 1;
  if (info->shape.num_elements() == 0 ||
      !(is_shared || (info->shape.rank() == 2 && info->shape.dim(0) == inputs_.B))) {
    fault("document_lengths", info->shape.to_string(), "is neither [documents] nor [B, documents]",
          "give one list for all rows or one per row, padded with 0");
    return;
  }
  const std::vector<std::int64_t> lengths = read_int64(*info);
  if (lengths.empty()) {
    return;
  }
  inputs_.documents_per_row = info->shape.dim(-1);
  for (std::int64_t row = 0; row < (is_shared ? inputs_.B : 1); ++row) {
    inputs_.document_lengths.insert(inputs_.document_lengths.end(), lengths.begin(), lengths.end());
  }
  check_document_sums();
}

void InputsReader::check_document_sums() {
  for (std::int64_t row = 0; row < inputs_.B; ++row) {
    std::int64_t left = inputs_.T;
    bool is_ended = false;
    for (std::int64_t d = 0; d < inputs_.documents_per_row; ++d) {
      const std::int64_t length =
          inputs_.document_lengths[static_cast<std::size_t>(row * inputs_.documents_per_row + d)];
      if (length < 0 || length > left || (is_ended && length != 0)) {
        fault("document_lengths", std::to_string(length),
              fmt::format("cannot be document {} of row {}", d, row),
              "lengths are positive, sum to T, and only padding (0) follows the last");
        return;
      }
      is_ended = length == 0;
      left -= length;
    }
    if (left != 0) {
      fault("document_lengths", std::to_string(inputs_.T - left), fmt::format("is the sum of row {}", row),
            fmt::format("the lengths of a row sum to T = {}", inputs_.T));
      return;
    }
  }
}

Result<Inputs> InputsReader::read() {
  read_input_ids();
  read_labels();
  read_document_lengths();
  if (!faults_.empty()) {
    return faults_.to_status(StatusCode::kBadData, file_.path() + ":");
  }
  return std::move(inputs_);
}

// The planned model and batch of one run.
class ParityRun {
 public:
  ParityRun(const Inputs& inputs, const nn::ModelConfig& config, const ParityRequest& request);
  Status prepare(const checkpoint::HfFolder& folder);
  Result<ParityResult> compute();
  Status write(FileSystem& files) const;

 private:
  TensorId declare(const char* name, Shape shape, DType dtype) {
    return plan_.add({name, shape, dtype, Lifetime::kIo});
  }
  void fill_batch();
  void fill_documents(std::int64_t row);
  // Where the host reads and writes the tensor.
  TensorView on_host(TensorId id) const { return (mirror_ ? *mirror_ : *memory_).view(id); }
  Status open_memory();
  Status finish();
  BatchView batch() const;
  std::vector<SafetensorsEntry> entries() const;

  const Inputs& inputs_;
  const ParityRequest& request_;
  ThreadPool pool_;
  Plan plan_;
  std::unique_ptr<CudaDevice> device_;  // null on the CPU
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<Memory> mirror_;  // of what files are read into and written from; null on the CPU
  nn::Model model_;
  TensorId tokens_, targets_, mask_, positions_, first_key_, loss_BT_, dloss_BT_, logits_, loss_;
  std::int64_t num_predicted_ = 0;
};

ParityRun::ParityRun(const Inputs& inputs, const nn::ModelConfig& config, const ParityRequest& request)
    : inputs_(inputs), request_(request), pool_(request.num_threads) {
  nn::ModelShape shape;
  shape.batch = inputs.B;
  shape.sequence = inputs.T;
  shape.num_threads = request.num_threads;
  shape.device = request.device;
  shape.compute = request.dtype;
  model_ = request.with_gradients ? nn::Model::declare_training(config, shape, plan_)
                                  : nn::Model::declare_evaluation(config, shape, plan_);
  const Shape shape_BT{inputs.B, inputs.T};
  tokens_ = declare("tokens", shape_BT, DType::kInt32);
  targets_ = declare("targets", shape_BT, DType::kInt32);
  mask_ = declare("loss mask", shape_BT, DType::kFloat32);
  positions_ = declare("positions", shape_BT, DType::kInt32);
  first_key_ = declare("first key", shape_BT, DType::kInt32);
  loss_BT_ = declare("losses", shape_BT, DType::kFloat32);
  dloss_BT_ = declare("gradient by the losses", shape_BT, DType::kFloat32);
  const Lifetime computed = request.device == DeviceKind::kCpu ? Lifetime::kIo : Lifetime::kSaved;
  logits_ = plan_.add({"logits", Shape{inputs.B, inputs.T, config.vocab_size}, DType::kFloat32, computed});
  loss_ = declare("loss", Shape{}, DType::kFloat32);
  plan_.seal(1);
}

Status ParityRun::open_memory() {
  if (request_.device == DeviceKind::kCpu) {
    TRY_ASSIGN(Memory memory, Memory::create(plan_));
    memory_ = std::make_unique<Memory>(std::move(memory));
    return ok_status();
  }
  TRY_ASSIGN(device_, CudaDevice::open(0));
  TRY_ASSIGN(Memory memory, Memory::create_on(*device_, plan_));
  memory_ = std::make_unique<Memory>(std::move(memory));
  TRY_ASSIGN(Memory mirror,
             Memory::create_mirror(plan_, {Lifetime::kParameter, Lifetime::kGradient, Lifetime::kSaved}));
  mirror_ = std::make_unique<Memory>(std::move(mirror));
  return ok_status();
}

Status ParityRun::prepare(const checkpoint::HfFolder& folder) {
  TRY(open_memory());
  model_.bind(*memory_, pool_);
  TRY(checkpoint::load_weights(folder, model_.parameters(), model_.buffers(), mirror_ ? *mirror_ : *memory_));
  if (mirror_) {
    TRY(memory_->upload(Lifetime::kParameter, *mirror_));
  }
  model_.round_weights();
  fill_batch();
  return ok_status();
}

void ParityRun::fill_documents(std::int64_t row) {
  const auto positions = memory_->view(positions_).rows(row, 1).span<std::int32_t>();
  const auto first_key = memory_->view(first_key_).rows(row, 1).span<std::int32_t>();
  std::size_t t = 0;
  for (std::int64_t d = 0; d < inputs_.documents_per_row; ++d) {
    const std::size_t start = t;
    const std::int64_t length =
        inputs_.document_lengths[static_cast<std::size_t>(row * inputs_.documents_per_row + d)];
    for (; t < start + static_cast<std::size_t>(length); ++t) {
      first_key[t] = static_cast<std::int32_t>(start);
      if (request_.positions == PackedPositions::kRestart) {
        positions[t] = static_cast<std::int32_t>(t - start);
      }
    }
  }
}

void ParityRun::fill_batch() {
  const auto tokens = memory_->view(tokens_).span<std::int32_t>();
  const auto targets = memory_->view(targets_).span<std::int32_t>();
  const auto mask = memory_->view(mask_).span<float>();
  const auto positions = memory_->view(positions_).span<std::int32_t>();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<std::int32_t>(inputs_.input_ids[i]);
    positions[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(inputs_.T));
    if (inputs_.has_labels() && inputs_.labels[i] != kIgnoredLabel) {
      targets[i] = static_cast<std::int32_t>(inputs_.labels[i]);
      mask[i] = 1.0F;
      ++num_predicted_;
    }
  }
  for (std::int64_t row = 0; row < inputs_.B; ++row) {
    fill_documents(row);
  }
  const auto dloss = memory_->view(dloss_BT_).span<float>();
  for (std::size_t i = 0; i < dloss.size(); ++i) {
    dloss[i] = num_predicted_ > 0 ? mask[i] / static_cast<float>(num_predicted_) : 0.0F;
  }
}

BatchView ParityRun::batch() const {
  return {memory_->view(tokens_), memory_->view(targets_), memory_->view(mask_), memory_->view(positions_),
          memory_->view(first_key_)};
}

// Waits for the GPU and brings back what is written.
Status ParityRun::finish() {
  if (!mirror_) {
    return ok_status();
  }
  TRY(device_->synchronize());
  TRY(memory_->download(Lifetime::kSaved, *mirror_));
  return memory_->download(Lifetime::kGradient, *mirror_);
}

Result<ParityResult> ParityRun::compute() {
  const TensorView logits = memory_->view(logits_);
  model_.logits(batch(), logits.reshape(Shape{inputs_.B * inputs_.T, logits.dim(2)}));
  ParityResult result{inputs_.B, inputs_.T, num_predicted_, std::nullopt};
  if (!inputs_.has_labels()) {
    TRY(finish());
    return result;
  }
  const TensorView losses = memory_->view(loss_BT_);
  if (request_.with_gradients) {
    model_.forward(batch(), 0, losses, memory_->view(dloss_BT_));
    model_.backward(batch(), 0);
  } else {
    model_.evaluate(batch(), losses, {});
  }
  TRY(finish());
  double sum = 0.0;
  for (const float loss : losses.span<float>()) {
    sum += static_cast<double>(loss);
  }
  result.loss = num_predicted_ > 0 ? sum / static_cast<double>(num_predicted_) : 0.0;
  *memory_->view(loss_).data<float>() = static_cast<float>(*result.loss);
  return result;
}

std::vector<SafetensorsEntry> ParityRun::entries() const {
  std::vector<SafetensorsEntry> entries;
  entries.push_back({"logits", on_host(logits_), std::nullopt});
  if (inputs_.has_labels()) {
    entries.push_back({"loss", memory_->view(loss_), std::nullopt});
  }
  if (request_.with_gradients) {
    for (const nn::Parameter& parameter : model_.parameters()) {
      entries.push_back({"grad." + parameter.name, on_host(parameter.gradient), std::nullopt});
    }
  }
  return entries;
}

Status ParityRun::write(FileSystem& files) const {
  const std::vector<SafetensorsEntry> tensors = entries();
  TRY_ASSIGN(const std::unique_ptr<WritableFile> file, files.create(request_.output_path));
  Status status = write_safetensors(*file, tensors, {});
  if (status.ok()) {
    status = file->sync();
  }
  const Status closed = file->close();
  if (status.ok()) {
    status = closed;
  }
  if (!status.ok()) {
    // Ours and broken: nobody should find half a file. The first error is the one to report.
    static_cast<void>(files.remove_file(request_.output_path));
  }
  return status;
}

}  // namespace

Result<ParityResult> run_parity(FileSystem& files, const ParityRequest& request) {
  if (files.exists(request.output_path)) {
    return cannot_write(fmt::format("{} exists already; parity never overwrites", request.output_path));
  }
  TRY_ASSIGN(const checkpoint::HfFolder folder, checkpoint::HfFolder::open(files, request.model_path));
  auto config = nn::model_config_from_json(folder.config_text());
  if (!config.ok()) {
    return config.status().with_context(request.model_path);
  }
  TRY_ASSIGN(const SafetensorsFile file, SafetensorsFile::open(files, request.inputs_path));
  TRY_ASSIGN(const Inputs inputs, InputsReader(file, *config, request.with_gradients).read());
  ParityRun run(inputs, *config, request);
  TRY(run.prepare(folder));
  TRY_ASSIGN(const ParityResult result, run.compute());
  TRY(run.write(files));
  return result;
}

}  // namespace cairn::serve
