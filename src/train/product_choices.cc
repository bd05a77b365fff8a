#include "train/product_choices.h"

#include "ops/gemm.h"

namespace cairn::train {

Status choose_products(FileSystem& files, CudaDevice& device, Logger& log, const ProductChoices& choices) {
  if (const Result<std::string> text = files.read_text(choices.path); text.ok()) {
    const Status status = ops::use_product_choices(device, *text);
    if (status.ok()) {
      return status;
    }
    log.warning("stored choices of matrix products are not used",
                {{"path", choices.path}, {"reason", status.message()}});
  } else if (text.status().code() != StatusCode::kNoInput) {
    return text.status();
  }
  if (!choices.tunes) {
    return ok_status();
  }
  ops::set_product_tuning(device, true);
  choices.run_microbatch();
  ops::set_product_tuning(device, false);
  TRY(device.synchronize());
  return files.replace_text(choices.path, ops::product_choices(device));
}

}  // namespace cairn::train
