#include "doors/mapped_file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

namespace cairn {
namespace {

// What is mapped now, for the signal handler, which reaches nothing but objects at namespace scope. A slot is free
// while its size is 0; its other members are written before the size and read after it.
struct Mapping {
  std::atomic<std::size_t> size{0};
  std::atomic<bool> is_taken{false};
  std::atomic<std::uintptr_t> begin{0};
  std::array<char, 512> path{};
};
static_assert(std::atomic<std::size_t>::is_always_lock_free &&
              std::atomic<std::uintptr_t>::is_always_lock_free);
constexpr std::size_t kMappingsMax = 4096;
constinit std::array<Mapping, kMappingsMax> mappings{};
constinit std::atomic<bool> is_handled{false};

// A line put together without memory or locks.
class SignalLine {
 public:
  void text(std::string_view part) {
    for (const char c : part) {
      if (length_ < line_.size()) {
        line_[length_++] = c;
      }
    }
  }
  void number(std::size_t value) {
    std::array<char, 24> digits{};
    std::size_t begin = digits.size();
    do {
      digits[--begin] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    text(std::string_view(digits.data() + begin, digits.size() - begin));
  }
  void write() const { static_cast<void>(::write(STDERR_FILENO, line_.data(), length_) == 0); }

 private:
  std::array<char, 1024> line_{};
  std::size_t length_ = 0;
};

void on_bus_error(int number, siginfo_t* facts, void* /*context*/) {
  const auto address = reinterpret_cast<std::uintptr_t>(facts->si_addr);
  for (const Mapping& mapping : mappings) {
    const std::size_t size = mapping.size.load(std::memory_order_acquire);
    const std::uintptr_t begin = mapping.begin.load(std::memory_order_relaxed);
    if (size == 0 || address < begin || address - begin >= size) {
      continue;
    }
    SignalLine line;
    line.text("error: '");
    line.text(mapping.path.data());
    line.text("' cannot be read at byte ");
    line.number(address - begin);
    line.text(": it was cut, or its disk failed, while it was in use\n");
    line.write();
    ::_exit(static_cast<int>(StatusCode::kIo));
  }
  // Nobody's mapping: the default action, as soon as this handler returns.
  ::signal(number, SIG_DFL);
}

Status handle_bus_errors() {
  if (is_handled.exchange(true)) {
    return ok_status();
  }
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(SIGBUS, &action, nullptr) != 0) {
    return {StatusCode::kBug, "the system refused a handler of SIGBUS"};
  }
  return ok_status();
}

Mapping* take_slot() {
  for (Mapping& mapping : mappings) {
    if (!mapping.is_taken.exchange(true)) {
      return &mapping;
    }
  }
  return nullptr;
}

class RealMappedFile : public MappedFile {
 public:
  RealMappedFile(void* address, std::size_t size, Mapping* slot)
      : address_(address), size_(size), slot_(slot) {}
  RealMappedFile(const RealMappedFile&) = delete;
  RealMappedFile& operator=(const RealMappedFile&) = delete;
  ~RealMappedFile() override {
    slot_->size.store(0, std::memory_order_release);
    ::munmap(address_, size_);
    slot_->is_taken.store(false);
  }
  std::span<const std::byte> bytes() const override {
    return {static_cast<const std::byte*>(address_), size_};
  }

 private:
  void* address_;
  std::size_t size_;
  Mapping* slot_;
};

class EmptyFile : public MappedFile {
 public:
  std::span<const std::byte> bytes() const override { return {}; }
};

}  // namespace

Result<std::unique_ptr<MappedFile>> map_descriptor(int descriptor, std::size_t size,
                                                   const std::string& path) {
  if (size == 0) {
    return std::unique_ptr<MappedFile>(std::make_unique<EmptyFile>());
  }
  TRY(handle_bus_errors());
  Mapping* slot = take_slot();
  if (slot == nullptr) {
    return Status(StatusCode::kTransient,
                  fmt::format("cannot map '{}': {} files are mapped", path, kMappingsMax));
  }
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) {
    const int error = errno;
    slot->is_taken.store(false);
    return Status(error == ENOMEM ? StatusCode::kTransient : StatusCode::kIo,
                  fmt::format("cannot map '{}': {}", path, std::generic_category().message(error)));
  }
  const std::size_t length = std::min(path.size(), slot->path.size() - 1);
  std::copy_n(path.data(), length, slot->path.data());
  slot->path[length] = '\0';
  slot->begin.store(reinterpret_cast<std::uintptr_t>(address), std::memory_order_relaxed);
  slot->size.store(size, std::memory_order_release);
  return std::unique_ptr<MappedFile>(std::make_unique<RealMappedFile>(address, size, slot));
}

}  // namespace cairn
