#include "nn/model.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "device/cuda_graph.h"
#include "nn/decoder_block.h"
#include "nn/layers.h"
#include "nn/lm_head.h"
#include "nn/rope_frequencies.h"
#include "ops/elementwise.h"
#include "ops/rope.h"

namespace cairn::nn {
namespace {

// Columns of the tables of documents that attention is prepared for.
constexpr std::array<std::int64_t, 3> kDocumentTables = {32, 128, 512};

// Documents in (B, T) rows that each say where their own document starts; 0 when they say something else.
std::int64_t count_documents(const ConstTensorView& first_key_BT) {
  const auto* const first_key = first_key_BT.data<std::int32_t>();
  const std::int64_t T = first_key_BT.dim(1);
  std::int64_t count = 0;
  for (std::int64_t b = 0; b < first_key_BT.dim(0); ++b) {
    std::int32_t start = 0;
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int32_t first = first_key[b * T + t];
      const bool starts = first == t;
      if (!starts && first != start) {
        return 0;
      }
      count += starts ? 1 : 0;
      start = first;
    }
  }
  return count;
}

// For a table of E columns, or rows without documents. Of the workspace that attention will have it tells the size.
std::string prepare_attention(CudaDevice& device, ThreadPool& workers, const ModelShape& shape,
                              const ops::AttentionDims& dims, std::int64_t E) {
  const std::int64_t bytes = std::max(
      ops::kCudaWorkspaceBytes, ops::attention_workspace_bytes(dims, shape.compute, shape.deterministic));
  const ops::OpContext ctx{workers, TensorView(nullptr, Shape{bytes}, DType::kUint8, DeviceKind::kCuda),
                           &device, shape.deterministic};
  return ops::attention_prepare(ctx, dims, shape.compute, E);
}

}  // namespace

struct Model::Impl {
  ModelConfig config;
  ModelShape shape;
  std::vector<Parameter> parameters;
  std::vector<Buffer> buffers;
  std::int64_t cache_rows = 0;
  bool is_training = false;

  Embedding embedding;
  std::vector<DecoderBlock> blocks;
  LmHead head;
  std::vector<TensorId> stream;  // (N, D) inputs of the blocks and, last, the input of the head
  TensorId dstream;              // (N, D) gradient of the residual stream, from the head's backward on
  TensorId cos, sin;             // (P, C/2)
  TensorId positions;            // decoding: (T) int32
  TensorId workspace;
  // On a GPU: the parts of a batch that many kernels read.
  TensorId staged_ids, staged_positions, staged_first_key;
  TensorId staged_documents;  // the largest table of documents; invalid where sums have a fixed order
  TensorId staged_targets, staged_loss_mask, staged_dloss, staged_loss;
  bool is_prepared = false;
  Fp8Layers fp8;

  // The work of a phase on one slot differs by its mask alone once a batch is staged.
  enum class Phase : std::uint8_t { kForward, kBackward };
  using GraphKey = std::tuple<Phase, int, bool,
                              std::int64_t>;  // slot, whether rows have first keys, columns of their table
  struct Recording {
    bool is_refused = false;  // the driver cannot record it: it runs as it is
    std::unique_ptr<CudaGraph> graph;
  };
  std::map<GraphKey, Recording> recordings;

  const Memory* memory = nullptr;
  ThreadPool* pool = nullptr;

  void declare(Plan& plan);
  void declare_stream(DeclareContext& ctx);
  void declare_blocks(DeclareContext& ctx);
  RunContext run_context(int slot) const;
  RunContext batch_context(const BatchView& batch, int slot) const;
  bool is_on_gpu() const { return shape.device == DeviceKind::kCuda; }
  void tell_layer(int layer) const {
    if (is_on_gpu()) {
      memory->device()->set_layer(layer);
    }
  }
  void stage(const BatchView& batch, int slot) const;
  ops::AttentionDims attention_dims() const;
  ops::AttentionMask staged_mask(const RunContext& run, const BatchView& batch) const;
  template <class Work>
  void run_recorded(Phase phase, const RunContext& run, const Work& work);
  void fill_rope_tables() const;
  // The decoder up to the head's input.
  TensorView run_blocks(const RunContext& run) const;
  void run_backward(const RunContext& run) const;
  // Of a batch: its own tensors on the CPU, copies of them on a GPU, where fetch_losses() brings the losses back.
  LmHead::Targets targets_of(const RunContext& run, const BatchView& batch, TensorView loss_BT,
                             ConstTensorView dloss_BT) const;
  void fetch_losses(const RunContext& run, TensorView loss_BT) const;
  Shape flat() const { return Shape{shape.batch * shape.sequence}; }
};

void Model::Impl::declare_stream(DeclareContext& ctx) {
  const Shape shape_ND{ctx.num_rows(), config.hidden_size};
  const TensorId last = ctx.add_activation("residual stream", shape_ND, Lifetime::kScratch);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    // Without gradients the stream stays in place: one tensor under all names.
    stream.push_back(is_training ? ctx.add_activation("model.layers." + std::to_string(layer) + ".input",
                                                      shape_ND, Lifetime::kSaved)
                                 : last);
  }
  stream.push_back(last);
  if (is_training) {
    dstream = ctx.add_activation("gradient of the residual stream", shape_ND, Lifetime::kSaved);
  }
}

void Model::Impl::declare(Plan& plan) {
  CHECK(shape.batch >= 1 && shape.sequence >= 1 && shape.num_threads >= 1, "model shape");
  CHECK(check_model_config(config, "").empty(), "an invalid model configuration reached the model");
  DeclareContext ctx{.plan = plan, .config = config, .parameters = parameters, .buffers = buffers};
  ctx.B = shape.batch;
  ctx.T = shape.sequence;
  ctx.cache_rows = cache_rows;
  ctx.with_gradients = is_training;
  const bool keeps_inner = is_training && shape.save_policy != SavePolicy::kFull;
  ctx.inner = keeps_inner ? Lifetime::kSaved : Lifetime::kScratch;
  ctx.remakes = is_training && shape.save_policy == SavePolicy::kSelective;

  ctx.compute = shape.compute;
  ctx.is_on_gpu = is_on_gpu();
  CHECK(is_on_gpu() || shape.compute == DType::kFloat32, "the CPU computes in float32");
  const std::int64_t table_rows = cache_rows > 0 ? cache_rows : shape.sequence;
  // Beside the activations where io is not the memory that kernels work in.
  const Lifetime fixed = is_on_gpu() ? Lifetime::kSaved : Lifetime::kIo;
  cos = ctx.add("rope.cos", Shape{table_rows, config.head_dim / 2}, fixed);
  sin = ctx.add("rope.sin", Shape{table_rows, config.head_dim / 2}, fixed);
  if (cache_rows > 0) {
    positions = ctx.add("positions", Shape{shape.sequence}, Lifetime::kIo, DType::kInt32);
  }
  if (is_on_gpu()) {
    CHECK(cache_rows == 0, "decoding runs on the CPU");
    const Shape shape_BT{shape.batch, shape.sequence};
    staged_ids = ctx.add("tokens", flat(), Lifetime::kSaved, DType::kInt32);
    staged_positions = ctx.add("positions", flat(), Lifetime::kSaved, DType::kInt32);
    staged_first_key = ctx.add("first key", shape_BT, Lifetime::kSaved, DType::kInt32);
    staged_targets = ctx.add("targets", flat(), Lifetime::kSaved, DType::kInt32);
    staged_loss_mask = ctx.add("loss mask", flat(), Lifetime::kSaved);
    staged_loss = ctx.add("losses", flat(), Lifetime::kSaved);
    if (is_training) {
      staged_dloss = ctx.add("gradient of the losses", flat(), Lifetime::kSaved);
    }
    if (!shape.deterministic && shape.compute == DType::kBFloat16) {
      staged_documents =
          ctx.add("documents", Shape{4, kDocumentTables.back()}, Lifetime::kSaved, DType::kInt32);
    }
  }
  const std::int64_t workspace_size =
      is_on_gpu() ? ops::kCudaWorkspaceBytes : ops::workspace_bytes(shape.num_threads);
  workspace = ctx.add("workspace of the ops", Shape{workspace_size}, Lifetime::kScratch, DType::kUint8);
  embedding = Embedding::declare(ctx, "model.embed_tokens");
  declare_stream(ctx);
  declare_blocks(ctx);
  head = LmHead::declare(ctx, embedding);
}

void Model::Impl::declare_blocks(DeclareContext& ctx) {
  const ScratchScope scope(ctx.plan);
  if (shape.fp8 && is_training) {
    CHECK(is_on_gpu() && shape.compute == DType::kBFloat16,
          "eight-bit products are a GPU's, beside bfloat16");
    fp8.scratch = Fp8Scratch::declare(ctx, std::max({config.hidden_size, config.intermediate_size,
                                                     config.num_attention_heads * config.head_dim}));
    ctx.fp8 = &fp8;
  }
  const std::int64_t attention_bytes =
      is_on_gpu() ? ops::attention_workspace_bytes(attention_dims(), shape.compute, shape.deterministic) : 0;
  ctx.attention_workspace_bytes = attention_bytes > ops::kCudaWorkspaceBytes ? attention_bytes : 0;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    blocks.push_back(DecoderBlock::declare(ctx, "model.layers." + std::to_string(layer) + "."));
  }
  ctx.fp8 = nullptr;
}

RunContext Model::Impl::run_context(int slot) const {
  CHECK(memory != nullptr, "bind() the model before running it");
  RunContext run{.ops = {*pool, memory->view(workspace), memory->device(), shape.deterministic},
                 .memory = *memory,
                 .slot = slot};
  run.cos_PK = memory->view(cos);
  run.sin_PK = memory->view(sin);
  return run;
}

RunContext Model::Impl::batch_context(const BatchView& batch, int slot) const {
  CHECK(cache_rows == 0, "an inference model decodes; it runs no batches");
  const Shape shape_BT{shape.batch, shape.sequence};
  CHECK(batch.tokens_BT.shape() == shape_BT, "batch shape is not the model's");
  RunContext run = run_context(slot);
  run.B = shape.batch;
  run.T = shape.sequence;
  if (is_on_gpu()) {
    run.ids_N = run.view(staged_ids);
    run.positions_N = run.view(staged_positions);
    run.mask = staged_mask(run, batch);
    return run;
  }
  run.ids_N = batch.tokens_BT.reshape(flat());
  run.positions_N = batch.positions_BT.reshape(flat());
  run.mask = batch.first_key_BT;
  return run;
}

void Model::Impl::stage(const BatchView& batch, int slot) const {
  if (!is_on_gpu()) {
    return;
  }
  const RunContext run = run_context(slot);
  ops::copy(run.ops, run.view(staged_ids), batch.tokens_BT.reshape(flat()));
  ops::copy(run.ops, run.view(staged_positions), batch.positions_BT.reshape(flat()));
  ops::copy(run.ops, run.view(staged_first_key), batch.first_key_BT);
  if (const ops::AttentionMask mask = staged_mask(run, batch); !mask.documents_4E.is_null()) {
    const TensorView table = run.view(staged_documents).reshape(Shape{4 * kDocumentTables.back()});
    const std::int64_t E = mask.documents_4E.dim(1);
    ops::attention_documents(run.ops, attention_dims(), table.rows(0, 4 * E).reshape(Shape{4, E}),
                             mask.first_key_BT);
  }
}

ops::AttentionDims Model::Impl::attention_dims() const {
  return {shape.batch,
          shape.sequence,
          shape.sequence,
          config.num_attention_heads,
          config.num_key_value_heads,
          config.head_dim,
          0};
}

// The mask of a batch in host memory as kernels get it: nothing for whole sequences, a table where its documents fit into one.
ops::AttentionMask Model::Impl::staged_mask(const RunContext& run, const BatchView& batch) const {
  const std::int64_t documents = count_documents(batch.first_key_BT);
  if (documents == shape.batch) {
    return {};
  }
  ops::AttentionMask mask(run.view(staged_first_key));
  const auto* const table =
      std::ranges::find_if(kDocumentTables, [&](std::int64_t E) { return documents < E; });
  if (staged_documents.is_valid() && documents > 0 && table != kDocumentTables.end()) {
    const TensorView flat_table = run.view(staged_documents).reshape(Shape{4 * kDocumentTables.back()});
    mask.documents_4E = flat_table.rows(0, 4 * *table).reshape(Shape{4, *table});
  }
  return mask;
}

// On a GPU the work is done as it is the first time, which loads kernels and makes the plans of libraries, and then recorded; from
// the second time on it is launched as a whole.
template <class Work>
void Model::Impl::run_recorded(Phase phase, const RunContext& run, const Work& work) {
  if (!is_on_gpu()) {
    work();
    return;
  }
  const bool has_first_keys = !run.mask.first_key_BT.is_null();
  const std::int64_t E = run.mask.documents_4E.is_null() ? 0 : run.mask.documents_4E.dim(1);
  Recording& recording = recordings[{phase, run.slot, has_first_keys, E}];
  if (recording.graph != nullptr) {
    recording.graph->launch(*memory->device());
    return;
  }
  work();
  if (!recording.is_refused) {
    auto graph = CudaGraph::record(*memory->device(), work);
    recording.is_refused = !graph.ok();
    if (graph.ok()) {
      recording.graph = std::move(*graph);
    }
  }
}

// Computed on the host on either device, so that both rotate by the same bits.
void Model::Impl::fill_rope_tables() const {
  const std::vector<float> frequencies = rope_inverse_frequencies(config.rope, config.head_dim);
  const TensorView cos_PK = memory->view(cos);
  const TensorView sin_PK = memory->view(sin);
  const ops::OpContext on_host{*pool, {}};
  if (!is_on_gpu()) {
    ops::rope_table(on_host, cos_PK, sin_PK, frequencies);
    return;
  }
  const auto count = static_cast<std::size_t>(cos_PK.num_elements());
  std::vector<float> cos_values(count);
  std::vector<float> sin_values(count);
  ops::rope_table(on_host, make_view<float>(cos_values, cos_PK.shape()),
                  make_view<float>(sin_values, sin_PK.shape()), frequencies);
  // From pageable memory: the values are read before the call returns.
  memory->device()->copy_to_device(cos_PK.bytes(), make_view<float>(cos_values, cos_PK.shape()).bytes(),
                                   cos_PK.num_bytes());
  memory->device()->copy_to_device(sin_PK.bytes(), make_view<float>(sin_values, sin_PK.shape()).bytes(),
                                   sin_PK.num_bytes());
}

TensorView Model::Impl::run_blocks(const RunContext& run) const {
  embedding.forward(run, run.rows(stream.front()), run.ids_N);
  for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
    tell_layer(static_cast<int>(layer));
    blocks[layer].forward(run, run.rows(stream[layer + 1]), run.rows(stream[layer]));
  }
  tell_layer(CudaDevice::kNoLayer);
  return run.rows(stream.back());
}

LmHead::Targets Model::Impl::targets_of(const RunContext& run, const BatchView& batch, TensorView loss_BT,
                                        ConstTensorView dloss_BT) const {
  LmHead::Targets targets;
  targets.targets_N = batch.targets_BT.reshape(flat());
  targets.mask_N = batch.loss_mask_BT.reshape(flat());
  targets.loss_N = loss_BT.reshape(flat());
  if (!dloss_BT.is_null()) {
    targets.dloss_N = dloss_BT.reshape(flat());
  }
  if (!is_on_gpu()) {
    return targets;
  }
  // Every block of a kernel waits for them: over the bus that is as long as its work.
  const auto staged = [&](TensorId id, ConstTensorView from) {
    ops::copy(run.ops, run.view(id), from);
    return run.view(id);
  };
  targets.targets_N = staged(staged_targets, targets.targets_N);
  targets.mask_N = staged(staged_loss_mask, targets.mask_N);
  if (!targets.dloss_N.is_null()) {
    targets.dloss_N = staged(staged_dloss, targets.dloss_N);
  }
  targets.loss_N = run.view(staged_loss);
  return targets;
}

void Model::Impl::fetch_losses(const RunContext& run, TensorView loss_BT) const {
  if (is_on_gpu()) {
    ops::copy(run.ops, loss_BT.reshape(flat()), run.view(staged_loss));
  }
}

Model::Model() = default;
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Model Model::declare_training(const ModelConfig& config, const ModelShape& shape, Plan& plan) {
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->shape = shape;
  impl->is_training = true;
  impl->declare(plan);
  return Model(std::move(impl));
}

Model Model::declare_evaluation(const ModelConfig& config, const ModelShape& shape, Plan& plan) {
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->shape = shape;
  impl->declare(plan);
  return Model(std::move(impl));
}

Model Model::declare_inference(const ModelConfig& config, const ModelShape& shape, std::int64_t cache_rows,
                               Plan& plan) {
  CHECK(shape.batch == 1 && cache_rows >= 1, "decoding runs one sequence with a cache");
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->shape = shape;
  impl->cache_rows = cache_rows;
  impl->declare(plan);
  return Model(std::move(impl));
}

const ModelConfig& Model::config() const {
  return impl_->config;
}

std::span<const Parameter> Model::parameters() const {
  return impl_->parameters;
}

std::span<const Buffer> Model::buffers() const {
  return impl_->buffers;
}

void Model::bind(const Memory& memory, ThreadPool& pool) {
  CHECK(pool.num_threads() <= impl_->shape.num_threads, "the plan's workspace is for fewer threads");
  impl_->memory = &memory;
  impl_->pool = &pool;
  CHECK((memory.device() != nullptr) == impl_->is_on_gpu(), "the model was declared for another device");
  impl_->fill_rope_tables();
  if (impl_->is_on_gpu()) {
    prepare(*memory.device());
  }
}

void Model::prepare(CudaDevice& device, std::string stored_plans) {
  if (std::exchange(impl_->is_prepared, true)) {
    return;
  }
  std::vector<std::int64_t> tables = {0};
  if (impl_->staged_documents.is_valid()) {
    tables.insert(tables.end(), kDocumentTables.begin(), kDocumentTables.end());
  }
  if (!stored_plans.empty()) {
    ops::use_attention_plans(device, std::move(stored_plans));
  }
  device.start_thread(
      [&device, shape = impl_->shape, dims = impl_->attention_dims(), tables](const std::stop_token& stop) {
        ThreadPool alone(1);
        for (const std::int64_t E : tables) {
          if (stop.stop_requested()) {
            return;
          }
          prepare_attention(device, alone, shape, dims, E);
        }
      });
}

std::string Model::attention_engine() const {
  if (!impl_->is_on_gpu()) {
    return {};
  }
  return prepare_attention(*impl_->memory->device(), *impl_->pool, impl_->shape, impl_->attention_dims(), 0);
}

void Model::round_weights() {
  const RunContext run = impl_->run_context(0);
  for (const Parameter& parameter : impl_->parameters) {
    if (parameter.compute.is_valid()) {
      ops::cast(run.ops, run.view(parameter.compute), run.view(parameter.weight));
    }
  }
  round_weights_to_fp8();
}

void Model::round_weights_to_fp8() {
  if (impl_->fp8.linears.empty()) {
    return;
  }
  const RunContext run = impl_->run_context(0);
  for (const Fp8Linear& linear : impl_->fp8.linears) {
    linear.round_weight(run);
  }
}

void Model::forward(const BatchView& batch, int slot, TensorView loss_BT, ConstTensorView dloss_BT) {
  CHECK(impl_->is_training, "forward() needs a training plan");
  CHECK(loss_BT.shape() == batch.tokens_BT.shape() && dloss_BT.shape() == loss_BT.shape(), "loss shape");
  impl_->stage(batch, slot);
  const RunContext run = impl_->batch_context(batch, slot);
  const LmHead::Targets targets = impl_->targets_of(run, batch, loss_BT, dloss_BT);
  impl_->run_recorded(Impl::Phase::kForward, run, [&] {
    const TensorView last_ND = impl_->run_blocks(run);
    impl_->head.forward_backward(run, run.rows(impl_->dstream), last_ND, targets);
  });
  impl_->fetch_losses(run, loss_BT);
}

void Model::backward(const BatchView& batch, int slot) {
  CHECK(impl_->is_training, "backward() needs a training plan");
  const RunContext run = impl_->batch_context(batch, slot);
  impl_->run_recorded(Impl::Phase::kBackward, run, [&] { impl_->run_backward(run); });
}

void Model::Impl::run_backward(const RunContext& run) const {
  const TensorView dstream_ND = run.rows(dstream);
  for (std::size_t layer = blocks.size(); layer-- > 0;) {
    tell_layer(static_cast<int>(layer));
    const TensorView x_ND = run.rows(stream[layer]);
    if (shape.save_policy == SavePolicy::kFull) {
      blocks[layer].recompute(run, x_ND);
    }
    blocks[layer].backward(run, dstream_ND, x_ND);
  }
  tell_layer(CudaDevice::kNoLayer);
  embedding.backward_weight(run, dstream_ND, run.ids_N);
}

int Model::num_graphs() const {
  return static_cast<int>(std::ranges::count_if(
      impl_->recordings, [](const auto& item) { return item.second.graph != nullptr; }));
}

void Model::evaluate(const BatchView& batch, TensorView loss_BT, TensorView predicted_BT) {
  CHECK(loss_BT.shape() == batch.tokens_BT.shape(), "loss shape");
  impl_->stage(batch, 0);
  const RunContext run = impl_->batch_context(batch, 0);
  const TensorView last_ND = impl_->run_blocks(run);
  const TensorView predicted_N = predicted_BT.is_null() ? predicted_BT : predicted_BT.reshape(impl_->flat());
  impl_->head.evaluate(run, last_ND, impl_->targets_of(run, batch, loss_BT, {}), predicted_N);
  impl_->fetch_losses(run, loss_BT);
}

void Model::logits(const BatchView& batch, TensorView logits_NV) {
  impl_->stage(batch, 0);
  const RunContext run = impl_->batch_context(batch, 0);
  const TensorView last_ND = impl_->run_blocks(run);
  impl_->head.logits(run, logits_NV, last_ND, 0);
}

void Model::decode(ConstTensorView tokens_T, std::int64_t num_cached, TensorView logits_V) {
  const std::int64_t T = tokens_T.num_elements();
  CHECK(impl_->cache_rows > 0, "decode() needs an inference plan");
  CHECK(T >= 1 && T <= impl_->shape.sequence, "more rows at once than were planned");
  CHECK(num_cached >= 0 && num_cached + T <= impl_->cache_rows, "the key/value cache is full");
  RunContext run = impl_->run_context(0);
  run.T = T;
  run.num_cached = num_cached;
  const TensorView positions = run.view(impl_->positions).rows(0, T);
  for (std::int64_t row = 0; row < T; ++row) {
    positions.data<std::int32_t>()[row] = static_cast<std::int32_t>(num_cached + row);
  }
  run.positions_N = positions;
  run.ids_N = tokens_T;
  const TensorView last_ND = impl_->run_blocks(run);
  impl_->head.logits(run, logits_V.reshape(Shape{1, impl_->config.vocab_size}), last_ND, T - 1);
}

std::int64_t Model::cache_rows() const {
  return impl_->cache_rows;
}

std::int64_t Model::max_decode_rows() const {
  return impl_->shape.sequence;
}

}  // namespace cairn::nn
