// What this machine's CPU is and can do: the facts that utilisation is measured against, and whether it can
// run the instructions this program was compiled to.
#pragma once

#include <string_view>

#include "base/status.h"
#include "device/thread_pool.h"

namespace cairn {

// CPUs that this process may run on (its affinity mask where the system has one), at least 1: the number of threads
// that every command uses unless told otherwise.
int num_usable_cpus();

// float32 operations per second of fused multiply-adds (two each) on registers alone, on all threads of the
// pool at once, with the vectors this program was compiled for: the peak that MFU on a CPU is a share of.
// The best of several windows; takes about 0.1 s.
double measure_fma_peak_flops(ThreadPool& pool);

// The instruction set that the CPU code was compiled for: "AVX-512", "AVX2", "NEON" or "scalar".
std::string_view compiled_instruction_set();

// kBadConfig, naming the missing feature and the fix, when this CPU lacks what the program was compiled for.
// Call before any arithmetic: the alternative is an illegal instruction.
Status check_cpu_supports_build();

}  // namespace cairn
