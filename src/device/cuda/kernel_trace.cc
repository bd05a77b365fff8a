#include "device/kernel_trace.h"

#include <algorithm>
#include <cstdlib>

#include <cupti.h>
#include <cxxabi.h>
#include <fmt/format.h>

#include "base/check.h"
#include "doors/shared_library.h"

namespace cairn {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{8} << 20;
constexpr CUpti_ActivityKind kKinds[] = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
                                         CUPTI_ACTIVITY_KIND_MEMSET};

std::string demangled(const char* name) {
  int status = 0;
  char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 ? text : name;
  std::free(text);
  return result;
}

}  // namespace

struct KernelTrace::Impl {
  // One at a time: the library calls back without a context.
  static Impl* current;

  explicit Impl(SharedLibrary opened) : library(opened) {}

  template <class Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(library.symbol(name));
  }
  // Empty when the library lacks the function or refuses.
  std::string call(CUptiResult result) const {
    if (result == CUPTI_SUCCESS) {
      return "";
    }
    const char* text = "no reason given";
    function<decltype(cuptiGetResultString)>("cuptiGetResultString")(result, &text);
    return text;
  }
  void read(std::uint8_t* buffer, std::size_t num_bytes) {
    auto* const next = function<decltype(cuptiActivityGetNextRecord)>("cuptiActivityGetNextRecord");
    CUpti_Activity* record = nullptr;
    while (next(buffer, num_bytes, &record) == CUPTI_SUCCESS) {
      keep(*record);
    }
  }
  void keep(const CUpti_Activity& record) {
    const auto add = [&](std::string name, std::uint64_t begin, std::uint64_t end) {
      intervals.push_back(
          {std::move(name), static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)});
    };
    if (record.kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
      const auto& kernel = reinterpret_cast<const CUpti_ActivityKernel10&>(record);
      add(demangled(kernel.name), kernel.start, kernel.end);
    } else if (record.kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
      const auto& copy = reinterpret_cast<const CUpti_ActivityMemcpy6&>(record);
      add("copy", copy.start, copy.end);
    } else if (record.kind == CUPTI_ACTIVITY_KIND_MEMSET) {
      const auto& fill = reinterpret_cast<const CUpti_ActivityMemset4&>(record);
      add("fill", fill.start, fill.end);
    }
  }
  static void CUPTIAPI give_buffer(std::uint8_t** buffer, std::size_t* size, std::size_t* num_records_max) {
    *size = kBufferBytes;
    *num_records_max = 0;  // as many as fit
    *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(8, kBufferBytes));
  }
  static void CUPTIAPI take_buffer(CUcontext /*context*/, std::uint32_t /*stream*/, std::uint8_t* buffer,
                                   std::size_t /*size*/, std::size_t num_valid) {
    if (current != nullptr) {
      current->read(buffer, num_valid);
    }
    std::free(buffer);
  }

  SharedLibrary library;
  std::vector<DeviceInterval> intervals;
};

KernelTrace::Impl* KernelTrace::Impl::current = nullptr;

KernelTrace::KernelTrace(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

KernelTrace::~KernelTrace() {
  Impl::current = nullptr;
}

Result<std::unique_ptr<KernelTrace>> KernelTrace::start() {
  CHECK(Impl::current == nullptr, "one trace at a time");
  TRY_ASSIGN(const SharedLibrary library,
             SharedLibrary::open_of_system(fmt::format("libcupti.so.{}", CUDA_VERSION / 1000)));
  std::unique_ptr<KernelTrace> trace(new KernelTrace(std::make_unique<Impl>(library)));
  Impl& impl = *trace->impl_;
  for (const char* name : {"cuptiActivityRegisterCallbacks", "cuptiActivityEnable", "cuptiActivityDisable",
                           "cuptiActivityFlushAll", "cuptiActivityGetNextRecord", "cuptiGetResultString"}) {
    if (impl.library.symbol(name) == nullptr) {
      return bad_config(fmt::format("libcupti has no {}", name));
    }
  }
  std::string refusal = impl.call(impl.function<decltype(cuptiActivityRegisterCallbacks)>(
      "cuptiActivityRegisterCallbacks")(&Impl::give_buffer, &Impl::take_buffer));
  for (const CUpti_ActivityKind kind : kKinds) {
    if (refusal.empty()) {
      refusal = impl.call(impl.function<decltype(cuptiActivityEnable)>("cuptiActivityEnable")(kind));
    }
  }
  if (!refusal.empty()) {
    return bad_config("CUPTI refuses to trace: " + refusal);
  }
  Impl::current = trace->impl_.get();
  return trace;
}

std::vector<DeviceInterval> KernelTrace::stop() {
  constexpr std::uint32_t kEvenUnfinishedBuffers = 1;
  static_cast<void>(
      impl_->function<decltype(cuptiActivityFlushAll)>("cuptiActivityFlushAll")(kEvenUnfinishedBuffers));
  for (const CUpti_ActivityKind kind : kKinds) {
    static_cast<void>(impl_->function<decltype(cuptiActivityDisable)>("cuptiActivityDisable")(kind));
  }
  std::ranges::sort(impl_->intervals, {}, &DeviceInterval::begin_ns);
  return std::move(impl_->intervals);
}

}  // namespace cairn
