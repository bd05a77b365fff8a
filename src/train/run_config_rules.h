// The rules of the run file that concern more than one key.
#pragma once

#include "config/config_reader.h"
#include "train/run_config.h"

namespace cairn::train {

// Adds every broken rule to the report; leaves out rules over keys that are doubtful already.
void check_run_rules(const RunConfig& config, ReadReport& report);

}  // namespace cairn::train
