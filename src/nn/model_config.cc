#include "nn/model_config.h"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace cairn::nn {
namespace {

struct TypeName {
  ModelType type;
  std::string_view name;
};
constexpr std::array<TypeName, 5> kTypeNames = {{{ModelType::kApertus, "apertus"},
                                                 {ModelType::kLlama, "llama"},
                                                 {ModelType::kQwen3, "qwen3"},
                                                 {ModelType::kMistral, "mistral"},
                                                 {ModelType::kOlmo2, "olmo2"}}};

void check_range(Faults& faults, const std::string& field, std::int64_t value, std::int64_t limit) {
  if (value < 1 || value > limit) {
    faults.add(field, std::to_string(value), "is not a usable size", fmt::format("give 1 to {}", limit));
  }
}

void check_positive(Faults& faults, const std::string& field, double value) {
  if (!(value > 0.0) || value > kRopeThetaMax) {
    faults.add(field, fmt::format("{}", value), "is not a usable number",
               fmt::format("give a value above 0 and up to {}", kRopeThetaMax));
  }
}

void check_rope(Faults& faults, const std::string& model_prefix, const RopeConfig& rope) {
  check_positive(faults, model_prefix.empty() ? "rope_theta" : model_prefix + "rope.theta", rope.theta);
  const std::string prefix = model_prefix.empty() ? "" : model_prefix + "rope.";
  if (rope.type == RopeType::kDefault) {
    return;
  }
  check_positive(faults, prefix + "factor", rope.factor);
  if (rope.type == RopeType::kLinear) {
    return;
  }
  check_positive(faults, prefix + "low_freq_factor", rope.low_freq_factor);
  if (!(rope.high_freq_factor > rope.low_freq_factor)) {
    faults.add(prefix + "high_freq_factor", fmt::format("{}", rope.high_freq_factor),
               fmt::format("is not above low_freq_factor = {}", rope.low_freq_factor),
               "the usual values are 1 and 4");
  }
  check_range(faults, prefix + "original_max_position_embeddings", rope.original_max_position_embeddings,
              kPositionsMax);
}

}  // namespace

std::span<const std::string_view> enum_names(RopeType /*type*/) {
  static constexpr std::array<std::string_view, 3> kNames = {"default", "linear", "llama3"};
  return kNames;
}

std::string_view model_type_name(ModelType type) {
  return kTypeNames[static_cast<std::size_t>(type)].name;
}

std::optional<ModelType> model_type_from_name(std::string_view name) {
  for (const TypeName& entry : kTypeNames) {
    if (entry.name == name) {
      return entry.type;
    }
  }
  return std::nullopt;
}

Activation ModelConfig::activation() const {
  return type == ModelType::kApertus ? Activation::kXielu : Activation::kSwiglu;
}

QkNorm ModelConfig::qk_norm() const {
  switch (type) {
    case ModelType::kApertus:
    case ModelType::kQwen3:
      return QkNorm::kPerHead;
    case ModelType::kOlmo2:
      return QkNorm::kFullWidth;
    case ModelType::kLlama:
    case ModelType::kMistral:
      break;
  }
  return QkNorm::kNone;
}

NormPlacement ModelConfig::norm_placement() const {
  return type == ModelType::kOlmo2 ? NormPlacement::kPost : NormPlacement::kPre;
}

ModelConfig ModelConfig::defaults(ModelType type) {
  ModelConfig config;
  config.type = type;
  config.hidden_size = 4096;
  config.num_hidden_layers = 32;
  config.num_attention_heads = 32;
  config.num_key_value_heads = 32;
  config.head_dim = 128;
  switch (type) {
    case ModelType::kApertus:
      config.vocab_size = 131072;
      config.intermediate_size = 14336;
      config.max_position_embeddings = 65536;
      config.rope = {RopeType::kLlama3, 12e6, 8.0, 1.0, 4.0, 8192};
      config.bos_token_id = 1;
      config.eos_token_id = 2;
      config.pad_token_id = 3;
      break;
    case ModelType::kLlama:
      config.vocab_size = 32000;
      config.intermediate_size = 11008;
      config.max_position_embeddings = 2048;
      config.rms_norm_eps = 1e-6;
      config.bos_token_id = 1;
      config.eos_token_id = 2;
      break;
    case ModelType::kQwen3:
      config.vocab_size = 151936;
      config.intermediate_size = 22016;
      config.max_position_embeddings = 32768;
      config.rms_norm_eps = 1e-6;
      break;
    case ModelType::kMistral:
      config.vocab_size = 32000;
      config.intermediate_size = 14336;
      config.num_key_value_heads = 8;
      config.max_position_embeddings = 131072;
      config.rms_norm_eps = 1e-6;
      config.bos_token_id = 1;
      config.eos_token_id = 2;
      break;
    case ModelType::kOlmo2:
      config.vocab_size = 50304;
      config.intermediate_size = 11008;
      config.max_position_embeddings = 2048;
      config.eos_token_id = 50279;
      config.pad_token_id = 1;
      break;
  }
  return config;
}

Faults check_model_config(const ModelConfig& config, std::string_view prefix_view) {
  const std::string prefix(prefix_view);
  Faults faults;
  check_range(faults, prefix + "vocab_size", config.vocab_size, kVocabMax);
  check_range(faults, prefix + "hidden_size", config.hidden_size, kWidthMax);
  check_range(faults, prefix + "intermediate_size", config.intermediate_size, kWidthMax);
  check_range(faults, prefix + "num_hidden_layers", config.num_hidden_layers, kLayersMax);
  check_range(faults, prefix + "num_attention_heads", config.num_attention_heads, kWidthMax);
  check_range(faults, prefix + "num_key_value_heads", config.num_key_value_heads, kWidthMax);
  check_range(faults, prefix + "head_dim", config.head_dim, kWidthMax);
  check_range(faults, prefix + "max_position_embeddings", config.max_position_embeddings, kPositionsMax);
  check_positive(faults, prefix + "rms_norm_eps", config.rms_norm_eps);
  if (!(config.initializer_range >= 0.0) || config.initializer_range > 1e3) {
    faults.add(prefix + "initializer_range", fmt::format("{}", config.initializer_range),
               "is no standard deviation", "give 0 or more; usual is 0.02");
  }
  if (faults.empty() && config.num_attention_heads % config.num_key_value_heads != 0) {
    faults.add(prefix + "num_key_value_heads", std::to_string(config.num_key_value_heads),
               fmt::format("does not divide {}num_attention_heads = {}", prefix, config.num_attention_heads),
               "every key/value head serves the same number of query heads");
  }
  if (config.head_dim > 0 && config.head_dim % 2 != 0) {
    faults.add(prefix + "head_dim", std::to_string(config.head_dim),
               "is odd; rotary embedding pairs channels", "use an even number of channels per head");
  }
  if (config.head_dim > 0 && config.num_attention_heads > kWidthMax / config.head_dim) {
    faults.add(prefix + "num_attention_heads", std::to_string(config.num_attention_heads),
               fmt::format("times {}head_dim = {} is too wide", prefix, config.head_dim),
               fmt::format("keep the product up to {}", kWidthMax));
  }
  if (faults.empty() && num_parameters(config) > kParametersMax) {
    faults.add(prefix + "num_hidden_layers", std::to_string(config.num_hidden_layers),
               fmt::format("makes {} parameters, more than {}", num_parameters(config), kParametersMax),
               "choose smaller sizes");
  }
  check_rope(faults, prefix, config.rope);
  return faults;
}

std::int64_t num_parameters(const ModelConfig& config) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t query_width = config.num_attention_heads * config.head_dim;
  const std::int64_t key_width = config.num_key_value_heads * config.head_dim;
  std::int64_t layer = 2 * D * query_width + 2 * D * key_width + 2 * D;
  layer += config.activation() == Activation::kXielu ? 2 * D * F + 2 : 3 * D * F;
  switch (config.qk_norm()) {
    case QkNorm::kNone:
      break;
    case QkNorm::kPerHead:
      layer += 2 * config.head_dim;
      break;
    case QkNorm::kFullWidth:
      layer += query_width + key_width;
      break;
  }
  const std::int64_t embeddings = (config.tie_word_embeddings ? 1 : 2) * config.vocab_size * D;
  return embeddings + config.num_hidden_layers * layer + D;
}

}  // namespace cairn::nn
