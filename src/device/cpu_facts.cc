#include "device/cpu_facts.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "device/simd.h"

namespace cairn {

namespace {

constexpr int kChains = 12;  // enough to cover 4-5 cycles of latency on two or more pipes
constexpr int kStepsPerWindow = 400000;
constexpr int kWindows = 8;

// Keeps a value alive without storing it.
void keep(simd::Vec value) {
#if defined(__x86_64__)
  asm volatile("" : : "x"(value));
#elif defined(__aarch64__)
  asm volatile("" : : "w"(value));
#else
  volatile float sink = value[0];
  static_cast<void>(sink);
#endif
}

void fma_window() {
  simd::Vec chain[kChains];
  for (int i = 0; i < kChains; ++i) {
    chain[i] = simd::broadcast(static_cast<float>(i));
  }
  const simd::Vec factor = simd::broadcast(0.999F);
  const simd::Vec term = simd::broadcast(0.001F);
  for (int step = 0; step < kStepsPerWindow; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      chain[i] = simd::fma(chain[i], factor, term);
    }
  }
  for (const simd::Vec& value : chain) {
    keep(value);
  }
}

}  // namespace

int num_usable_cpus() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max(1, CPU_COUNT(&set));
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

double measure_fma_peak_flops(ThreadPool& pool) {
  constexpr double kFlops = 2.0 * simd::kLanes * kChains * static_cast<double>(kStepsPerWindow);
  double best = 0.0;
  for (int window = 0; window < kWindows; ++window) {
    const auto start = std::chrono::steady_clock::now();
    pool.run([](int /*thread_index*/) { fma_window(); });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, kFlops * pool.num_threads() / elapsed.count());
  }
  return best;
}

std::string_view compiled_instruction_set() {
#if defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__) && defined(__FMA__)
  return "AVX2";
#elif defined(__aarch64__)
  return "NEON";
#else
  return "scalar";
#endif
}

Status check_cpu_supports_build() {
  std::string missing;
#if defined(__x86_64__)
  __builtin_cpu_init();
  // The builtin takes literals only.
#define CAIRN_REQUIRE(feature)              \
  if (!__builtin_cpu_supports(feature)) {   \
    missing += missing.empty() ? "" : ", "; \
    missing += (feature);                   \
  }
#if defined(__FMA__)
  CAIRN_REQUIRE("fma")
#endif
#if defined(__AVX2__)
  CAIRN_REQUIRE("avx2")
#endif
#if defined(__BMI2__)
  CAIRN_REQUIRE("bmi2")
#endif
#if defined(__AVX512F__)
  CAIRN_REQUIRE("avx512f")
#endif
#if defined(__AVX512BW__)
  CAIRN_REQUIRE("avx512bw")
#endif
#if defined(__AVX512DQ__)
  CAIRN_REQUIRE("avx512dq")
#endif
#if defined(__AVX512VL__)
  CAIRN_REQUIRE("avx512vl")
#endif
#if defined(__AVX512VBMI__)
  CAIRN_REQUIRE("avx512vbmi")
#endif
#undef CAIRN_REQUIRE
#endif
  if (missing.empty()) {
    return ok_status();
  }
  return bad_config("this program was compiled for " + std::string(compiled_instruction_set()) +
                    ", but this CPU lacks " + missing +
                    "; rebuild with -DCAIRN_CPU=native on this machine, or -DCAIRN_CPU=x86-64-v3 for any "
                    "x86-64 with AVX2");
}

}  // namespace cairn
