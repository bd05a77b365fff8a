// Prints what the data plane computes, for data_peer.py to compare with its own statement.
// A request per line of standard input, an answer per line of standard output:
//   order SEED SAMPLES SEQUENCE LENGTH...   -> epochs | document_index | sample_index rows | shuffle_index
//   goldfish K H LABEL...                   -> mask
//   sum WEIGHT...                           -> the normalized weights
//   run FUSED SAMPLES SEQUENCE SHARDS (COUNT LENGTH...)... STAGES (START SEED RESTART SOURCES (SHARD WEIGHT)...)...
//                                           -> for each sample: SHARD:DOCUMENT:OFFSET:COUNT of its pieces; weight "-" is none
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "data/blend.h"
#include "data/goldfish.h"
#include "data/run_order.h"
#include "data/sample_order.h"
#include "data/token_shard_writer.h"
#include "doors/clock.h"
#include "doors/file_system.h"
#include "doors/sim_file_system.h"

namespace {

using cairn::data::SampleOrder;

std::string order_text(std::istringstream& in) {
  cairn::data::SampleOrderOptions options;
  in >> options.seed >> options.num_samples >> options.sequence;
  std::vector<std::int32_t> lengths;
  for (std::int32_t length = 0; in >> length;) {
    lengths.push_back(length);
  }
  const cairn::Result<SampleOrder> order = SampleOrder::build(lengths, options);
  if (!order.ok()) {
    return "error " + order.status().message();
  }
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> shuffled;
  for (std::int64_t k = 0; k <= order->num_samples(); ++k) {
    const cairn::data::StreamPosition at = order->start_of(k);
    rows.insert(rows.end(), {at.index, at.offset});
    if (k < order->num_samples()) {
      shuffled.push_back(order->shuffled(k));
    }
  }
  return fmt::format("{}|{}|{}|{}", order->num_epochs(), fmt::join(order->document_index(), " "),
                     fmt::join(rows, " "), fmt::join(shuffled, " "));
}

std::string goldfish_text(std::istringstream& in) {
  cairn::data::GoldfishOptions options{true, 0, 0};
  in >> options.k >> options.h;
  std::vector<std::int32_t> labels;
  for (std::int32_t label = 0; in >> label;) {
    labels.push_back(label);
  }
  std::vector<float> mask(labels.size(), 1.0F);
  cairn::data::GoldfishMask(options).apply(labels, mask);
  return fmt::format("{}", fmt::join(mask, " "));
}

std::string sum_text(std::istringstream& in) {
  std::vector<double> weights;
  for (double weight = 0; in >> weight;) {
    weights.push_back(weight);
  }
  return fmt::format("{:.17g}", fmt::join(cairn::data::normalize_weights(weights), " "));
}

void write_shards(std::istringstream& in, cairn::FileSystem& files) {
  std::int64_t num_shards = 0;
  in >> num_shards;
  for (std::int64_t shard = 0; shard < num_shards; ++shard) {
    auto writer = std::move(cairn::data::TokenShardWriter::create(files, std::to_string(shard), 10)).value();
    std::int64_t num_documents = 0;
    in >> num_documents;
    for (std::int64_t i = 0; i < num_documents; ++i) {
      std::size_t length = 0;
      in >> length;
      CHECK(writer.add_document(std::vector<std::int32_t>(length, 1)).ok(), "document refused");
    }
    CHECK(writer.finish().ok(), "shard not written");
  }
}

std::vector<cairn::data::Stage> read_stages(std::istringstream& in) {
  std::int64_t num_stages = 0;
  in >> num_stages;
  std::vector<cairn::data::Stage> stages(static_cast<std::size_t>(num_stages));
  for (cairn::data::Stage& stage : stages) {
    bool is_restart = false;
    std::int64_t num_sources = 0;
    in >> stage.start_samples >> stage.seed >> is_restart >> num_sources;
    stage.start = is_restart ? cairn::data::StageStart::kRestart : cairn::data::StageStart::kContinue;
    for (std::int64_t i = 0; i < num_sources; ++i) {
      std::string shard;
      std::string weight;
      in >> shard >> weight;
      stage.sources.push_back({shard, weight == "-" ? std::nullopt : std::optional(std::stod(weight))});
    }
  }
  return stages;
}

std::string run_text(std::istringstream& in) {
  cairn::SimFileSystem files(1);
  cairn::SimClock clock(0);
  cairn::data::RunOrderOptions options;
  bool is_fused = false;
  in >> is_fused >> options.num_samples >> options.sequence;
  options.rounding = is_fused ? cairn::data::BlendRounding::kFused : cairn::data::BlendRounding::kSeparate;
  options.vocab_size = 10;
  write_shards(in, files);
  options.stages = read_stages(in);
  const cairn::Faults faults = cairn::data::check_stages(options.stages, options.num_samples, "");
  if (!faults.empty()) {
    return "error " + faults.list().front().reason;
  }
  const cairn::Result<cairn::data::RunOrder> order = cairn::data::RunOrder::open(files, clock, options);
  if (!order.ok()) {
    return "error " + order.status().message();
  }
  cairn::data::RunOrderCursor cursor(*order);
  std::string text;
  for (std::int64_t sample = 0; sample < order->num_samples(); ++sample) {
    const cairn::data::SamplePlace place = cursor.locate(sample);
    const cairn::data::TokenSource& source = order->source(place.order);
    for (const cairn::data::TokenSpan& span : source.order().locate(place.sample)) {
      text += fmt::format("{}:{}:{}:{} ", source.prefix(), span.document, span.offset, span.count);
    }
  }
  return text;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string request;
    in >> request;
    std::cout << (request == "order" ? order_text(in)
                  : request == "sum" ? sum_text(in)
                  : request == "run" ? run_text(in)
                                     : goldfish_text(in))
              << std::endl;
  }
  return 0;
}
