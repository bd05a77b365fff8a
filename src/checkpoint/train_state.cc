#include "checkpoint/train_state.h"

#include <utility>

#include <fmt/format.h>

#include "checkpoint/json_fields.h"

namespace cairn::checkpoint {
namespace {

constexpr int kStateVersion = 2;  // 1 had one source in a stage, and its order beside it

Json stages_to_json(const std::vector<StagePosition>& stages) {
  Json list = Json::array();
  for (const StagePosition& stage : stages) {
    Json sources = Json::array();
    for (const SourcePosition& source : stage.sources) {
      sources.push_back({{"source", source.source},
                         {"weight", source.weight},
                         {"first_sample", source.first_sample},
                         {"consumed_samples", source.consumed_samples},
                         {"seed", source.seed},
                         {"num_samples", source.num_samples},
                         {"num_epochs", source.num_epochs}});
    }
    list.push_back({{"start_samples", stage.start_samples},
                    {"consumed_samples", stage.consumed_samples},
                    {"sequence", stage.sequence},
                    {"sources", std::move(sources)}});
  }
  return list;
}

// Calls body(reader) on each object of an array.
template <class Body>
void for_each_object(const Json* array, const std::string& where, Faults& faults, Body&& body) {
  if (array == nullptr) {
    return;
  }
  for (std::size_t i = 0; i < array->size(); ++i) {
    FieldReader reader(&(*array)[i], fmt::format("{}[{}]", where, i), faults);
    body(reader);
    reader.finish();
  }
}

// What an order is made from.
void read_order(FieldReader& reader, SourcePosition& position) {
  position.seed = reader.integer("seed", 0);
  position.num_samples = reader.integer("num_samples", 0);
  position.num_epochs = reader.integer("num_epochs", 0);
}

std::vector<StagePosition> read_stages(FieldReader& top, std::int64_t version, Faults& faults) {
  std::vector<StagePosition> stages;
  for_each_object(top.array("stages"), top.path("stages"), faults, [&](FieldReader& reader) {
    StagePosition stage;
    stage.start_samples = reader.integer("start_samples", 0);
    stage.consumed_samples = reader.integer("consumed_samples", 0);
    stage.sequence = reader.integer("sequence", 0);
    SourcePosition common;
    if (version == 1) {
      read_order(reader, common);
    }
    for_each_object(reader.array("sources"), reader.path("sources"), faults, [&](FieldReader& source) {
      SourcePosition position = common;
      position.source = source.text("source");
      position.consumed_samples = source.integer("consumed_samples", 0);
      if (version != 1) {
        position.weight = source.number("weight");
        position.first_sample = source.integer("first_sample", 0);
        read_order(source, position);
      }
      stage.sources.push_back(std::move(position));
    });
    stages.push_back(std::move(stage));
  });
  return stages;
}

ScheduleFacts read_schedule(FieldReader& top, Faults& faults) {
  FieldReader reader(top.object("schedule"), "schedule", faults);
  ScheduleFacts facts;
  facts.type = reader.text("type");
  facts.learning_rate = reader.number("learning_rate");
  facts.total_samples = reader.integer("total_samples", 0);
  facts.warmup_samples = reader.integer("warmup_samples", 0);
  facts.decay_samples = reader.integer("decay_samples", 0);
  reader.finish();
  return facts;
}

}  // namespace

std::string train_state_to_json(const TrainState& state) {
  Json schedule = {{"type", state.schedule.type},
                   {"learning_rate", state.schedule.learning_rate},
                   {"total_samples", state.schedule.total_samples},
                   {"warmup_samples", state.schedule.warmup_samples},
                   {"decay_samples", state.schedule.decay_samples}};
  Json fingerprints = Json::array();
  for (const DataFingerprint& data : state.data_fingerprints) {
    fingerprints.push_back({{"source", data.source}, {"fingerprint", data.fingerprint}});
  }
  Json json = Json::object();
  json["format"] = "cairn train state";
  json["version"] = kStateVersion;
  json["run_id"] = state.run_id;
  json["step"] = state.step;
  json["consumed_samples"] = state.consumed_samples;
  json["consumed_tokens"] = state.consumed_tokens;
  json["skipped_samples"] = state.skipped_samples;
  json["optimizer_step"] = state.optimizer_step;
  json["seed"] = state.seed;
  json["stages"] = stages_to_json(state.stages);
  json["sample_chain"] = state.sample_chain;
  json["config_hash"] = state.config_hash;
  json["schedule"] = std::move(schedule);
  json["tokenizer_fingerprint"] = state.tokenizer_fingerprint;
  json["data_fingerprints"] = std::move(fingerprints);
  json["elapsed_s"] = state.elapsed_s;
  return json_to_text(json, 2) + "\n";
}

Result<TrainState> train_state_from_json(std::string_view text) {
  TRY_ASSIGN(const Json json, parse_json(text, JsonLimits{}));
  Faults faults;
  FieldReader reader(&json, "", faults);
  if (const std::string format = reader.text("format"); !format.empty() && format != "cairn train state") {
    faults.add("format", format, "is not \"cairn train state\"", "give the state.json of a checkpoint");
  }
  TrainState state;
  const std::int64_t version = reader.integer("version", 1, kStateVersion);
  state.run_id = reader.text("run_id");
  state.step = reader.integer("step", 0);
  state.consumed_samples = reader.integer("consumed_samples", 0);
  state.consumed_tokens = reader.integer("consumed_tokens", 0);
  state.skipped_samples = reader.integer("skipped_samples", 0);
  state.optimizer_step = reader.integer("optimizer_step", 0);
  state.seed = reader.unsigned_integer("seed");
  state.stages = read_stages(reader, version, faults);
  state.sample_chain = reader.text("sample_chain");
  state.config_hash = reader.text("config_hash");
  state.schedule = read_schedule(reader, faults);
  state.tokenizer_fingerprint = reader.text("tokenizer_fingerprint");
  for_each_object(reader.array("data_fingerprints"), "data_fingerprints", faults, [&](FieldReader& source) {
    DataFingerprint data;
    data.source = source.text("source");
    data.fingerprint = source.text("fingerprint");
    state.data_fingerprints.push_back(std::move(data));
  });
  state.elapsed_s = reader.number("elapsed_s");
  reader.finish();
  TRY(faults.to_status(StatusCode::kBadData, "train state"));
  return state;
}

}  // namespace cairn::checkpoint
