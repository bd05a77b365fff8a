// A trainer's state from anywhere is refused or survives being written.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "checkpoint/train_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto state = cairn::checkpoint::train_state_from_json(text);
  if (!state.ok()) {
    return 0;
  }
  const std::string written = cairn::checkpoint::train_state_to_json(*state);
  const auto again = cairn::checkpoint::train_state_from_json(written);
  CHECK(again.ok(), again.status().message());
  CHECK(*again == *state, "writing changed the state");
  return 0;
}
