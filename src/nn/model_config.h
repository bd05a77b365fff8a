// A decoder's mathematics, read from a Hugging Face config.json (spelling of transformers 4 or 5) and
// written back. A field that changes the mathematics and is not implemented is refused by name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/faults.h"
#include "base/status.h"

namespace cairn::nn {

enum class ModelType : std::uint8_t { kApertus, kLlama, kQwen3, kMistral, kOlmo2 };
std::string_view model_type_name(ModelType type);  // "apertus", ... as in config.json
std::optional<ModelType> model_type_from_name(std::string_view name);

enum class Activation : std::uint8_t { kXielu, kSwiglu };
// kPerHead: one (C) weight shared by all heads (Apertus, Qwen3). kFullWidth: one (H*C) weight (OLMo 2).
enum class QkNorm : std::uint8_t { kNone, kPerHead, kFullWidth };
// kPre: norm before attention and MLP. kPost: norm of their outputs before the residual sum (OLMo 2).
enum class NormPlacement : std::uint8_t { kPre, kPost };

enum class RopeType : std::uint8_t { kDefault, kLinear, kLlama3 };
std::span<const std::string_view> enum_names(RopeType type);  // "default", "linear", "llama3"

struct RopeConfig {
  RopeType type = RopeType::kDefault;
  double theta = 10000.0;
  double factor = 1.0;  // kLinear and kLlama3
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  std::int64_t original_max_position_embeddings = 8192;
};

// Bounds that keep every product of sizes inside 64 bits; far above any model.
inline constexpr std::int64_t kVocabMax = (std::int64_t{1} << 31) - 1;
inline constexpr std::int64_t kWidthMax = std::int64_t{1}
                                          << 22;  // of the stream, the MLP, all heads together
inline constexpr std::int64_t kLayersMax = std::int64_t{1} << 16;
inline constexpr std::int64_t kPositionsMax = std::int64_t{1} << 30;
inline constexpr std::int64_t kParametersMax = std::int64_t{1} << 50;
inline constexpr double kRopeThetaMax = 1e300;

struct ModelConfig {
  ModelType type = ModelType::kApertus;
  std::int64_t vocab_size = 0;               // V
  std::int64_t hidden_size = 0;              // D
  std::int64_t intermediate_size = 0;        // F
  std::int64_t num_hidden_layers = 0;        // L
  std::int64_t num_attention_heads = 0;      // H
  std::int64_t num_key_value_heads = 0;      // G
  std::int64_t head_dim = 0;                 // C
  std::int64_t max_position_embeddings = 0;  // longest sequence
  double rms_norm_eps = 1e-5;
  double initializer_range = 0.02;
  bool tie_word_embeddings = false;
  RopeConfig rope;
  std::optional<std::int64_t> bos_token_id, eos_token_id, pad_token_id;  // eos: the first of a list
  std::vector<std::int64_t> other_eos_token_ids;                         // the rest of that list

  // What the type implies.
  Activation activation() const;
  QkNorm qk_norm() const;
  NormPlacement norm_placement() const;

  // The defaults of a type where its config.json names nothing (transformers 5.17); sizes included.
  static ModelConfig defaults(ModelType type);
};

// Faults are listed all at once (kBadConfig). `text` is the whole file.
Result<ModelConfig> model_config_from_json(std::string_view text);

// The version of transformers whose spelling is written.
inline constexpr std::string_view kTransformersVersion = "5.17.0";

// The text that save_pretrained of transformers 5 writes, final newline included. `dtype` is "float32" or "bfloat16".
std::string model_config_to_json(const ModelConfig& config, std::string_view dtype);

// Faults of the sizes themselves (zero, not divisible, out of range), however the configuration was made; for
// configurations built from a run file. `prefix` goes before each field name: "model."; with one, the fields of rope
// are named as in the run file, "model.rope.theta".
Faults check_model_config(const ModelConfig& config, std::string_view prefix);

// Parameters, each counted once (tied weights once).
std::int64_t num_parameters(const ModelConfig& config);

}  // namespace cairn::nn
