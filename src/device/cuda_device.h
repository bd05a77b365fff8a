// One CUDA GPU as the engine sees it: device and pinned host memory, one stream in which all work is ordered, and
// the first error of that work. This header compiles without CUDA; a program built without it answers every open()
// with kBadConfig that says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <typeindex>

#include "base/status.h"

namespace cairn {

class CudaDevice {
 public:
  // Whether this program was built with CUDA.
  static bool is_built();
  // Devices that can be opened; 0 without CUDA, without a driver or without a GPU.
  static int count();
  // kBadConfig: built without CUDA, no such device, or a GPU that is no Hopper (compute capability 9.0).
  static Result<std::unique_ptr<CudaDevice>> open(int ordinal);

  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;
  ~CudaDevice();

  const std::string& name() const;    // "NVIDIA H100 80GB HBM3"
  std::int64_t memory_bytes() const;  // of the whole GPU
  std::int64_t free_bytes() const;    // that could be allocated now
  int num_multiprocessors() const;

  // Zero-filled memory. kBadConfig when the GPU or the host refuses. Never called inside a step.
  Result<std::byte*> allocate(std::int64_t num_bytes);
  void release(std::byte* data);
  // Host memory that kernels read and write over the bus, and that copies to and from overlap with work.
  Result<std::byte*> allocate_pinned(std::int64_t num_bytes);
  void release_pinned(std::byte* data);

  // Ordered in the stream behind all work before; return at once when the host side is pinned.
  void copy_to_device(std::byte* to, const std::byte* from, std::int64_t num_bytes);
  void copy_to_host(std::byte* to, const std::byte* from, std::int64_t num_bytes);

  // Kernels: after each launch. Keeps the first error with the op's name and layer until synchronize().
  void check_launch(std::string_view op);
  // The layer that launches from now on belong to; kNoLayer for none.
  static constexpr int kNoLayer = -1;
  void set_layer(int layer);
  // Waits for all work. kNodeSuspect with layer, op and reason when any of it failed since the last call.
  [[nodiscard]] Status synchronize();

  // CUDA keeps per thread which GPU calls are for: open() makes it this one, other threads call this first.
  void make_current() const;
  // Runs `work` in a thread of its own with this GPU current, beside what the caller does next. It may prepare (load
  // libraries, make plans of their calls) but not queue work. The device closes when it is done, and it is
  // told to stop when the device closes before.
  void start_thread(std::function<void(std::stop_token)> work);

  // For .cu files: a cudaStream_t and a cublasLtHandle_t.
  void* stream() const;
  void* blas() const;
  // What the ops keep per device between calls (plans of library calls): one object of each type, made at first use, by
  // any thread.
  template <class State>
  State& op_state() {
    return *static_cast<State*>(
        held_state(typeid(State), [] { return std::static_pointer_cast<void>(std::make_shared<State>()); }));
  }

 private:
  void* held_state(std::type_index type, std::shared_ptr<void> (*make)());
  struct Impl;
  explicit CudaDevice(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn
