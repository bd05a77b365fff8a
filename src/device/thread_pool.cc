#include "device/thread_pool.h"

#include <algorithm>

#include "base/check.h"
#include "device/cpu_facts.h"

namespace cairn {

IndexRange static_block(std::int64_t count, std::int64_t part, std::int64_t parts, std::int64_t grain) {
  const std::int64_t units = (count + grain - 1) / grain;
  const std::int64_t base = units / parts;
  const std::int64_t longer = units % parts;
  const std::int64_t begin = part * base + std::min(part, longer);
  const std::int64_t end = begin + base + (part < longer ? 1 : 0);
  return {std::min(begin * grain, count), std::min(end * grain, count)};
}

namespace {

constexpr int kSpins = 2000;  // some tens of microseconds

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether `is_ready()` came true within `num_spins` looks.
template <class Condition>
bool spin_until(int num_spins, const Condition& is_ready) {
  for (int i = 0; i < num_spins; ++i) {
    if (is_ready()) {
      return true;
    }
    pause_briefly();
  }
  return is_ready();
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) : num_spins_(0), num_threads_(num_threads) {
  CHECK(num_threads >= 1, "a thread pool has at least one thread");
  // With more threads than cores a spinning thread would keep the one it waits for from running.
  if (num_threads <= num_usable_cpus()) {
    num_spins_ = kSpins;
  }
  threads_.reserve(static_cast<std::size_t>(num_threads - 1));
  for (int i = 1; i < num_threads; ++i) {
    threads_.emplace_back([this, i] { worker(i); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_.store(true, std::memory_order_release);
  }
  start_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void ThreadPool::run_erased(Entry entry, void* context) {
  if (num_threads_ == 1) {
    entry(context, 0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    CHECK(num_running_.load(std::memory_order_relaxed) == 0, "ThreadPool::run is not reentrant");
    entry_ = entry;
    context_ = context;
    num_running_.store(num_threads_ - 1, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
  }
  start_.notify_all();
  entry(context, 0);
  const auto is_done = [this] { return num_running_.load(std::memory_order_acquire) == 0; };
  if (!spin_until(num_spins_, is_done)) {
    std::unique_lock lock(mutex_);
    done_.wait(lock, is_done);
  }
}

void ThreadPool::worker(int thread_index) {
  std::uint64_t seen = 0;
  const auto has_news = [&] {
    return is_stopping_.load(std::memory_order_acquire) ||
           generation_.load(std::memory_order_acquire) != seen;
  };
  while (true) {
    if (!spin_until(num_spins_, has_news)) {
      std::unique_lock lock(mutex_);
      start_.wait(lock, has_news);
    }
    if (is_stopping_.load(std::memory_order_acquire)) {
      return;
    }
    // Nobody raises it again before this thread has counted itself out.
    seen = generation_.load(std::memory_order_acquire);
    entry_(context_, thread_index);
    if (num_running_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      // Under the lock, so that the caller cannot miss it between its last look and its sleep.
      const std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }
}

}  // namespace cairn
