// cuBLASLt, loaded when a GPU is opened. Linked, it would cost every start of the program some 150 MB of tables that the loader
// reads and adjusts, and the program would not start at all on a machine without it. The library's own functions are
// called by their own names; cublas_lt.cc passes them on.
#pragma once

#include "base/status.h"

namespace cairn {

// Loads the library at the first call. kBadConfig when it is not on this machine, or is too old.
Status load_cublas_lt();

}  // namespace cairn
