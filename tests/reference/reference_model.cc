#include "tests/reference/reference_model.h"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>

#include "base/check.h"

namespace cairn::reference {
namespace {

using nn::ModelConfig;
using nn::ModelType;

// What the model types differ in, stated here a second time and not taken from nn.
bool is_xielu(const ModelConfig& config) {
  return config.type == ModelType::kApertus;
}
bool is_post_norm(const ModelConfig& config) {
  return config.type == ModelType::kOlmo2;
}
bool has_qk_norm(const ModelConfig& config) {
  return config.type == ModelType::kApertus || config.type == ModelType::kQwen3 ||
         config.type == ModelType::kOlmo2;
}
std::string attention_norm_name(const ModelConfig& config) {
  return config.type == ModelType::kApertus ? "attention_layernorm.weight"
         : is_post_norm(config)             ? "post_attention_layernorm.weight"
                                            : "input_layernorm.weight";
}
std::string mlp_norm_name(const ModelConfig& config) {
  return config.type == ModelType::kApertus ? "feedforward_layernorm.weight"
         : is_post_norm(config)             ? "post_feedforward_layernorm.weight"
                                            : "post_attention_layernorm.weight";
}
std::string layer_prefix(std::int64_t layer) {
  return "model.layers." + std::to_string(layer) + ".";
}
std::string head_name(const ModelConfig& config) {
  return config.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
}

const Vector& parameter(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  CHECK(found != parameters.end(), "the reference model misses parameter " + name);
  return found->second;
}

void accumulate(Parameters& gradients, const std::string& name, const Vector& gradient) {
  Vector& sum = gradients[name];
  sum = sum.empty() ? gradient : add(sum, gradient);
}

// One model run: configuration, parameters, batch and what follows from them.
struct Context {
  const ModelConfig& config;
  const Parameters& parameters;
  const Batch& batch;
  Vector inverse_frequency;
  std::int64_t N;

  Context(const ModelConfig& model, const Parameters& weights, const Batch& rows)
      : config(model),
        parameters(weights),
        batch(rows),
        inverse_frequency(rope_inverse_frequency(model)),
        N(rows.B * rows.T) {}

  const Vector& weight(const std::string& name) const { return parameter(parameters, name); }
  AttentionShape attention_shape() const {
    return {batch.B,         batch.T, batch.T, config.num_attention_heads, config.num_key_value_heads,
            config.head_dim, 0};
  }
};

Xielu xielu_of(const Context& context, const std::string& prefix) {
  Xielu xielu{context.weight(prefix + "mlp.act_fn.alpha_p").at(0),
              context.weight(prefix + "mlp.act_fn.alpha_n").at(0)};
  const auto beta = context.parameters.find(prefix + "mlp.act_fn.beta");
  const auto eps = context.parameters.find(prefix + "mlp.act_fn.eps");
  if (beta != context.parameters.end()) {
    xielu.beta = beta->second.at(0);
  }
  if (eps != context.parameters.end()) {
    xielu.eps = eps->second.at(0);
  }
  return xielu;
}

// Queries or keys: projection, optional norm, rotation.
struct Projection {
  std::string proj, norm;
  std::int64_t heads;
  Vector raw, rotated;

  Projection(const std::string& prefix, const std::string& letter, std::int64_t num_heads)
      : proj(prefix + "self_attn." + letter + "_proj.weight"),
        norm(prefix + "self_attn." + letter + "_norm.weight"),
        heads(num_heads) {}

  void forward(const Context& context, const Vector& x_ND) {
    const ModelConfig& config = context.config;
    raw = linear_forward(x_ND, context.weight(proj), context.N, config.hidden_size, heads * config.head_dim);
    // The norm's width is that of its weight: one head's channels or all heads at once.
    const Vector normed =
        has_qk_norm(config) ? rms_norm_forward(raw, context.weight(norm), config.rms_norm_eps) : raw;
    rotated = rope(normed, context.batch.positions, context.inverse_frequency, heads, +1);
  }

  // Returns dx and adds to the gradients of the weights.
  Vector backward(const Context& context, const Vector& drotated, const Vector& x_ND,
                  Parameters& gradients) const {
    const ModelConfig& config = context.config;
    Vector draw = rope(drotated, context.batch.positions, context.inverse_frequency, heads, -1);
    if (has_qk_norm(config)) {
      RmsNormGradients normed = rms_norm_backward(draw, raw, context.weight(norm), config.rms_norm_eps);
      accumulate(gradients, norm, normed.dweight);
      draw = normed.dx;
    }
    const std::int64_t width = heads * config.head_dim;
    accumulate(gradients, proj, linear_backward_weight(draw, x_ND, context.N, config.hidden_size, width));
    return linear_backward_input(draw, context.weight(proj), context.N, config.hidden_size, width);
  }
};

struct Attention {
  std::string prefix;
  Projection q, k;
  Vector x, v, o;

  Attention(const Context& context, const std::string& layer)
      : prefix(layer),
        q(layer, "q", context.config.num_attention_heads),
        k(layer, "k", context.config.num_key_value_heads) {}

  Vector forward(const Context& context, const Vector& x_ND) {
    const ModelConfig& config = context.config;
    x = x_ND;
    q.forward(context, x);
    k.forward(context, x);
    v = linear_forward(x, context.weight(prefix + "self_attn.v_proj.weight"), context.N, config.hidden_size,
                       config.num_key_value_heads * config.head_dim);
    o = attention_forward(context.attention_shape(), q.rotated, k.rotated, v, context.batch.first_key).o_BTHC;
    return linear_forward(o, context.weight(prefix + "self_attn.o_proj.weight"), context.N,
                          config.num_attention_heads * config.head_dim, config.hidden_size);
  }

  Vector backward(const Context& context, const Vector& dy_ND, Parameters& gradients) const {
    const ModelConfig& config = context.config;
    const std::string o_name = prefix + "self_attn.o_proj.weight";
    const std::string v_name = prefix + "self_attn.v_proj.weight";
    const std::int64_t q_width = config.num_attention_heads * config.head_dim;
    const std::int64_t v_width = config.num_key_value_heads * config.head_dim;
    const Vector d_o =
        linear_backward_input(dy_ND, context.weight(o_name), context.N, q_width, config.hidden_size);
    accumulate(gradients, o_name, linear_backward_weight(dy_ND, o, context.N, q_width, config.hidden_size));
    const AttentionGradients d =
        attention_backward(context.attention_shape(), d_o, q.rotated, k.rotated, v, context.batch.first_key);
    accumulate(gradients, v_name,
               linear_backward_weight(d.dv_BSGC, x, context.N, config.hidden_size, v_width));
    Vector dx =
        linear_backward_input(d.dv_BSGC, context.weight(v_name), context.N, config.hidden_size, v_width);
    dx = add(dx, q.backward(context, d.dq_BTHC, x, gradients));
    return add(dx, k.backward(context, d.dk_BSGC, x, gradients));
  }
};

struct Mlp {
  std::string prefix;
  Vector x, gate, up, hidden;

  std::string name(const std::string& letter) const { return prefix + "mlp." + letter + "_proj.weight"; }

  Vector forward(const Context& context, const Vector& x_ND) {
    const std::int64_t D = context.config.hidden_size;
    const std::int64_t F = context.config.intermediate_size;
    x = x_ND;
    up = linear_forward(x, context.weight(name("up")), context.N, D, F);
    if (is_xielu(context.config)) {
      hidden = xielu_forward(up, xielu_of(context, prefix));
    } else {
      gate = linear_forward(x, context.weight(name("gate")), context.N, D, F);
      hidden = swiglu_forward(gate, up);
    }
    return linear_forward(hidden, context.weight(name("down")), context.N, F, D);
  }

  Vector backward(const Context& context, const Vector& dy_ND, Parameters& gradients) const {
    const std::int64_t N = context.N;
    const std::int64_t D = context.config.hidden_size;
    const std::int64_t F = context.config.intermediate_size;
    accumulate(gradients, name("down"), linear_backward_weight(dy_ND, hidden, N, F, D));
    const Vector dhidden = linear_backward_input(dy_ND, context.weight(name("down")), N, F, D);
    if (is_xielu(context.config)) {
      const XieluGradients d = xielu_backward(dhidden, up, xielu_of(context, prefix));
      accumulate(gradients, prefix + "mlp.act_fn.alpha_p", {d.da_p});
      accumulate(gradients, prefix + "mlp.act_fn.alpha_n", {d.da_n});
      accumulate(gradients, name("up"), linear_backward_weight(d.dx, x, N, D, F));
      return linear_backward_input(d.dx, context.weight(name("up")), N, D, F);
    }
    const SwigluGradients d = swiglu_backward(dhidden, gate, up);
    accumulate(gradients, name("gate"), linear_backward_weight(d.dgate, x, N, D, F));
    accumulate(gradients, name("up"), linear_backward_weight(d.dup, x, N, D, F));
    return add(linear_backward_input(d.dgate, context.weight(name("gate")), N, D, F),
               linear_backward_input(d.dup, context.weight(name("up")), N, D, F));
  }
};

// h + part(norm(h)) or h + norm(part(h)).
template <class Part>
struct Residual {
  std::string norm;
  Part part;
  Vector normed;  // the norm's input

  Vector forward(const Context& context, const Vector& h) {
    const double eps = context.config.rms_norm_eps;
    if (is_post_norm(context.config)) {
      normed = part.forward(context, h);
      return add(h, rms_norm_forward(normed, context.weight(norm), eps));
    }
    normed = h;
    return add(h, part.forward(context, rms_norm_forward(h, context.weight(norm), eps)));
  }

  Vector backward(const Context& context, const Vector& dy, Parameters& gradients) const {
    const double eps = context.config.rms_norm_eps;
    const bool is_post = is_post_norm(context.config);
    const Vector dnormed_out = is_post ? dy : part.backward(context, dy, gradients);
    const RmsNormGradients d = rms_norm_backward(dnormed_out, normed, context.weight(norm), eps);
    accumulate(gradients, norm, d.dweight);
    return add(dy, is_post ? part.backward(context, d.dx, gradients) : d.dx);
  }
};

struct Layer {
  Residual<Attention> attention;
  Residual<Mlp> mlp;
};

struct Run {
  std::vector<Layer> layers;
  Vector final_hidden, final_normed, logits;
};

Run run_forward(const Context& context) {
  const ModelConfig& config = context.config;
  Run run;
  Vector h = embedding_forward(context.weight("model.embed_tokens.weight"), context.batch.tokens,
                               config.hidden_size);
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string prefix = layer_prefix(i);
    Layer layer{{prefix + attention_norm_name(config), Attention(context, prefix), {}},
                {prefix + mlp_norm_name(config), Mlp{prefix, {}, {}, {}, {}}, {}}};
    h = layer.mlp.forward(context, layer.attention.forward(context, h));
    run.layers.push_back(std::move(layer));
  }
  run.final_hidden = h;
  run.final_normed = rms_norm_forward(h, context.weight("model.norm.weight"), config.rms_norm_eps);
  run.logits = linear_forward(run.final_normed, context.weight(head_name(config)), context.N,
                              config.hidden_size, config.vocab_size);
  return run;
}

}  // namespace

Batch plain_batch(std::int64_t B, std::int64_t T, Indices tokens, Indices targets) {
  Batch batch{B, T, std::move(tokens), std::move(targets), {}, {}, {}};
  for (std::int64_t n = 0; n < B * T; ++n) {
    batch.weight.push_back(1.0);
    batch.positions.push_back(static_cast<std::int32_t>(n % T));
    batch.first_key.push_back(0);
  }
  return batch;
}

std::vector<std::pair<std::string, std::vector<std::int64_t>>> parameter_shapes(const ModelConfig& config) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t C = config.head_dim;
  const std::int64_t q_width = config.num_attention_heads * C;
  const std::int64_t k_width = config.num_key_value_heads * C;
  const bool is_full_width = config.type == ModelType::kOlmo2;
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> shapes;
  shapes.push_back({"model.embed_tokens.weight", {config.vocab_size, D}});
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string prefix = layer_prefix(i);
    shapes.push_back({prefix + attention_norm_name(config), {D}});
    shapes.push_back({prefix + "self_attn.q_proj.weight", {q_width, D}});
    shapes.push_back({prefix + "self_attn.k_proj.weight", {k_width, D}});
    shapes.push_back({prefix + "self_attn.v_proj.weight", {k_width, D}});
    if (has_qk_norm(config)) {
      shapes.push_back({prefix + "self_attn.q_norm.weight", {is_full_width ? q_width : C}});
      shapes.push_back({prefix + "self_attn.k_norm.weight", {is_full_width ? k_width : C}});
    }
    shapes.push_back({prefix + "self_attn.o_proj.weight", {D, q_width}});
    shapes.push_back({prefix + mlp_norm_name(config), {D}});
    if (is_xielu(config)) {
      shapes.push_back({prefix + "mlp.act_fn.alpha_p", {1}});
      shapes.push_back({prefix + "mlp.act_fn.alpha_n", {1}});
    } else {
      shapes.push_back({prefix + "mlp.gate_proj.weight", {F, D}});
    }
    shapes.push_back({prefix + "mlp.up_proj.weight", {F, D}});
    shapes.push_back({prefix + "mlp.down_proj.weight", {D, F}});
  }
  shapes.push_back({"model.norm.weight", {D}});
  if (!config.tie_word_embeddings) {
    shapes.push_back({"lm_head.weight", {config.vocab_size, D}});
  }
  return shapes;
}

Vector rope_inverse_frequency(const ModelConfig& config) {
  const nn::RopeConfig& rope = config.rope;
  Vector frequencies;
  for (std::int64_t i = 0; i < config.head_dim / 2; ++i) {
    const double plain =
        std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim));
    if (rope.type == nn::RopeType::kDefault) {
      frequencies.push_back(plain);
      continue;
    }
    if (rope.type == nn::RopeType::kLinear) {
      frequencies.push_back(plain / rope.factor);
      continue;
    }
    const double original = static_cast<double>(rope.original_max_position_embeddings);
    const double wavelength = 2.0 * std::numbers::pi / plain;
    if (wavelength > original / rope.low_freq_factor) {
      frequencies.push_back(plain / rope.factor);
    } else if (wavelength < original / rope.high_freq_factor) {
      frequencies.push_back(plain);
    } else {
      const double smooth =
          (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
      frequencies.push_back(plain * ((1.0 - smooth) / rope.factor + smooth));
    }
  }
  return frequencies;
}

ModelOutput model_forward(const ModelConfig& config, const Parameters& parameters, const Batch& batch) {
  const Context context(config, parameters, batch);
  Run run = run_forward(context);
  ModelOutput output;
  output.loss_N = cross_entropy_forward(run.logits, batch.targets, batch.weight).loss_N;
  output.logits_NV = std::move(run.logits);
  return output;
}

Parameters model_backward(const ModelConfig& config, const Parameters& parameters, const Batch& batch,
                          const Vector& dloss_N) {
  const Context context(config, parameters, batch);
  const Run run = run_forward(context);
  const std::int64_t D = config.hidden_size;
  Parameters gradients;
  const Vector dlogits = cross_entropy_backward(run.logits, batch.targets, dloss_N);
  const std::string head = head_name(config);
  accumulate(gradients, head,
             linear_backward_weight(dlogits, run.final_normed, context.N, D, config.vocab_size));
  const RmsNormGradients d =
      rms_norm_backward(linear_backward_input(dlogits, context.weight(head), context.N, D, config.vocab_size),
                        run.final_hidden, context.weight("model.norm.weight"), config.rms_norm_eps);
  accumulate(gradients, "model.norm.weight", d.dweight);
  Vector dh = d.dx;
  for (auto layer = run.layers.rbegin(); layer != run.layers.rend(); ++layer) {
    dh = layer->attention.backward(context, layer->mlp.backward(context, dh, gradients), gradients);
  }
  accumulate(gradients, "model.embed_tokens.weight",
             embedding_backward(dh, batch.tokens, config.vocab_size, D));
  return gradients;
}

}  // namespace cairn::reference
