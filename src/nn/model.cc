#include "nn/model.h"

#include <string>
#include <utility>
#include <vector>

#include "nn/decoder_block.h"
#include "nn/layers.h"
#include "nn/lm_head.h"
#include "nn/rope_frequencies.h"
#include "ops/rope.h"

namespace cairn::nn {

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

  const Memory* memory = nullptr;
  ThreadPool* pool = nullptr;

  void declare(Plan& plan);
  void declare_stream(DeclareContext& ctx);
  RunContext run_context(int slot) const;
  RunContext batch_context(const BatchView& batch, int slot) const;
  // The decoder up to the head's input.
  TensorView run_blocks(const RunContext& run, ConstTensorView ids_N) const;
  LmHead::Targets targets_of(const BatchView& batch, TensorView loss_BT, ConstTensorView dloss_BT) const;
  Shape flat() const { return Shape{shape.batch * shape.sequence}; }
};

void Model::Impl::declare_stream(DeclareContext& ctx) {
  const Shape shape_ND{ctx.num_rows(), config.hidden_size};
  const TensorId last = ctx.add("residual stream", shape_ND, Lifetime::kScratch);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    // Without gradients the stream stays in place: one tensor under all names.
    stream.push_back(
        is_training ? ctx.add("model.layers." + std::to_string(layer) + ".input", shape_ND, Lifetime::kSaved)
                    : last);
  }
  stream.push_back(last);
  if (is_training) {
    dstream = ctx.add("gradient of the residual stream", shape_ND, Lifetime::kSaved);
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
  const bool keeps_all = is_training && shape.save_policy == SavePolicy::kAll;
  ctx.inner = keeps_all ? Lifetime::kSaved : Lifetime::kScratch;

  const std::int64_t table_rows = cache_rows > 0 ? cache_rows : shape.sequence;
  cos = ctx.add("rope.cos", Shape{table_rows, config.head_dim / 2}, Lifetime::kIo);
  sin = ctx.add("rope.sin", Shape{table_rows, config.head_dim / 2}, Lifetime::kIo);
  if (cache_rows > 0) {
    positions = ctx.add("positions", Shape{shape.sequence}, Lifetime::kIo, DType::kInt32);
  }
  workspace = ctx.add("workspace of the ops", Shape{ops::workspace_bytes(shape.num_threads)},
                      Lifetime::kScratch, DType::kUint8);
  embedding = Embedding::declare(ctx, "model.embed_tokens");
  declare_stream(ctx);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    blocks.push_back(DecoderBlock::declare(ctx, "model.layers." + std::to_string(layer) + "."));
  }
  head = LmHead::declare(ctx, embedding);
}

RunContext Model::Impl::run_context(int slot) const {
  CHECK(memory != nullptr, "bind() the model before running it");
  RunContext run{.ops = {*pool, memory->view(workspace)}, .memory = *memory, .slot = slot};
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
  run.positions_N = batch.positions_BT.reshape(flat());
  run.first_key_BT = batch.first_key_BT;
  return run;
}

TensorView Model::Impl::run_blocks(const RunContext& run, ConstTensorView ids_N) const {
  embedding.forward(run, run.rows(stream.front()), ids_N);
  for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
    blocks[layer].forward(run, run.rows(stream[layer + 1]), run.rows(stream[layer]));
  }
  return run.rows(stream.back());
}

LmHead::Targets Model::Impl::targets_of(const BatchView& batch, TensorView loss_BT,
                                        ConstTensorView dloss_BT) const {
  LmHead::Targets targets;
  targets.targets_N = batch.targets_BT.reshape(flat());
  targets.mask_N = batch.loss_mask_BT.reshape(flat());
  targets.loss_N = loss_BT.reshape(flat());
  if (!dloss_BT.is_null()) {
    targets.dloss_N = dloss_BT.reshape(flat());
  }
  return targets;
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
  const RunContext run = impl_->run_context(0);
  const std::vector<float> frequencies = rope_inverse_frequencies(impl_->config.rope, impl_->config.head_dim);
  ops::rope_table(run.ops, memory.view(impl_->cos), memory.view(impl_->sin), frequencies);
}

void Model::forward(const BatchView& batch, int slot, TensorView loss_BT, ConstTensorView dloss_BT) {
  CHECK(impl_->is_training, "forward() needs a training plan");
  CHECK(loss_BT.shape() == batch.tokens_BT.shape() && dloss_BT.shape() == loss_BT.shape(), "loss shape");
  const RunContext run = impl_->batch_context(batch, slot);
  const TensorView last_ND = impl_->run_blocks(run, batch.tokens_BT.reshape(impl_->flat()));
  impl_->head.forward_backward(run, run.rows(impl_->dstream), last_ND,
                               impl_->targets_of(batch, loss_BT, dloss_BT));
}

void Model::backward(const BatchView& batch, int slot) {
  CHECK(impl_->is_training, "backward() needs a training plan");
  const RunContext run = impl_->batch_context(batch, slot);
  const TensorView dstream_ND = run.rows(impl_->dstream);
  for (std::size_t layer = impl_->blocks.size(); layer-- > 0;) {
    const DecoderBlock& block = impl_->blocks[layer];
    const TensorView x_ND = run.rows(impl_->stream[layer]);
    if (impl_->shape.save_policy == SavePolicy::kRecomputeBlock) {
      block.recompute(run, x_ND);
    }
    block.backward(run, dstream_ND, x_ND);
  }
  impl_->embedding.backward_weight(run, dstream_ND, batch.tokens_BT.reshape(impl_->flat()));
}

void Model::evaluate(const BatchView& batch, TensorView loss_BT, TensorView predicted_BT) {
  CHECK(loss_BT.shape() == batch.tokens_BT.shape(), "loss shape");
  const RunContext run = impl_->batch_context(batch, 0);
  const TensorView last_ND = impl_->run_blocks(run, batch.tokens_BT.reshape(impl_->flat()));
  const TensorView predicted_N = predicted_BT.is_null() ? predicted_BT : predicted_BT.reshape(impl_->flat());
  impl_->head.evaluate(run, last_ND, impl_->targets_of(batch, loss_BT, {}), predicted_N);
}

void Model::logits(const BatchView& batch, TensorView logits_NV) {
  const RunContext run = impl_->batch_context(batch, 0);
  const TensorView last_ND = impl_->run_blocks(run, batch.tokens_BT.reshape(impl_->flat()));
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
  const TensorView last_ND = impl_->run_blocks(run, tokens_T);
  impl_->head.logits(run, logits_V.reshape(Shape{1, impl_->config.vocab_size}), last_ND, T - 1);
}

std::int64_t Model::cache_rows() const {
  return impl_->cache_rows;
}

std::int64_t Model::max_decode_rows() const {
  return impl_->shape.sequence;
}

}  // namespace cairn::nn
