// Which of cuBLASLt's kernels a run's matrix products take: RUN/cache/product-choices.txt, tuned once, then the same in every
// attempt, so that a resumed run has the bits of one that was not stopped.
#pragma once

#include <functional>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "device/cuda_device.h"
#include "doors/file_system.h"

namespace cairn::train {

struct ProductChoices {
  std::string path;
  // Without a file: tune and write one, or leave the library's own choice, which is the same on every start.
  bool tunes = false;
  // Runs one microbatch forward and backward: every product of the run, with gradients that are thrown away.
  std::function<void()> run_microbatch;
};
// A file for another GPU or library is told and counts as missing.
Status choose_products(FileSystem& files, CudaDevice& device, Logger& log, const ProductChoices& choices);

}  // namespace cairn::train
