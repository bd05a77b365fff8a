// `cairn checkpoint parity`: what a model folder computes on given tokens, for anyone who ports a model.
#include <memory>
#include <ostream>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/faults.h"
#include "commands.h"
#include "device/cpu_facts.h"
#include "device/cuda_device.h"
#include "formats/json.h"
#include "serve/parity.h"

namespace cairn::apps {
namespace {

struct ParityOptions {
  serve::ParityRequest request;
  std::string positions;
  std::string device = "cpu";
  std::string dtype = "float32";
};

Status check_options(const ParityOptions& options) {
  Faults faults;
  if (options.device == "cuda" && !CudaDevice::is_built()) {
    faults.add("--device", options.device, "is not available: this program was built without CUDA",
               "use cpu, or build where nvcc is");
  }
  if (options.dtype == "bfloat16" && options.device != "cuda") {
    faults.add("--dtype", options.dtype, "is computed on a GPU only", "use float32, or --device cuda");
  }
  return faults.to_status(StatusCode::kUsage, "cairn checkpoint parity:");
}

Status run(const ParityOptions& options, CommandContext& context) {
  TRY(check_options(options));
  TRY_ASSIGN(const serve::ParityResult result, serve::run_parity(context.files, options.request));
  if (context.json) {
    Json out;
    out["output"] = options.request.output_path;
    out["sequences"] = result.num_sequences;
    out["tokens_per_sequence"] = result.sequence;
    out["predicted"] = result.num_predicted;
    out["loss"] = result.loss ? Json(*result.loss) : Json(nullptr);
    context.out << json_to_text(out, -1) << '\n';
    return ok_status();
  }
  context.out << fmt::format("{} x {} tokens", result.num_sequences, result.sequence);
  if (result.loss) {
    context.out << fmt::format(", loss {:.6f} over {} labels", *result.loss, result.num_predicted);
  }
  context.out << ", written to " << options.request.output_path << '\n';
  return ok_status();
}

}  // namespace

void add_parity_command(CLI::App& checkpoint, CommandContext& context) {
  const auto options = std::make_shared<ParityOptions>();
  CLI::App* command =
      checkpoint.add_subcommand("parity", "Logits, loss and gradients of a model folder on given tokens");
  command->add_option("model", options->request.model_path, "Model folder (config.json, safetensors)")
      ->required();
  command
      ->add_option(
          "--inputs", options->request.inputs_path,
          "safetensors: input_ids [B,T], optional labels (shifted, -100 ignored) and document_lengths")
      ->required();
  command->add_option("--out", options->request.output_path, "New safetensors file")->required();
  command->add_flag("--gradients", options->request.with_gradients, "Also grad.<parameter> of the loss");
  command->add_option("--positions", options->positions, "Positions of packed documents (default: restart)")
      ->check(CLI::IsMember({"restart", "continue"}));
  command->add_option("--device", options->device, "Where to compute: cpu or cuda (default: cpu)")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  command->add_option("--dtype", options->dtype, "Compute type: float32 or bfloat16 (default: float32)")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  command->callback([options, &context] {
    options->request.positions = options->positions == "continue" ? serve::PackedPositions::kContinue
                                                                  : serve::PackedPositions::kRestart;
    options->request.num_threads = num_usable_cpus();
    options->request.device = options->device == "cuda" ? DeviceKind::kCuda : DeviceKind::kCpu;
    options->request.dtype = options->dtype == "bfloat16" ? DType::kBFloat16 : DType::kFloat32;
    context.set_action([options, &context] { return run(*options, context); });
  });
}

}  // namespace cairn::apps
