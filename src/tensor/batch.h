// One microbatch as the data plane hands it to the model. Views only; the owner is the loader's arena.
#pragma once

#include "tensor/tensor_view.h"

namespace cairn {

// All tensors are (B, T).
struct BatchView {
  ConstTensorView tokens_BT;     // int32, input ids in [0, V)
  ConstTensorView targets_BT;    // int32, id to predict at each position; any value where loss_mask is 0
  ConstTensorView loss_mask_BT;  // float32, 0 or 1: Goldfish, EOD, padding and document rules multiplied
  ConstTensorView positions_BT;  // int32, position fed to RoPE
  ConstTensorView first_key_BT;  // int32, earliest row of the same sequence that this row may attend to:
                                 // 0 = plain causal; start of the document = no attention across documents
};

}  // namespace cairn
