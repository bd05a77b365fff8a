// A run file from anywhere is refused with a message or survives being printed, and can be resolved.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "train/run_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = cairn::train::parse_run_config(text, "run", {});
  if (!config.ok()) {
    CHECK(!config.status().message().empty(), "a refusal says why");
    return 0;
  }
  const std::string printed = cairn::train::run_config_to_toml(*config);
  const auto again = cairn::train::parse_run_config(printed, "run", {});
  CHECK(again.ok(), again.status().message());
  CHECK(cairn::train::run_config_to_toml(*again) == printed, "printing and parsing is stable");
  cairn::train::resolve_run(*config);
  if (!config->model.type.empty()) {
    const auto model = cairn::train::model_config_from_run(*config, 1000);
    if (model.ok()) {
      CHECK(cairn::nn::num_parameters(*model) > 0, "an accepted model has parameters");
    }
  }
  return 0;
}
