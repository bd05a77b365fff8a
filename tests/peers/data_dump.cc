// Prints what the data plane computes, for data_peer.py to compare with its own statement.
// A request per line of standard input, an answer per line of standard output:
//   order SEED SAMPLES SEQUENCE LENGTH...   -> epochs | document_index | sample_index rows | shuffle_index
//   goldfish K H LABEL...                   -> mask
//   train PATTERN VOCAB MIN_FREQUENCY FILE  -> the tokenizer.json, on one line (a document per line of FILE)
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "data/goldfish.h"
#include "data/sample_order.h"
#include "doors/file_system.h"
#include "tokenizer/bpe_trainer.h"

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

std::string train_text(std::istringstream& in) {
  using cairn::tokenizer::PatternStyle;
  cairn::tokenizer::BpeTrainerOptions options;
  std::string pattern;
  std::string path;
  in >> pattern >> options.vocab_size >> options.min_frequency >> path;
  options.pattern = pattern == "gpt2"     ? PatternStyle::kGpt2
                    : pattern == "llama3" ? PatternStyle::kLlama3
                    : pattern == "qwen"   ? PatternStyle::kQwen
                    : pattern == "o200k"  ? PatternStyle::kO200k
                                          : PatternStyle::kTekken;
  cairn::Result<cairn::tokenizer::BpeTrainer> trainer = cairn::tokenizer::BpeTrainer::create(options);
  CHECK(trainer.ok(), trainer.status().message());
  const std::string text = cairn::make_real_file_system()->read_text(path).value();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CHECK(trainer->add_text(line).ok(), "text refused");
  }
  std::string json = trainer->train().value().tokenizer_json;
  std::erase(json, '\n');
  return json;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string request;
    in >> request;
    std::cout << (request == "order"      ? order_text(in)
                  : request == "goldfish" ? goldfish_text(in)
                                          : train_text(in))
              << std::endl;
  }
  return 0;
}
