// Reading and writing config.json. Every key of the file is looked at: taken, checked against what is implemented,
// known to be harmless, or refused by name.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "formats/json.h"
#include "nn/model_config.h"

namespace cairn::nn {
namespace {

constexpr std::string_view kNotImplemented = "is not implemented";

// In the order of ModelType.
constexpr std::array<std::string_view, 5> kClasses = {
    "ApertusForCausalLM", "LlamaForCausalLM", "Qwen3ForCausalLM", "MistralForCausalLM", "Olmo2ForCausalLM"};

// Keys that say how a model is run, saved or labelled, never what it computes.
constexpr auto kHarmlessKeys = std::to_array<std::string_view>({"_attn_implementation_autoset",
                                                                "_commit_hash",
                                                                "_name_or_path",
                                                                "auto_map",
                                                                "chunk_size_feed_forward",
                                                                "dtype",
                                                                "finetuning_task",
                                                                "id2label",
                                                                "keys_to_ignore_at_inference",
                                                                "label2id",
                                                                "max_length",
                                                                "name_or_path",
                                                                "num_labels",
                                                                "output_attentions",
                                                                "output_hidden_states",
                                                                "pretraining_tp",
                                                                "problem_type",
                                                                "return_dict",
                                                                "task_specific_params",
                                                                "tokenizer_class",
                                                                "torch_dtype",
                                                                "torchscript",
                                                                "transformers_version",
                                                                "use_cache",
                                                                "use_return_dict",
                                                                "num_return_sequences"});

std::string shown(const Json& value) {
  std::string text = json_to_text(value, -1);
  constexpr std::size_t kShownMax = 60;
  if (text.size() > kShownMax) {
    text = text.substr(0, kShownMax) + "...";
  }
  return text;
}

class ConfigReader {
 public:
  explicit ConfigReader(const Json& object) : object_(object) {}

  Result<ModelConfig> read();

 private:
  // The value of a key, marking it as looked at; null when missing.
  const Json* take(std::string_view key);
  void refuse(std::string_view key, const Json& value, std::string_view reason, std::string_view fix);
  void wrong_kind(std::string_view key, const Json& value, std::string_view wanted);

  void read_int(std::string_view key, std::int64_t& out);
  void read_double(std::string_view key, double& out);
  void read_bool(std::string_view key, bool& out);
  void read_id(std::string_view key, std::optional<std::int64_t>& out);
  void read_eos();
  void read_sizes();
  void read_rope();
  void read_rope_object(std::string_view where, const Json& rope, bool needs_type);
  void read_rope_fields(std::string_view where, const Json& rope);
  std::optional<RopeType> rope_type_of(std::string_view where, const Json& rope, bool needs_type);

  // Accepts missing, null or the one implemented value.
  void require_false(std::string_view key);
  void require_value(std::string_view key, const Json& wanted, std::string_view reason);
  void check_architectures();
  void check_attention_windows();
  void check_type_keys();
  void check_unknown_keys();

  const Json& object_;
  std::set<std::string, std::less<>> taken_;
  Faults faults_;
  ModelConfig config_;
};

const Json* ConfigReader::take(std::string_view key) {
  taken_.emplace(key);
  return find(object_, key);
}

void ConfigReader::refuse(std::string_view key, const Json& value, std::string_view reason,
                          std::string_view fix) {
  faults_.add(std::string(key), shown(value), std::string(reason), std::string(fix));
}

void ConfigReader::wrong_kind(std::string_view key, const Json& value, std::string_view wanted) {
  refuse(key, value, fmt::format("is {}, not {}", json_kind(value), wanted), fmt::format("give {}", wanted));
}

void ConfigReader::read_int(std::string_view key, std::int64_t& out) {
  if (const Json* value = take(key)) {
    if (const auto number = as_int64(*value)) {
      out = *number;
    } else {
      wrong_kind(key, *value, "an integer");
    }
  }
}

void ConfigReader::read_double(std::string_view key, double& out) {
  if (const Json* value = take(key)) {
    if (const auto number = as_double(*value)) {
      out = *number;
    } else {
      wrong_kind(key, *value, "a number");
    }
  }
}

void ConfigReader::read_bool(std::string_view key, bool& out) {
  if (const Json* value = take(key)) {
    if (const auto flag = as_bool(*value)) {
      out = *flag;
    } else {
      wrong_kind(key, *value, "true or false");
    }
  }
}

void ConfigReader::read_id(std::string_view key, std::optional<std::int64_t>& out) {
  const Json* value = take(key);
  if (value == nullptr) {
    return;
  }
  out.reset();
  if (value->is_null()) {
    return;
  }
  out = as_int64(*value);
  if (!out) {
    wrong_kind(key, *value, "a token id or null");
  }
}

void ConfigReader::read_eos() {
  const Json* value = take("eos_token_id");
  if (value == nullptr || !value->is_array()) {
    read_id("eos_token_id", config_.eos_token_id);
    return;
  }
  config_.eos_token_id.reset();
  for (const Json& element : *value) {
    const auto id = as_int64(element);
    if (!id) {
      wrong_kind("eos_token_id", *value, "a token id, a list of them or null");
      return;
    }
    if (!config_.eos_token_id) {
      config_.eos_token_id = id;
    } else {
      config_.other_eos_token_ids.push_back(*id);
    }
  }
}

void ConfigReader::read_sizes() {
  read_int("vocab_size", config_.vocab_size);
  read_int("hidden_size", config_.hidden_size);
  read_int("intermediate_size", config_.intermediate_size);
  read_int("num_hidden_layers", config_.num_hidden_layers);
  read_int("num_attention_heads", config_.num_attention_heads);
  read_int("max_position_embeddings", config_.max_position_embeddings);

  // Missing means the type's default where that is a number (Mistral, Qwen3), else as many as query heads.
  const Json* key_value_heads = take("num_key_value_heads");
  const bool has_own_default = config_.type == ModelType::kMistral || config_.type == ModelType::kQwen3;
  if (key_value_heads != nullptr && !key_value_heads->is_null()) {
    read_int("num_key_value_heads", config_.num_key_value_heads);
  } else if (key_value_heads != nullptr || !has_own_default) {
    config_.num_key_value_heads = config_.num_attention_heads;
  }

  const Json* head_dim = take("head_dim");
  if (head_dim != nullptr && !head_dim->is_null()) {
    read_int("head_dim", config_.head_dim);
  } else if (head_dim != nullptr || config_.type != ModelType::kQwen3) {
    if (config_.num_attention_heads >= 1 && config_.hidden_size % config_.num_attention_heads == 0) {
      config_.head_dim = config_.hidden_size / config_.num_attention_heads;
    } else {
      faults_.add("hidden_size", std::to_string(config_.hidden_size),
                  fmt::format("is not a multiple of num_attention_heads ({})", config_.num_attention_heads),
                  "correct one of them or give head_dim");
    }
  }
  read_double("rms_norm_eps", config_.rms_norm_eps);
  read_double("initializer_range", config_.initializer_range);
  read_bool("tie_word_embeddings", config_.tie_word_embeddings);
}

std::optional<RopeType> ConfigReader::rope_type_of(std::string_view where, const Json& rope,
                                                   bool needs_type) {
  const Json* type = find(rope, "rope_type");
  const Json* old_type = find(rope, "type");
  if (type != nullptr && old_type != nullptr && *type != *old_type) {
    refuse(fmt::format("{}.type", where), *old_type, "disagrees with rope_type", "remove one of the two");
    return std::nullopt;
  }
  type = type != nullptr ? type : old_type;
  if (type == nullptr) {
    if (needs_type) {
      refuse(where, rope, "names no rope_type", "add \"rope_type\"");
      return std::nullopt;
    }
    return RopeType::kDefault;
  }
  const auto name = as_string(*type);
  if (name == "default") {
    return RopeType::kDefault;
  }
  if (name == "linear") {
    return RopeType::kLinear;
  }
  if (name == "llama3") {
    return RopeType::kLlama3;
  }
  refuse(fmt::format("{}.rope_type", where), *type, kNotImplemented,
         "implemented are default, linear and llama3");
  return std::nullopt;
}

void ConfigReader::read_rope_fields(std::string_view where, const Json& rope) {
  RopeConfig& out = config_.rope;
  const auto number = [&](std::string_view key, double& target, bool is_required) {
    const Json* value = find(rope, key);
    if (value == nullptr) {
      if (is_required) {
        faults_.add(fmt::format("{}.{}", where, key), "", "is missing for this rope_type", "add it");
      }
      return;
    }
    if (const auto parsed = as_double(*value)) {
      target = *parsed;
    } else {
      wrong_kind(fmt::format("{}.{}", where, key), *value, "a number");
    }
  };
  const bool is_llama3 = out.type == RopeType::kLlama3;
  number("rope_theta", out.theta, false);
  if (out.type != RopeType::kDefault) {
    number("factor", out.factor, true);
  }
  if (is_llama3) {
    number("low_freq_factor", out.low_freq_factor, true);
    number("high_freq_factor", out.high_freq_factor, true);
    auto length = static_cast<double>(out.original_max_position_embeddings);
    number("original_max_position_embeddings", length, true);
    out.original_max_position_embeddings =
        length >= 1.0 && length < 1e9 ? static_cast<std::int64_t>(length) : 0;
  }
  double partial = 1.0;
  number("partial_rotary_factor", partial, false);
  if (partial != 1.0) {
    refuse(fmt::format("{}.partial_rotary_factor", where), *find(rope, "partial_rotary_factor"),
           kNotImplemented, "all channels of a head are rotated: only 1.0");
  }
}

void ConfigReader::read_rope_object(std::string_view where, const Json& rope, bool needs_type) {
  if (!rope.is_object()) {
    wrong_kind(where, rope, "an object");
    return;
  }
  const auto type = rope_type_of(where, rope, needs_type);
  if (!type) {
    return;
  }
  config_.rope.type = *type;
  read_rope_fields(where, rope);
  std::set<std::string_view> known = {"rope_type", "type", "rope_theta", "partial_rotary_factor"};
  if (*type != RopeType::kDefault) {
    known.insert("factor");
  }
  if (*type == RopeType::kLlama3) {
    known.insert({"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"});
  }
  for (const auto& [key, value] : rope.items()) {
    if (!known.contains(key)) {
      refuse(fmt::format("{}.{}", where, key), value, "has no meaning for this rope_type",
             "remove it, or use a rope_type that has it");
    }
  }
}

void ConfigReader::read_rope() {
  const Json* parameters = take("rope_parameters");
  const Json* scaling = take("rope_scaling");
  const bool has_parameters = parameters != nullptr && !parameters->is_null();
  const bool has_scaling = scaling != nullptr && !scaling->is_null();
  if (has_parameters && has_scaling) {
    refuse("rope_scaling", *scaling, "stands beside rope_parameters", "keep one of the two spellings");
    return;
  }
  read_double("rope_theta", config_.rope.theta);
  if (has_parameters) {
    const double outer_theta = config_.rope.theta;
    config_.rope = RopeConfig{.theta = config_.rope.theta};
    read_rope_object("rope_parameters", *parameters, false);
    if (find(object_, "rope_theta") != nullptr && outer_theta != config_.rope.theta) {
      refuse("rope_theta", *find(object_, "rope_theta"), "disagrees with rope_parameters.rope_theta",
             "remove one of the two");
    }
  } else if (scaling != nullptr) {
    config_.rope = RopeConfig{.theta = config_.rope.theta};
    if (has_scaling) {
      read_rope_object("rope_scaling", *scaling, true);
    }
  }
}

void ConfigReader::require_value(std::string_view key, const Json& wanted, std::string_view reason) {
  const Json* value = take(key);
  if (value != nullptr && !value->is_null() && *value != wanted) {
    refuse(key, *value, reason, fmt::format("only {} is", shown(wanted)));
  }
}

void ConfigReader::require_false(std::string_view key) {
  require_value(key, Json(false), kNotImplemented);
}

void ConfigReader::check_architectures() {
  const std::string_view wanted = kClasses[static_cast<std::size_t>(config_.type)];
  require_value("architectures", Json::array({std::string(wanted)}), kNotImplemented);
}

void ConfigReader::check_attention_windows() {
  const Json* window = take("sliding_window");
  bool is_used = window != nullptr && !window->is_null();
  if (config_.type == ModelType::kMistral && window == nullptr) {
    constexpr std::int64_t kMistralWindow = 4096;
    if (config_.max_position_embeddings > kMistralWindow) {
      faults_.add("sliding_window", "",
                  "is missing, which for mistral means a window of 4096 tokens; windows are "
                  "not implemented",
                  "write \"sliding_window\": null if the model attends to everything");
    }
  }
  if (config_.type == ModelType::kQwen3) {
    bool use_window = false;
    read_bool("use_sliding_window", use_window);
    std::int64_t first_layer = 28;
    read_int("max_window_layers", first_layer);
    is_used = is_used && use_window && first_layer < config_.num_hidden_layers;
  }
  if (is_used) {
    const auto width = as_int64(*window);
    if (!width || *width < config_.max_position_embeddings) {
      refuse("sliding_window", *window, kNotImplemented,
             "only null, or a window of max_position_embeddings or more");
    }
  }
  const Json* layer_types = take("layer_types");
  if (layer_types == nullptr || layer_types->is_null()) {
    return;
  }
  const bool all_full = layer_types->is_array() && std::ranges::all_of(*layer_types, [](const Json& type) {
                          return as_string(type) == "full_attention";
                        });
  if (!all_full) {
    refuse("layer_types", *layer_types, kNotImplemented, "only full_attention layers are");
  } else if (static_cast<std::int64_t>(layer_types->size()) != config_.num_hidden_layers) {
    refuse("layer_types", *layer_types, "does not name every layer once", "one entry per hidden layer");
  }
}

void ConfigReader::check_type_keys() {
  const bool is_xielu = config_.activation() == Activation::kXielu;
  require_value("hidden_act", Json(is_xielu ? "xielu" : "silu"), "is not implemented for this model type");
  require_false("attention_bias");
  require_false("mlp_bias");
  require_false("is_encoder_decoder");
  require_false("add_cross_attention");
  for (const std::string_view key : {"attention_dropout", "hidden_dropout"}) {
    const Json* value = take(key);
    if (value != nullptr && !value->is_null() && as_double(*value) != 0.0) {
      refuse(key, *value, kNotImplemented, "only 0 is");
    }
  }
  require_value("partial_rotary_factor", Json(1.0), kNotImplemented);
  if (config_.type == ModelType::kApertus) {
    require_value("post_norm", Json(false), kNotImplemented);
    require_value("qk_norm", Json(true), kNotImplemented);
  }
  if (const Json* value = take("quantization_config"); value != nullptr && !value->is_null()) {
    refuse("quantization_config", *value, kNotImplemented, "use the unquantized weights");
  }
}

void ConfigReader::check_unknown_keys() {
  for (const std::string_view key : kHarmlessKeys) {
    taken_.emplace(key);
  }
  const std::vector<std::string> known(taken_.begin(), taken_.end());
  for (const auto& [key, value] : object_.items()) {
    if (taken_.contains(key)) {
      continue;
    }
    const std::string match = closest_match(key, known);
    refuse(
        key, value, "is not known and may change what the model computes",
        match.empty() ? "remove it if the model does not need it" : fmt::format("did you mean {}?", match));
  }
}

Result<ModelConfig> ConfigReader::read() {
  constexpr std::string_view kKnownTypes = "known are apertus, llama, qwen3, mistral and olmo2";
  const Json* type_value = take("model_type");
  if (type_value == nullptr) {
    faults_.add("model_type", "", "is missing", std::string(kKnownTypes));
    return faults_.to_status(StatusCode::kBadConfig, "config.json:");
  }
  const auto type_name = as_string(*type_value);
  const auto type = type_name ? model_type_from_name(*type_name) : std::nullopt;
  if (!type) {
    refuse("model_type", *type_value, "is not a model type of this program", kKnownTypes);
    return faults_.to_status(StatusCode::kBadConfig, "config.json:");
  }
  config_ = ModelConfig::defaults(*type);
  read_sizes();
  read_rope();
  read_id("bos_token_id", config_.bos_token_id);
  read_eos();
  read_id("pad_token_id", config_.pad_token_id);
  check_architectures();
  check_attention_windows();
  check_type_keys();
  check_unknown_keys();
  faults_.append(check_model_config(config_, ""));
  if (!faults_.empty()) {
    return faults_.to_status(StatusCode::kBadConfig, "config.json:");
  }
  return config_;
}

Json rope_json(const RopeConfig& rope) {
  Json out = Json::object();
  if (rope.type != RopeType::kDefault) {
    out["factor"] = rope.factor;
  }
  if (rope.type == RopeType::kLlama3) {
    out["high_freq_factor"] = rope.high_freq_factor;
    out["low_freq_factor"] = rope.low_freq_factor;
    out["original_max_position_embeddings"] = rope.original_max_position_embeddings;
  }
  out["rope_theta"] = rope.theta;
  out["rope_type"] = rope.type == RopeType::kDefault  ? "default"
                     : rope.type == RopeType::kLinear ? "linear"
                                                      : "llama3";
  return out;
}

Json id_json(const std::optional<std::int64_t>& id) {
  return id ? Json(*id) : Json(nullptr);
}

Json eos_json(const ModelConfig& config) {
  if (config.other_eos_token_ids.empty()) {
    return id_json(config.eos_token_id);
  }
  Json list = Json::array({id_json(config.eos_token_id)});
  for (const std::int64_t id : config.other_eos_token_ids) {
    list.push_back(id);
  }
  return list;
}

using SortedJson = std::map<std::string, Json, std::less<>>;

// What only some types write.
void add_type_keys(SortedJson& out, const ModelConfig& config) {
  const bool always_has_head_dim = config.type == ModelType::kLlama || config.type == ModelType::kQwen3 ||
                                   config.type == ModelType::kMistral;
  if (always_has_head_dim || config.head_dim * config.num_attention_heads != config.hidden_size) {
    out["head_dim"] = config.head_dim;
  }
  if (config.type != ModelType::kMistral) {
    out["attention_bias"] = false;
  } else {
    out["sliding_window"] = nullptr;
  }
  if (config.type == ModelType::kLlama) {
    out["mlp_bias"] = false;
    out["pretraining_tp"] = 1;
  }
  if (config.type == ModelType::kQwen3) {
    out["layer_types"] =
        Json(std::vector<std::string>(static_cast<std::size_t>(config.num_hidden_layers), "full_attention"));
    out["max_window_layers"] = 28;
    out["sliding_window"] = nullptr;
    out["use_sliding_window"] = false;
  }
}

std::string sorted_text(const SortedJson& sorted) {
  Json object = Json::object();
  for (const auto& [key, value] : sorted) {
    object[key] = value;
  }
  return json_to_text(object, 2) + "\n";
}

}  // namespace

Result<ModelConfig> model_config_from_json(std::string_view text) {
  TRY_ASSIGN(const Json object, parse_json(text, JsonLimits{}));
  if (!object.is_object()) {
    return bad_config(fmt::format("config.json is {}, not an object", json_kind(object)));
  }
  return ConfigReader(object).read();
}

std::string model_config_to_json(const ModelConfig& config, std::string_view dtype) {
  SortedJson out;
  out["architectures"] = Json::array({std::string(kClasses[static_cast<std::size_t>(config.type)])});
  out["attention_dropout"] = 0.0;
  out["bos_token_id"] = id_json(config.bos_token_id);
  out["dtype"] = std::string(dtype);
  out["eos_token_id"] = eos_json(config);
  out["hidden_act"] = config.activation() == Activation::kXielu ? "xielu" : "silu";
  out["hidden_size"] = config.hidden_size;
  out["initializer_range"] = config.initializer_range;
  out["intermediate_size"] = config.intermediate_size;
  out["max_position_embeddings"] = config.max_position_embeddings;
  out["model_type"] = std::string(model_type_name(config.type));
  out["num_attention_heads"] = config.num_attention_heads;
  out["num_hidden_layers"] = config.num_hidden_layers;
  out["num_key_value_heads"] = config.num_key_value_heads;
  out["pad_token_id"] = id_json(config.pad_token_id);
  out["rms_norm_eps"] = config.rms_norm_eps;
  out["rope_parameters"] = rope_json(config.rope);
  out["tie_word_embeddings"] = config.tie_word_embeddings;
  out["transformers_version"] = std::string(kTransformersVersion);
  out["use_cache"] = true;
  out["vocab_size"] = config.vocab_size;
  add_type_keys(out, config);
  return sorted_text(out);
}

}  // namespace cairn::nn
