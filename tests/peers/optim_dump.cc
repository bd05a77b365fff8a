// Reads one JSON request from standard input, runs src/optim on it and writes what it computed as JSON:
// optimizer steps with clipping, learning rates, batch ramps and the schedules of AdEMAMix. For optim_peer.py.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "device/memory.h"
#include "optim/adamw.h"
#include "optim/ademamix.h"
#include "optim/batch_ramp.h"
#include "optim/clip.h"
#include "optim/learning_rate.h"

namespace cairn::optim {
namespace {

using Json = nlohmann::json;

AdemamixConfig ademamix_config(const Json& json) {
  return {.beta1 = json.at("beta1"),
          .beta2 = json.at("beta2"),
          .beta3 = json.at("beta3"),
          .alpha = json.at("alpha"),
          .alpha_warmup_steps = json.at("alpha_warmup_steps"),
          .beta3_warmup_steps = json.at("beta3_warmup_steps"),
          .epsilon = json.at("epsilon"),
          .weight_decay = json.at("weight_decay")};
}

std::unique_ptr<Optimizer> make_optimizer(const Json& json, std::span<const OptimParameter> parameters,
                                          Plan& plan) {
  const Json& config = json.at("config");
  if (json.at("optimizer") == "adamw") {
    const AdamWConfig adamw{.beta1 = config.at("beta1"),
                            .beta2 = config.at("beta2"),
                            .epsilon = config.at("epsilon"),
                            .weight_decay = config.at("weight_decay")};
    return std::make_unique<AdamW>(adamw, parameters, plan);
  }
  return std::make_unique<Ademamix>(ademamix_config(config), parameters, plan);
}

void fill(const Memory& memory, TensorId tensor, const Json& values) {
  const std::span<float> elements = memory.view(tensor).span<float>();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i] = values.at(i).get<float>();
  }
}

Json values_of(const Memory& memory, TensorId tensor) {
  Json values = Json::array();
  for (const float v : memory.view(tensor).span<float>()) {
    values.push_back(static_cast<double>(v));
  }
  return values;
}

// {"optimizer", "config", "max_norm", "parameters": [{name, shape, weight}], "steps": [{learning_rate, gradients}]}
Json run_optimizer(const Json& request) {
  Plan plan;
  std::vector<OptimParameter> parameters;
  for (const Json& parameter : request.at("parameters")) {
    const std::string name = parameter.at("name");
    const std::vector<std::int64_t> dims = parameter.at("shape");
    const Shape shape{std::span<const std::int64_t>(dims)};
    parameters.push_back({name, shape, plan.add({name, shape, DType::kFloat32, Lifetime::kParameter}),
                          plan.add({"grad." + name, shape, DType::kFloat32, Lifetime::kGradient})});
  }
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(request, parameters, plan);
  GradientClip clip(request.at("max_norm"), parameters, plan);
  plan.seal(1);
  const Memory memory = Memory::create(plan).value();
  ThreadPool pool(2);
  optimizer->bind(memory, pool);
  clip.bind(memory, pool);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    fill(memory, parameters[i].weight, request.at("parameters").at(i).at("weight"));
  }
  Json reply = {{"norms", Json::array()}, {"weights", Json::array()}, {"state", Json::object()}};
  std::int64_t t = 0;
  for (const Json& step : request.at("steps")) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      fill(memory, parameters[i].gradient, step.at("gradients").at(i));
    }
    const ClipResult result = clip.measure();
    reply["norms"].push_back(result.norm);
    optimizer->step(++t, step.at("learning_rate"), result.clip_scale);
  }
  for (const OptimParameter& parameter : parameters) {
    reply["weights"].push_back(values_of(memory, parameter.weight));
  }
  for (const StateTensor& state : optimizer->state()) {
    reply["state"][state.moment].push_back(values_of(memory, state.tensor));
  }
  return reply;
}

// {"type", "maximum", ..., "samples": [n, ...]}
Json run_schedule(const Json& request) {
  const LearningRateConfig config{
      .type = schedule_type_from_name(request.at("type").get<std::string>()).value(),
      .maximum = request.at("maximum"),
      .minimum = request.at("minimum"),
      .initial = request.at("initial"),
      .warmup_samples = request.at("warmup_samples"),
      .cooldown_samples = request.at("cooldown_samples"),
      .total_samples = request.at("total_samples")};
  Json reply = Json::array();
  for (const std::int64_t n : request.at("samples")) {
    reply.push_back(learning_rate(config, n));
  }
  return reply;
}

// {"global_batch", ..., "samples": [n, ...]}: [nominal, samples, skipped] at each n.
Json run_ramp(const Json& request) {
  const BatchRampConfig config{.global_batch = request.at("global_batch"),
                               .start_batch = request.at("start_batch"),
                               .increment = request.at("increment"),
                               .ramp_samples = request.at("ramp_samples"),
                               .microbatch = request.at("microbatch"),
                               .data_parallel = request.at("data_parallel"),
                               .decrease_batch_if_needed = true};
  Json reply = Json::array();
  for (const std::int64_t n : request.at("samples")) {
    const BatchSize size = batch_size_at(config, n);
    reply.push_back({size.nominal, size.samples, size.skipped});
  }
  return reply;
}

Json run_ademamix_schedules(const Json& request) {
  const AdemamixConfig config = ademamix_config(request.at("config"));
  Json reply = Json::array();
  for (const std::int64_t t : request.at("steps")) {
    reply.push_back({ademamix_alpha(config, t), ademamix_beta3(config, t)});
  }
  return reply;
}

Json run(const Json& requests) {
  Json replies = Json::array();
  for (const Json& request : requests) {
    const std::string kind = request.at("kind");
    replies.push_back(kind == "optimizer"  ? run_optimizer(request)
                      : kind == "schedule" ? run_schedule(request)
                      : kind == "ramp"     ? run_ramp(request)
                                           : run_ademamix_schedules(request));
  }
  return replies;
}

}  // namespace
}  // namespace cairn::optim

int main() {
  try {
    std::cout << cairn::optim::run(nlohmann::json::parse(std::cin)).dump();
  } catch (const std::exception& error) {
    std::cerr << "optim_dump: " << error.what() << "\n";
    return 65;
  }
  return 0;
}
