// Plans are graphs of cuDNN's front end: one scaled dot product attention, forward or backward. Packed documents are a batch
// of sequences of any length that lie one behind the other ("ragged": each tensor comes with the element where every sequence
// starts), so that work across documents is never done.
#include <array>
#include <atomic>
#include <cmath>
#include <exception>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <cudnn_frontend.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "ops/attention_cudnn.h"
#include "ops/plan_texts.h"

// Where the front end looks up the library's functions.
namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;
}  // namespace cudnn_frontend

namespace cairn::ops::cuda {
namespace {

namespace fe = cudnn_frontend;
using fe::graph::Tensor_attributes;
using TensorPointer = std::shared_ptr<Tensor_attributes>;

constexpr char kLibrary[] = "libcudnn.so.9";
// Grouped queries in ragged sequences and log-sum-exps without holes come with it.
constexpr std::size_t kLeastVersion = 90600;

// Names of the tensors of a plan.
enum Uid : std::int64_t {
  kQ = 1,
  kK,
  kV,
  kO,
  kLse,
  kDo,
  kDq,
  kDk,
  kDv,
  kLengths,
  kQueryStarts,
  kKeyStarts,
  kRowStarts
};
using Pointers = std::unordered_map<std::int64_t, void*>;

struct Plan {
  std::unique_ptr<fe::graph::Graph> graph;
  std::int64_t workspace_bytes = 0;
};

struct Plans {
  std::once_flag made;
  Plan forward, backward;
  bool can_run = false;
  std::string refusal;  // why not
};

using Key = std::array<std::int64_t, 7>;

Key key_of(const CudnnAttentionShape& shape) {
  const AttentionDims& d = shape.dims;
  return {d.B, d.T, d.H, d.G, d.C, shape.table_rows, shape.deterministic ? 1 : 0};
}

// Of a plan in a text.
std::string plan_name(const char* direction, const Key& key) {
  return fmt::format("{} {}", direction, fmt::join(key, " "));
}

AttentionDims backward_part(const CudnnAttentionShape& shape) {
  return shape.deterministic ? fixed_order_part(shape.dims) : shape.dims;
}

// A handle is for one thread at a time: those of plans that are made are not those of plans that run.
enum class Use : std::uint8_t { kRun, kMakeForward, kMakeBackward };

// The library as one device uses it. Any thread may prepare.
class Library {
 public:
  ~Library() {
    for (cudnnHandle_t handle : handles_) {
      if (handle != nullptr) {
        fe::detail::destroy_handle(handle);
      }
    }
  }
  // Loads it at the first call.
  Status open(const CudaDevice& device) {
    std::call_once(opened_, [&] { problem_ = load(device); });
    return problem_.empty() ? ok_status() : bad_config(problem_);
  }
  cudnnHandle_t handle(Use use) const { return handles_[static_cast<std::size_t>(use)]; }
  std::string name() const {
    return fmt::format("cuDNN {}.{}.{}", version_ / 10000, version_ / 100 % 100, version_ % 100);
  }
  Plans& plans(const Key& key) {
    const std::lock_guard lock(plans_mutex_);
    return plans_[key];
  }
  // Who makes plans holds it.
  std::mutex& making() { return making_; }

  // What texts of plans are valid for. The number goes up when declare_forward() or declare_backward() changes.
  std::string header(const CudaDevice& device) const {
    return fmt::format("cairn attention plans 1, {}, front end {}, {}", name(), CUDNN_FRONTEND_VERSION,
                       device.name());
  }
  // Before open(), which looks at the text.
  void give(std::string text) { given_text_ = std::move(text); }
  // To be used instead of compiling.
  const PlanTexts& given() const { return given_; }
  std::atomic<int> num_new = 0;  // plans compiled since new_texts()
  // Of all plans; under making().
  PlanTexts texts() const;

 private:
  std::string load(const CudaDevice& device) {
    if (fe::cudnn_dlhandle == nullptr) {
      fe::cudnn_dlhandle = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    }
    if (fe::cudnn_dlhandle == nullptr) {
      return fmt::format("{} is not on this machine", kLibrary);
    }
    try {
      version_ = fe::detail::get_backend_version();
      if (version_ < kLeastVersion) {
        return fmt::format("{} is older than 9.6", name());
      }
      for (cudnnHandle_t& handle : handles_) {
        if (fe::detail::create_handle(&handle) != CUDNN_STATUS_SUCCESS) {
          return name() + " does not start on this GPU";
        }
      }
      if (fe::detail::set_stream(handle(Use::kRun), static_cast<cudaStream_t>(device.stream())) !=
          CUDNN_STATUS_SUCCESS) {
        return name() + " refuses the stream";
      }
      if (Result<PlanTexts> given = parse_plan_texts(header(device), given_text_); given.ok()) {
        given_ = std::move(*given);
      }
      given_text_.clear();
    } catch (const std::exception& problem) {
      return problem.what();
    }
    return {};
  }

  std::once_flag opened_;
  std::array<cudnnHandle_t, 3> handles_{};
  std::size_t version_ = 0;
  std::string problem_;
  std::string given_text_;
  PlanTexts given_;
  std::mutex making_;
  mutable std::mutex plans_mutex_;  // of the map, not of the plans in it
  std::map<Key, Plans> plans_;
};

// Declares the tensors of one plan.
class Declaration {
 public:
  // The tensors of `part` lie in those of the whole shape.
  Declaration(fe::graph::Graph& graph, const CudnnAttentionShape& shape, const AttentionDims& part)
      : graph_(graph),
        dims_(part),
        query_stride_(shape.dims.H * shape.dims.C),
        key_stride_(shape.dims.G * shape.dims.C),
        batch_(shape.table_rows == 0 ? part.B : shape.table_rows - 1) {
    graph_.set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    if (shape.table_rows > 0) {
      lengths = indices("lengths", kLengths, batch_);
      query_starts_ = indices("query starts", kQueryStarts, batch_ + 1);
      key_starts_ = indices("key starts", kKeyStarts, batch_ + 1);
      row_starts_ = indices("row starts", kRowStarts, batch_ + 1);
    }
  }

  TensorPointer queries(const char* name, Uid uid) { return graph_.tensor(query_attributes(name, uid)); }
  TensorPointer keys(const char* name, Uid uid) {
    return graph_.tensor(heads_attributes(name, uid, dims_.G, key_stride_, key_starts_));
  }
  TensorPointer statistics() { return graph_.tensor(statistics_attributes()); }
  void becomes_queries(const TensorPointer& output, const char* name, Uid uid) {
    *output = query_attributes(name, uid).set_output(true);
  }
  void becomes_keys(const TensorPointer& output, const char* name, Uid uid) {
    *output = heads_attributes(name, uid, dims_.G, key_stride_, key_starts_).set_output(true);
  }
  void becomes_statistics(const TensorPointer& output) { *output = statistics_attributes().set_output(true); }
  // Applies what forward and backward have in common.
  template <class Attributes>
  void describe(Attributes& attributes) {
    attributes.set_causal_mask(true).set_attn_scale(1.0F / std::sqrt(static_cast<float>(dims_.C)));
    if (lengths != nullptr) {
      attributes.set_padding_mask(true).set_seq_len_q(lengths).set_seq_len_kv(lengths);
    }
  }

  TensorPointer lengths;

 private:
  TensorPointer indices(const char* name, Uid uid, std::int64_t count) {
    return graph_.tensor(Tensor_attributes()
                             .set_name(name)
                             .set_uid(uid)
                             .set_data_type(fe::DataType_t::INT32)
                             .set_dim({count, 1, 1, 1})
                             .set_stride({1, 1, 1, 1}));
  }
  Tensor_attributes query_attributes(const char* name, Uid uid) const {
    return heads_attributes(name, uid, dims_.H, query_stride_, query_starts_);
  }
  Tensor_attributes heads_attributes(const char* name, Uid uid, std::int64_t heads, std::int64_t row_stride,
                                     const TensorPointer& starts) const {
    Tensor_attributes attributes;
    attributes.set_name(name)
        .set_uid(uid)
        .set_data_type(fe::DataType_t::BFLOAT16)
        .set_dim({batch_, heads, dims_.T, dims_.C})
        .set_stride({dims_.T * row_stride, dims_.C, row_stride, 1});
    if (starts != nullptr) {
      attributes.set_ragged_offset(starts);
    }
    return attributes;
  }
  Tensor_attributes statistics_attributes() const {
    const bool is_ragged = row_starts_ != nullptr;
    Tensor_attributes attributes;
    attributes.set_name("log-sum-exp")
        .set_uid(kLse)
        .set_data_type(fe::DataType_t::FLOAT)
        .set_dim({batch_, dims_.H, dims_.T, 1})
        .set_stride({dims_.H * dims_.T, is_ragged ? 1 : dims_.T, is_ragged ? dims_.H : 1, 1});
    if (is_ragged) {
      attributes.set_ragged_offset(row_starts_);
    }
    return attributes;
  }

  fe::graph::Graph& graph_;
  AttentionDims dims_;
  std::int64_t query_stride_, key_stride_;
  std::int64_t batch_;
  TensorPointer query_starts_, key_starts_, row_starts_;
};

void declare_forward(fe::graph::Graph& graph, const CudnnAttentionShape& shape) {
  Declaration declaration(graph, shape, shape.dims);
  auto attributes = fe::graph::SDPA_attributes().set_name("attention").set_generate_stats(true);
  declaration.describe(attributes);
  const auto [o, lse] = graph.sdpa(declaration.queries("q", kQ), declaration.keys("k", kK),
                                   declaration.keys("v", kV), std::move(attributes));
  declaration.becomes_queries(o, "o", kO);
  declaration.becomes_statistics(lse);
}

void declare_backward(fe::graph::Graph& graph, const CudnnAttentionShape& shape) {
  Declaration declaration(graph, shape, backward_part(shape));
  auto attributes = fe::graph::SDPA_backward_attributes().set_name("attention backward");
  declaration.describe(attributes);
  attributes.set_deterministic_algorithm(shape.deterministic);
  if (shape.table_rows > 0) {
    const std::int64_t rows = shape.dims.B * shape.dims.T;
    attributes.set_max_total_seq_len_q(rows).set_max_total_seq_len_kv(rows);
  }
  const auto [dq, dk, dv] =
      graph.sdpa_backward(declaration.queries("q", kQ), declaration.keys("k", kK), declaration.keys("v", kV),
                          declaration.queries("o", kO), declaration.queries("do", kDo),
                          declaration.statistics(), std::move(attributes));
  declaration.becomes_queries(dq, "dq", kDq);
  declaration.becomes_keys(dk, "dk", kDk);
  declaration.becomes_keys(dv, "dv", kDv);
}

using Declare = void (&)(fe::graph::Graph&, const CudnnAttentionShape&);

// As it was made in another run; false where the library does not take it.
bool restore(cudnnHandle_t handle, const std::string& text, Plan& plan) {
  try {
    plan.graph = std::make_unique<fe::graph::Graph>();
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    return plan.graph->deserialize(handle, bytes, true, false).is_good() &&
           plan.graph->get_workspace_size(plan.workspace_bytes).is_good();
  } catch (const std::exception&) {
    return false;
  }
}

// Empty, or the library's reason.
std::string compile(cudnnHandle_t handle, const CudnnAttentionShape& shape, Declare declare, Plan& plan) {
  try {
    plan.graph = std::make_unique<fe::graph::Graph>();
    declare(*plan.graph, shape);
    fe::error_t error = plan.graph->build(handle, {fe::HeurMode_t::A});
    if (error.is_good()) {
      error = plan.graph->get_workspace_size(plan.workspace_bytes);
    }
    return error.is_good() ? std::string() : error.get_message();
  } catch (const std::exception& problem) {
    return problem.what();
  }
}

// Empty, or why the plan cannot run.
std::string make(const OpContext& ctx, Library& library, Use use, const CudnnAttentionShape& shape,
                 Plan& plan) {
  const bool is_forward = use == Use::kMakeForward;
  const auto given = library.given().find(plan_name(is_forward ? "forward" : "backward", key_of(shape)));
  if (given == library.given().end() || !restore(library.handle(use), given->second, plan)) {
    std::string problem =
        compile(library.handle(use), shape, is_forward ? declare_forward : declare_backward, plan);
    if (!problem.empty()) {
      return problem;
    }
    ++library.num_new;
  }
  return plan.workspace_bytes <= ctx.workspace.num_bytes()
             ? std::string()
             : fmt::format("wants {} bytes of workspace and {} are planned", plan.workspace_bytes,
                           ctx.workspace.num_bytes());
}

// Kernels are compiled here, for about a second each: forward's beside backward's.
void make_both(const OpContext& ctx, Library& library, const CudnnAttentionShape& shape, Plans& plans) {
  const std::lock_guard making(library.making());
  auto forward = std::async(std::launch::async, [&] {
    ctx.device->make_current();
    return make(ctx, library, Use::kMakeForward, shape, plans.forward);
  });
  const std::string problem = make(ctx, library, Use::kMakeBackward, shape, plans.backward);
  const std::string forward_problem = forward.get();
  plans.refusal = forward_problem.empty() ? problem : forward_problem;
  plans.can_run = plans.refusal.empty();
}

// Who comes while another thread makes them waits for it.
Plans& plans_of(const OpContext& ctx, Library& library, const CudnnAttentionShape& shape) {
  Plans& plans = library.plans(key_of(shape));
  std::call_once(plans.made, [&] { make_both(ctx, library, shape, plans); });
  return plans;
}

PlanTexts Library::texts() const {
  PlanTexts texts;
  const std::lock_guard lock(plans_mutex_);
  for (const auto& [key, plans] : plans_) {
    for (const auto& [direction, plan] :
         {std::pair("forward", &plans.forward), std::pair("backward", &plans.backward)}) {
      try {
        std::vector<std::uint8_t> bytes;
        if (plans.can_run && plan->graph->serialize(bytes, false).is_good()) {
          texts[plan_name(direction, key)] = std::string(bytes.begin(), bytes.end());
        }
      } catch (const std::exception&) {
        // A library that does not tell its plans: they are compiled again.
      }
    }
  }
  return texts;
}

template <class View>
void* address(const View& view, std::int64_t element = 0) {
  // The library takes inputs and outputs by one type.
  return const_cast<std::byte*>(view.bytes()) + element * dtype_size(view.dtype());
}

void add_documents(Pointers& pointers, const ConstTensorView& documents_4E) {
  if (!documents_4E.is_null()) {
    for (std::int64_t row = 0; row < 4; ++row) {
      pointers[kLengths + row] = address(documents_4E.rows(row, 1));
    }
  }
}

void run(const OpContext& ctx, Plan& plan, Pointers& pointers, const char* op) {
  fe::error_t error = plan.graph->execute(ctx.device->op_state<Library>().handle(Use::kRun), pointers,
                                          address(ctx.workspace));
  CHECK(error.is_good(), std::string(op) + ": " + error.get_message());
  ctx.device->check_launch(op);
}

}  // namespace

Result<std::string> cudnn_attention_prepare(const OpContext& ctx, const CudnnAttentionShape& shape) {
  Library& library = ctx.device->op_state<Library>();
  TRY(library.open(*ctx.device));
  const AttentionDims& d = shape.dims;
  if (shape.table_rows > 0 && shape.deterministic) {
    return bad_config("documents with sums in a fixed order would take a matrix of scores for each");
  }
  if (d.query_offset != 0 || d.S != d.T || d.C % 8 != 0 || d.T < 2) {
    return bad_config("the library takes whole sequences and heads of a multiple of 8 channels");
  }
  const Plans& plans = plans_of(ctx, library, shape);
  return plans.can_run ? Result<std::string>(library.name())
                       : bad_config(library.name() + ": " + plans.refusal);
}

std::string new_cudnn_attention_plans(CudaDevice& device) {
  Library& library = device.op_state<Library>();
  const std::unique_lock making(library.making(), std::try_to_lock);
  if (!making.owns_lock() || library.num_new.exchange(0) == 0) {
    return {};
  }
  return format_plan_texts(library.header(device), library.texts());
}

void use_cudnn_attention_plans(CudaDevice& device, std::string text) {
  device.op_state<Library>().give(std::move(text));
}

void cudnn_attention_forward(const OpContext& ctx, const CudnnAttentionShape& shape, TensorView o_BTHC,
                             TensorView lse_BHT, ConstTensorView q_BTHC, ConstTensorView k_BSGC,
                             ConstTensorView v_BSGC, ConstTensorView documents_4E) {
  Pointers pointers = {{kQ, address(q_BTHC)},
                       {kK, address(k_BSGC)},
                       {kV, address(v_BSGC)},
                       {kO, address(o_BTHC)},
                       {kLse, address(lse_BHT)}};
  add_documents(pointers, documents_4E);
  run(ctx, plans_of(ctx, ctx.device->op_state<Library>(), shape).forward, pointers, "attention_forward");
}

void cudnn_attention_backward(const OpContext& ctx, const CudnnAttentionShape& shape,
                              const AttentionBackward& args) {
  const AttentionDims& whole = shape.dims;
  const AttentionDims part = backward_part(shape);
  Plan& plan = plans_of(ctx, ctx.device->op_state<Library>(), shape).backward;
  for (std::int64_t b = 0; b < whole.B; b += part.B) {
    for (std::int64_t g = 0; g < whole.G; g += part.G) {
      const std::int64_t h = g * (whole.H / whole.G);
      const std::int64_t query = (b * whole.T * whole.H + h) * whole.C;
      const std::int64_t key = (b * whole.T * whole.G + g) * whole.C;
      const std::int64_t row = (b * whole.H + h) * whole.T;
      Pointers pointers = {{kQ, address(args.q_BTHC, query)},   {kK, address(args.k_BSGC, key)},
                           {kV, address(args.v_BSGC, key)},     {kO, address(args.o_BTHC, query)},
                           {kLse, address(args.lse_BHT, row)},  {kDo, address(args.do_BTHC, query)},
                           {kDq, address(args.dq_BTHC, query)}, {kDk, address(args.dk_BSGC, key)},
                           {kDv, address(args.dv_BSGC, key)}};
      add_documents(pointers, args.mask.documents_4E);
      run(ctx, plan, pointers, "attention_backward");
    }
  }
}

}  // namespace cairn::ops::cuda
