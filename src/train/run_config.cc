// The field lists: the one place where keys, units, limits and documentation of the run file are written.
#include "train/run_config.h"

#include <array>
#include <limits>

#include "config/config_reader.h"
#include "config/config_text.h"

namespace cairn::train {
namespace {

template <std::size_t N>
using Names = std::array<std::string_view, N>;

constexpr auto kPositionsMax = static_cast<double>(nn::kPositionsMax);
constexpr auto kBatchMax = static_cast<double>(optim::kBatchMax);
constexpr auto kSeedMax =
    static_cast<double>(std::numeric_limits<std::uint32_t>::max());  // of numpy's generators

}  // namespace

std::span<const std::string_view> enum_names(Positions /*value*/) {
  static constexpr Names<2> kNames = {"continue", "restart"};
  return kNames;
}
std::span<const std::string_view> enum_names(StageOrder /*value*/) {
  static constexpr Names<2> kNames = {"continue", "restart"};
  return kNames;
}
std::span<const std::string_view> enum_names(MixtureRounding /*value*/) {
  static constexpr Names<2> kNames = {"x86", "arm"};
  return kNames;
}
std::span<const std::string_view> enum_names(LossReduction /*value*/) {
  static constexpr Names<2> kNames = {"microbatch", "token"};
  return kNames;
}
std::span<const std::string_view> enum_names(Recompute /*value*/) {
  static constexpr Names<4> kNames = {"none", "selective", "full", "block"};
  return kNames;
}
std::span<const std::string_view> enum_names(OptimizerType /*value*/) {
  static constexpr Names<2> kNames = {"adamw", "ademamix"};
  return kNames;
}
std::span<const std::string_view> enum_names(OptimizerState /*value*/) {
  static constexpr Names<2> kNames = {"device", "host"};
  return kNames;
}
std::span<const std::string_view> enum_names(WeightsDtype /*value*/) {
  static constexpr Names<2> kNames = {"float32", "bfloat16"};
  return kNames;
}
std::span<const std::string_view> enum_names(ComputeDtype /*value*/) {
  static constexpr Names<2> kNames = {"float32", "bfloat16"};
  return kNames;
}
std::span<const std::string_view> enum_names(Fp8 /*value*/) {
  static constexpr Names<2> kNames = {"none", "current"};
  return kNames;
}
std::span<const std::string_view> enum_names(RunDevice /*value*/) {
  static constexpr Names<2> kNames = {"cpu", "cuda"};
  return kNames;
}
std::span<const std::string_view> enum_names(TaskType /*value*/) {
  static constexpr Names<1> kNames = {"pretrain"};
  return kNames;
}
std::span<const std::string_view> enum_names(NonFinitePolicy /*value*/) {
  static constexpr Names<1> kNames = {"stop"};
  return kNames;
}
std::span<const std::string_view> enum_names(ParallelSchedule /*value*/) {
  static constexpr Names<1> kNames = {"none"};
  return kNames;
}
std::span<const std::string_view> enum_names(ZeroStage /*value*/) {
  static constexpr Names<1> kNames = {"none"};
  return kNames;
}

void RunSection::visit_fields(RunSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "name",
       .doc = "What people call this run; it appears in logs and metrics. Empty: the name of the run file "
              "without its folder and ending."},
      self.name);
  visitor.field(
      {.key = "folder",
       .doc = "Where checkpoints, logs and metrics go; created when missing. Relative paths start at the "
              "working directory. Empty: runs/<name>."},
      self.folder);
  visitor.field(
      {.key = "seed",
       .doc = "Seed of the initial weights. Together with the seeds of the data stages it decides every "
              "random number of the run; the same file gives the same bits again.",
       .min = 0},
      self.seed);
  visitor.field(
      {.key = "deterministic",
       .doc = "Same bits on every repetition and on every data- and pipeline-parallel layout. On CPUs the "
              "results are always deterministic, and false changes nothing. On a GPU false lets attention "
              "add in "
              "varying order, which is faster, most of all over packed documents, and tunes the matrix "
              "products at "
              "the first start; true tunes nothing, but uses RUN/cache/product-choices.txt where it was "
              "copied in "
              "from another run."},
      self.deterministic);
  visitor.field(
      {.key = "threads",
       .doc = "Worker threads of the CPU back end; results do not depend on it. 0: every core that this "
              "process may use.",
       .unit = "threads",
       .min = 0,
       .max = 4096},
      self.threads);
  visitor.field({.key = "device",
                 .doc = "Where the model is computed: on the CPU, or on the first CUDA GPU of this machine "
                        "(Hopper: H100, H200, GH200)."},
                self.device);
}

void RopeSection::visit_fields(RopeSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "type",
       .doc = "How rotary frequencies are scaled for long contexts: \"default\" (not at all), \"linear\" "
              "(all divided by factor) or \"llama3\" (low frequencies divided by factor, high ones kept, "
              "the band between blended; what Apertus has from its first step)."},
      self.type);
  visitor.field(
      {.key = "theta",
       .doc = "Base of the rotary frequencies. Apertus: 500000 in pre-training, raised to 12000000 for a "
              "context of 65536.",
       .min = 0,
       .max = nn::kRopeThetaMax,
       .is_min_exclusive = true},
      self.theta);
  visitor.field({.key = "factor",
                 .doc = "By how much slow rotations are slowed down further (linear and llama3).",
                 .min = 1},
                self.factor);
  visitor.field(
      {.key = "low_freq_factor",
       .doc = "llama3: wavelengths above original_max_position_embeddings / low_freq_factor are fully "
              "scaled.",
       .min = 0,
       .is_min_exclusive = true},
      self.low_freq_factor);
  visitor.field(
      {.key = "high_freq_factor",
       .doc = "llama3: wavelengths below original_max_position_embeddings / high_freq_factor are kept. "
              "Must be above low_freq_factor.",
       .min = 0,
       .is_min_exclusive = true},
      self.high_freq_factor);
  visitor.field({.key = "original_max_position_embeddings",
                 .doc = "llama3: the context length that the unscaled frequencies were meant for.",
                 .unit = "tokens",
                 .min = 1,
                 .max = kPositionsMax},
                self.original_max_position_embeddings);
}

// The sizes of a new model.
static void visit_sizes(ModelSection& self, FieldVisitor& visitor) {
  constexpr auto kWidthMax = static_cast<double>(nn::kWidthMax);
  visitor.field(
      {.key = "vocab_size",
       .doc = "Rows of the embedding and of the output head. 0: the number of entries of the tokenizer.",
       .unit = "tokens",
       .min = 0,
       .max = static_cast<double>(nn::kVocabMax)},
      self.vocab_size);
  visitor.field({.key = "hidden_size", .doc = "Width of the residual stream.", .min = 0, .max = kWidthMax},
                self.hidden_size);
  visitor.field(
      {.key = "intermediate_size",
       .doc = "Width of the feed-forward layer. Apertus has a single up projection without a gate, the "
              "other types have a gate beside it.",
       .min = 0,
       .max = kWidthMax},
      self.intermediate_size);
  visitor.field({.key = "num_hidden_layers",
                 .doc = "Decoder blocks.",
                 .unit = "layers",
                 .min = 0,
                 .max = static_cast<double>(nn::kLayersMax)},
                self.num_hidden_layers);
  visitor.field(
      {.key = "num_attention_heads", .doc = "Query heads.", .unit = "heads", .min = 0, .max = kWidthMax},
      self.num_attention_heads);
  visitor.field(
      {.key = "num_key_value_heads",
       .doc = "Key and value heads; each serves num_attention_heads / num_key_value_heads query heads. 0: "
              "as many as query heads.",
       .unit = "heads",
       .min = 0,
       .max = kWidthMax},
      self.num_key_value_heads);
  visitor.field({.key = "head_dim",
                 .doc = "Channels of one head; even, because rotary embedding turns pairs. 0: hidden_size / "
                        "num_attention_heads.",
                 .min = 0,
                 .max = kWidthMax},
                self.head_dim);
  visitor.field({.key = "max_position_embeddings",
                 .doc = "Longest sequence that the exported model promises to handle. 0: train.sequence.",
                 .unit = "tokens",
                 .min = 0,
                 .max = kPositionsMax},
                self.max_position_embeddings);
}

void ModelSection::visit_fields(ModelSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "from",
       .doc = "A Hugging Face model folder (config.json and safetensors) or a checkpoint of another run, "
              "whose architecture and weights the run starts from. Exactly one of from and type is given; "
              "with from all sizes come from the folder."},
      self.from);
  visitor.field(
      {.key = "type",
       .doc = "Architecture of a new model with random weights: apertus, llama, qwen3, mistral or olmo2. "
              "Exactly one of from and type is given."},
      self.type);
  visit_sizes(self, visitor);
  visitor.field({.key = "rms_norm_eps",
                 .doc = "Added to the mean of squares in every RMS norm.",
                 .min = 0,
                 .max = 1,
                 .is_min_exclusive = true},
                self.rms_norm_eps);
  visitor.field(
      {.key = "initializer_range",
       .doc = "Standard deviation of the initial weights; projections into the residual stream are divided "
              "by sqrt(2 layers) besides.",
       .min = 0,
       .max = 10,
       .is_min_exclusive = true},
      self.initializer_range);
  visitor.field({.key = "tie_word_embeddings",
                 .doc = "Whether the output head is the embedding table. Apertus keeps two matrices."},
                self.tie_word_embeddings);
  visitor.table({.key = "rope", .doc = "Rotary position embedding of a new model."}, self.rope);
}

void TokenizerSection::visit_fields(TokenizerSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "file",
       .doc = "The tokenizer.json that the token files were made with. Its size checks the model's "
              "vocabulary, its end-of-document token drives data.eod_loss and document boundaries, and it "
              "is copied into every checkpoint. Empty: the tokenizer of the folder model.from, or none."},
      self.file);
}

void GoldfishSection::visit_fields(GoldfishSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "enabled",
       .doc = "Leave out of the loss a fixed pseudo-random share of the tokens, chosen by the tokens before "
              "them, so that a passage that recurs is never learned by heart."},
      self.enabled);
  visitor.field(
      {.key = "k", .doc = "About one token in k is left out.", .unit = "tokens", .min = 2, .max = 1e6},
      self.k);
  visitor.field(
      {.key = "h",
       .doc = "How many tokens, the predicted one included, decide whether it is left out. The first h - 1 "
              "tokens of a sample are always kept.",
       .unit = "tokens",
       .min = 1,
       .max = 1e6},
      self.h);
}

void SourceSection::visit_fields(SourceSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "path",
       .doc = "Prefix of a token file pair: <path>.bin and <path>.idx, as `cairn data tokenize` writes "
              "them."},
      self.path);
  visitor.field(
      {.key = "weight",
       .doc =
           "Share of this source among the sources of its stage, up to a common factor; a source that is too "
           "small for its share is repeated. Given for all sources of a stage or for none: without weights "
           "they are mixed in proportion to their sizes and read at most once. A single source is repeated "
           "as needed either way.",
       .min = 0,
       .is_min_exclusive = true},
      self.weight);
  visitor.reserved({.key = "field", .doc = "The text field of structured sources."});
}

void StageSection::visit_fields(StageSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "start_samples",
       .doc = "The stage begins when this many samples have been consumed; the first one at 0. It lasts "
              "to the start of the next stage or the end of the run.",
       .unit = "samples",
       .min = 0},
      self.start_samples);
  visitor.field({.key = "seed",
                 .doc = "Seed of the order of documents and samples of the sources that begin in this stage.",
                 .min = 0,
                 .max = kSeedMax},
                self.seed);
  visitor.field(
      {.key = "order",
       .doc =
           "Whether a source that an earlier stage used goes on where that stage left it, in the same order, "
           "so "
           "that nothing is repeated before all of it was read (continue), or every source begins anew with "
           "this stage's seed (restart, as in the Apertus run)."},
      self.order);
  visitor.tables({.key = "source", .doc = "One source of samples of the stage."}, self.source);
}

void DataSection::visit_fields(DataSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "document_mask",
       .doc = "true: no token attends to another document of the same sample. The Apertus run attended "
              "across documents."},
      self.document_mask);
  visitor.field(
      {.key = "positions",
       .doc = "Positions given to rotary embedding: running on through the sample (continue, as the Apertus "
              "run) or from 0 at each document (restart)."},
      self.positions);
  visitor.field(
      {.key = "eod_loss",
       .doc = "Whether the position whose input is the end-of-document token counts in the loss, that is, "
              "whether the first token of the next document is to be predicted. The Apertus run left it "
              "out."},
      self.eod_loss);
  visitor.field({.key = "mixture_rounding",
                 .doc = "How the rule that picks the next source of a mixture is rounded: as Megatron-LM's "
                        "helper compiled for "
                        "x86-64 (x86) or for Arm, whose compilers fuse a multiplication with a subtraction "
                        "(arm, as on GH200 "
                        "nodes). Some ties go another way; set it to that of the run to be replayed."},
                self.mixture_rounding);
  visitor.field(
      {.key = "cache",
       .doc = "Folder for indices that take long to make; runs may share one, best on flash storage. Empty: "
              "<run.folder>/cache."},
      self.cache);
  visitor.table({.key = "goldfish", .doc = "Goldfish loss (Hans et al. 2024, arXiv:2406.10209)."},
                self.goldfish);
  visitor.tables({.key = "stage", .doc = "One stage of the data plan, in the order in which they begin."},
                 self.stage);
}

void RampSection::visit_fields(RampSection& self, FieldVisitor& visitor) {
  visitor.field({.key = "start_batch",
                 .doc = "Samples per step at the beginning. 0: no ramp, every step has global_batch.",
                 .unit = "samples",
                 .min = 0,
                 .max = kBatchMax},
                self.start_batch);
  visitor.field(
      {.key = "increment",
       .doc = "By how much the batch grows at once; divides global_batch - start_batch. With the whole "
              "difference it is one switch at the end of the ramp, as in the Apertus run.",
       .unit = "samples",
       .min = 0,
       .max = kBatchMax},
      self.increment);
  visitor.field({.key = "samples",
                 .doc = "Consumed samples at which the batch reaches global_batch.",
                 .unit = "samples",
                 .min = 0},
                self.samples);
  visitor.field(
      {.key = "decrease_batch_if_needed",
       .doc =
           "true: a batch of the ramp that is no multiple of microbatch is rounded down to one, and the rest "
           "counts as skipped samples in the metrics, as Megatron-LM's decrease-batch-size-if-needed. false: "
           "such a ramp is refused."},
      self.decrease_batch_if_needed);
}

void TrainSection::visit_fields(TrainSection& self, FieldVisitor& visitor) {
  visitor.field({.key = "sequence", .doc = "Length of one sample.", .unit = "tokens", .min = 1, .max = 1e8},
                self.sequence);
  visitor.field({.key = "global_batch",
                 .doc = "Samples per optimizer step, over all ranks and microbatches.",
                 .unit = "samples",
                 .min = 1,
                 .max = kBatchMax},
                self.global_batch);
  visitor.field(
      {.key = "microbatch",
       .doc = "Samples that go through the model at once; divides global_batch. Larger is faster up to a "
              "point and needs more memory for activations. With loss_reduction = \"microbatch\" it also "
              "decides over which tokens the inner mean is taken.",
       .unit = "samples",
       .min = 1,
       .max = 1e6},
      self.microbatch);
  visitor.field(
      {.key = "samples",
       .doc = "Length of the run. Exactly one of samples and tokens is given. A rest smaller than a batch "
              "is not trained.",
       .unit = "samples",
       .min = 0},
      self.samples);
  visitor.field({.key = "tokens",
                 .doc = "Length of the run in tokens, rounded down to whole samples.",
                 .unit = "tokens",
                 .min = 0},
                self.tokens);
  visitor.field(
      {.key = "loss_reduction",
       .doc = "microbatch: the mean over the counted tokens of each microbatch, then the mean over "
              "microbatches, as in the Apertus run. token: one mean over all counted tokens of the step."},
      self.loss_reduction);
  visitor.field(
      {.key = "recompute",
       .doc = "none: all activations are kept for the backward pass. selective: norms, rotations and the "
              "activation of the feed-forward part are made again, which saves almost half of that memory at "
              "little cost in time. full: only the input of each decoder block is kept and the block runs "
              "again, which costs about a third more time. block: earlier name of full. Results are bitwise "
              "the same."},
      self.recompute);
  visitor.table({.key = "ramp", .doc = "A smaller batch at the beginning of the run."}, self.ramp);
}

void OptimizerSection::visit_fields(OptimizerSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "type",
       .doc = "adamw (Loshchilov & Hutter 2019, arXiv:1711.05101) or ademamix (Pagliardini et al. 2024, "
              "arXiv:2409.03137), which adds a slow moving average of the gradient."},
      self.type);
  visitor.field({.key = "beta1",
                 .doc = "Decay of the (fast) average of the gradient.",
                 .min = 0,
                 .max = 1,
                 .is_max_exclusive = true},
                self.beta1);
  visitor.field({.key = "beta2",
                 .doc = "Decay of the average of the squared gradient.",
                 .min = 0,
                 .max = 1,
                 .is_max_exclusive = true},
                self.beta2);
  visitor.field({.key = "beta3",
                 .doc = "ademamix: decay of the slow average at the end of its warm-up.",
                 .min = 0,
                 .max = 1,
                 .is_max_exclusive = true},
                self.beta3);
  visitor.field({.key = "alpha",
                 .doc = "ademamix: weight of the slow average at the end of its warm-up.",
                 .min = 0,
                 .max = 1e6},
                self.alpha);
  visitor.field(
      {.key = "alpha_warmup_steps",
       .doc = "ademamix: alpha grows linearly from 0 over this many optimizer steps (steps, not samples).",
       .unit = "steps",
       .min = 0},
      self.alpha_warmup_steps);
  visitor.field(
      {.key = "beta3_warmup_steps",
       .doc = "ademamix: the half-life of the slow average grows linearly from that of beta1 to that of "
              "beta3 over this many optimizer steps.",
       .unit = "steps",
       .min = 0},
      self.beta3_warmup_steps);
  visitor.field({.key = "eps",
                 .doc = "Added to the square root of the averaged squared gradient.",
                 .min = 0,
                 .max = 1,
                 .is_min_exclusive = true},
                self.eps);
  visitor.field(
      {.key = "weight_decay",
       .doc = "Decoupled weight decay of matrices and embeddings; norm weights and activation scalars are "
              "never decayed.",
       .min = 0,
       .max = 10},
      self.weight_decay);
  visitor.field(
      {.key = "clip",
       .doc = "Gradients are scaled down so that their global L2 norm is at most this. 0: no clipping.",
       .min = 0},
      self.clip);
  visitor.field(
      {.key = "state",
       .doc =
           "Where the moments lie on a GPU. device: in its memory. host: in pinned host memory, from which "
           "they "
           "pass through the GPU during the update: 8 bytes per parameter less with adamw, 12 with ademamix, "
           "for a slower update. Results are bitwise the same. On a CPU they lie in host memory anyway."},
      self.state);
}

void ScheduleSection::visit_fields(ScheduleSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "type",
       .doc = "After the warm-up: wsd keeps the peak and falls by 1 - sqrt over cooldown_samples, cosine and "
              "linear fall from the peak to min_learning_rate over the whole run, constant stays."},
      self.type);
  visitor.field({.key = "learning_rate", .doc = "The peak.", .min = 0, .max = 100, .is_min_exclusive = true},
                self.learning_rate);
  visitor.field({.key = "min_learning_rate",
                 .doc = "The rate at the end of the run, and after it (not for constant).",
                 .min = 0,
                 .max = 100},
                self.min_learning_rate);
  visitor.field({.key = "init_learning_rate",
                 .doc = "The rate of the first step, where the warm-up begins.",
                 .min = 0,
                 .max = 100},
                self.init_learning_rate);
  visitor.field({.key = "warmup_samples",
                 .doc = "The rate grows linearly over this many consumed samples.",
                 .unit = "samples",
                 .min = 0},
                self.warmup_samples);
  visitor.field({.key = "cooldown_samples",
                 .doc = "wsd: the last so many samples of the run, over which the rate falls.",
                 .unit = "samples",
                 .min = 0},
                self.cooldown_samples);
}

void PrecisionSection::visit_fields(PrecisionSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "compute",
       .doc =
           "Type of activations and of the factors of matrix products. Weights, their gradients, sums, norms "
           "and the loss are float32 always; bfloat16 needs run.device = \"cuda\"."},
      self.compute);
  visitor.field(
      {.key = "weights",
       .doc = "Type of the model files in checkpoints. The float32 master weights and moments are stored "
              "beside them in any case, so resuming loses nothing."},
      self.weights);
  visitor.field(
      {.key = "fp8",
       .doc =
           "Eight-bit products of the linear layers of the blocks. current: weights and activations in E4M3, "
           "gradients in E5M2, each tensor scaled by its largest magnitude at that moment. Head, embedding, "
           "norms and attention stay in bfloat16. Needs precision.compute = \"bfloat16\" and sizes that are "
           "multiples of 16."},
      self.fp8);
  visitor.reserved({.key = "gradient_reduce", .doc = "Type in which gradients are summed over ranks."});
}

void ParallelSection::visit_fields(ParallelSection& self, FieldVisitor& visitor) {
  constexpr double kRanksMax = 1e6;
  const auto ranks = [&](std::string_view key, std::string_view doc, std::int64_t& member) {
    visitor.field({.key = key, .doc = doc, .min = 1, .max = kRanksMax}, member);
  };
  ranks("data", "Data-parallel ranks. Only 1 is implemented.", self.data);
  ranks("tensor", "Tensor-parallel ranks. Only 1 is implemented.", self.tensor);
  ranks("pipeline", "Pipeline stages. Only 1 is implemented.", self.pipeline);
  ranks("context", "Context-parallel ranks. Only 1 is implemented.", self.context);
  ranks("chunks", "Model chunks per pipeline stage. Only 1 is implemented.", self.chunks);
  visitor.field({.key = "zero", .doc = "What data-parallel ranks shard instead of copying."}, self.zero);
  visitor.field({.key = "schedule", .doc = "Order of work in a pipeline."}, self.schedule);
}

void KeepSection::visit_fields(KeepSection& self, FieldVisitor& visitor) {
  visitor.field({.key = "last",
                 .doc = "The newest so many good checkpoints are kept, two at least, in case the newest is "
                        "damaged. 0: all.",
                 .unit = "checkpoints",
                 .min = 0,
                 .max = 1e6},
                self.last);
  visitor.field({.key = "every",
                 .doc = "Checkpoints whose step is a multiple of this are kept for good. 0: none.",
                 .unit = "steps",
                 .min = 0},
                self.every);
}

void CheckpointSection::visit_fields(CheckpointSection& self, FieldVisitor& visitor) {
  visitor.field(
      {.key = "every",
       .doc = "A checkpoint is saved after each so many steps, and always at the end. 0: only at the end.",
       .unit = "steps",
       .min = 0},
      self.every);
  visitor.field(
      {.key = "load",
       .doc = "auto: an empty run folder starts fresh, otherwise the newest good checkpoint of the folder is "
              "resumed, and it is an error when there are checkpoints and none is readable. fresh: refuses "
              "a used folder. Anything else is the path of a checkpoint to resume from, or with "
              "task.weights_only to take the weights from."},
      self.load);
  visitor.table({.key = "keep", .doc = "Which checkpoints stay; the others are removed after the next save."},
                self.keep);
  visitor.reserved({.key = "tiers", .doc = "Faster storage in front of the run folder."});
}

void EvalSetSection::visit_fields(EvalSetSection& self, FieldVisitor& visitor) {
  visitor.field({.key = "name", .doc = "Name of the set in logs and metrics; unique."}, self.name);
  visitor.field(
      {.key = "path", .doc = "Prefix of a token file pair, never trained on: <path>.bin and <path>.idx."},
      self.path);
}

void EvalSection::visit_fields(EvalSection& self, FieldVisitor& visitor) {
  visitor.field({.key = "every",
                 .doc = "The sets are evaluated after each so many steps and at the end. 0: only at the end.",
                 .unit = "steps",
                 .min = 0},
                self.every);
  visitor.field({.key = "samples",
                 .doc = "The first so many samples of each set are used. 0: all.",
                 .unit = "samples",
                 .min = 0},
                self.samples);
  visitor.reserved(
      {.key = "microbatch",
       .doc = "Samples that go through the model at once in evaluation; they are train.microbatch."});
  visitor.tables({.key = "set", .doc = "One held-out data set."}, self.set);
}

void TaskSection::visit_fields(TaskSection& self, FieldVisitor& visitor) {
  visitor.field({.key = "type", .doc = "What is trained for."}, self.type);
  visitor.field(
      {.key = "weights_only",
       .doc = "With checkpoint.load = a path: take the weights alone, and start optimizer, data and counters "
              "anew."},
      self.weights_only);
}

void WatchSection::visit_fields(WatchSection& self, FieldVisitor& visitor) {
  visitor.field({.key = "tensorboard", .doc = "Write TensorBoard events into <folder>/tensorboard."},
                self.tensorboard);
  visitor.field(
      {.key = "log_every",
       .doc = "A log line after each so many steps. Metrics are recorded for every step in any case.",
       .unit = "steps",
       .min = 1},
      self.log_every);
  visitor.field(
      {.key = "non_finite",
       .doc = "What happens when loss or gradient norm is not finite. stop: the step is refused and the "
              "process ends with exit code 76, the last checkpoint untouched."},
      self.non_finite);
}

void RunConfig::visit_fields(RunConfig& self, FieldVisitor& visitor) {
  visitor.table({.key = "run", .doc = "The run as a whole."}, self.run);
  visitor.table({.key = "model", .doc = "The model: an existing one (from) or a new one (type and sizes)."},
                self.model);
  visitor.table({.key = "tokenizer", .doc = "The tokenizer."}, self.tokenizer);
  visitor.table({.key = "data", .doc = "The samples and which of their positions count."}, self.data);
  visitor.table({.key = "train", .doc = "Sizes of samples and batches, and the length of the run."},
                self.train);
  visitor.table({.key = "optimizer", .doc = "How gradients change weights."}, self.optimizer);
  visitor.table({.key = "schedule", .doc = "The learning rate, as a function of consumed samples."},
                self.schedule);
  visitor.table({.key = "precision", .doc = "Number formats."}, self.precision);
  visitor.table({.key = "parallel", .doc = "How the work is spread over processes."}, self.parallel);
  visitor.table({.key = "checkpoint", .doc = "Saving, keeping and loading checkpoints."}, self.checkpoint);
  visitor.table({.key = "eval", .doc = "Evaluation on held-out data during training."}, self.eval);
  visitor.table({.key = "task", .doc = "The kind of training."}, self.task);
  visitor.table({.key = "watch", .doc = "Logs, metrics and what happens when numbers go wrong."}, self.watch);
  visitor.reserved({.key = "supervise", .doc = "Restarts and job chains."});
  visitor.reserved({.key = "vet", .doc = "Checks of the nodes."});
  visitor.reserved({.key = "site", .doc = "The machine."});
}

}  // namespace cairn::train
