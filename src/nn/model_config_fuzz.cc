// A configuration from anywhere is refused or can be written, read again and counted.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "nn/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = cairn::nn::model_config_from_json(text);
  if (!config.ok()) {
    return 0;
  }
  CHECK(cairn::nn::num_parameters(*config) > 0, "an accepted configuration has parameters");
  const std::string written = cairn::nn::model_config_to_json(*config, "float32");
  const auto again = cairn::nn::model_config_from_json(written);
  CHECK(again.ok(), again.status().message());
  CHECK(cairn::nn::model_config_to_json(*again, "float32") == written, "writing and reading is stable");
  return 0;
}
