#include "serve/inference_session.h"

#include <string_view>
#include <utility>

#include "checkpoint/hf_folder.h"
#include "formats/json.h"

namespace cairn::serve {

Result<std::unique_ptr<InferenceSession>> InferenceSession::open(const checkpoint::HfFolder& folder,
                                                                 const nn::ModelConfig& config,
                                                                 const SessionShape& shape) {
  std::unique_ptr<InferenceSession> session(new InferenceSession(shape.num_threads));
  nn::ModelShape model_shape;
  model_shape.sequence = shape.prefill_rows;
  model_shape.num_threads = shape.num_threads;
  session->model_ = nn::Model::declare_inference(config, model_shape, shape.cache_rows, session->plan_);
  session->logits_ = session->plan_.add({"logits", Shape{config.vocab_size}, DType::kFloat32, Lifetime::kIo});
  session->plan_.seal(1);
  TRY_ASSIGN(Memory memory, Memory::create(session->plan_));
  session->memory_ = std::make_unique<Memory>(std::move(memory));
  session->model_.bind(*session->memory_, session->pool_);
  TRY(checkpoint::load_weights(folder, session->model_.parameters(), session->model_.buffers(),
                               *session->memory_));
  return session;
}

Result<std::vector<std::int64_t>> end_token_ids(const nn::ModelConfig& config,
                                                std::string_view generation_config_text) {
  std::vector<std::int64_t> ids;
  if (!generation_config_text.empty()) {
    auto parsed = parse_json(generation_config_text, JsonLimits{});
    if (!parsed.ok()) {
      return parsed.status().with_context("generation_config.json");
    }
    const Json* eos = find(*parsed, "eos_token_id");
    if (eos != nullptr && !eos->is_null()) {
      const Json list = eos->is_array() ? *eos : Json::array({*eos});
      for (const Json& element : list) {
        const auto id = as_int64(element);
        if (!id) {
          return bad_data("generation_config.json: eos_token_id is neither a token id nor a list of them");
        }
        ids.push_back(*id);
      }
      return ids;
    }
  }
  if (config.eos_token_id) {
    ids.push_back(*config.eos_token_id);
  }
  ids.insert(ids.end(), config.other_eos_token_ids.begin(), config.other_eos_token_ids.end());
  return ids;
}

}  // namespace cairn::serve
