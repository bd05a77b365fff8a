// Plans of a library's calls, as bytes that the library made, in a text for a file.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cairn::ops {

using PlanTexts = std::map<std::string, std::string>;  // bytes by name; a name is one line without ": "

// The header (one line: what the plans are valid for), a checksum of the rest, and a line for each plan.
std::string format_plan_texts(std::string_view header, const PlanTexts& plans);
// kBadConfig: not such a text, damaged, or with another header.
Result<PlanTexts> parse_plan_texts(std::string_view header, std::string_view text);

}  // namespace cairn::ops
