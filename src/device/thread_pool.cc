#include "device/thread_pool.h"

#include <algorithm>

#include "base/check.h"

namespace cairn {

IndexRange static_block(std::int64_t count, std::int64_t part, std::int64_t parts, std::int64_t grain) {
  const std::int64_t units = (count + grain - 1) / grain;
  const std::int64_t base = units / parts;
  const std::int64_t longer = units % parts;
  const std::int64_t begin = part * base + std::min(part, longer);
  const std::int64_t end = begin + base + (part < longer ? 1 : 0);
  return {std::min(begin * grain, count), std::min(end * grain, count)};
}

ThreadPool::ThreadPool(int num_threads) : num_threads_(num_threads) {
  CHECK(num_threads >= 1, "a thread pool has at least one thread");
  threads_.reserve(static_cast<std::size_t>(num_threads - 1));
  for (int i = 1; i < num_threads; ++i) {
    threads_.emplace_back([this, i] { worker(i); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
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
    CHECK(num_running_ == 0, "ThreadPool::run is not reentrant");
    entry_ = entry;
    context_ = context;
    num_running_ = num_threads_ - 1;
    ++generation_;
  }
  start_.notify_all();
  entry(context, 0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return num_running_ == 0; });
}

void ThreadPool::worker(int thread_index) {
  std::uint64_t seen = 0;
  while (true) {
    Entry entry = nullptr;
    void* context = nullptr;
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return is_stopping_ || generation_ != seen; });
      if (is_stopping_) {
        return;
      }
      seen = generation_;
      entry = entry_;
      context = context_;
    }
    entry(context, thread_index);
    const std::lock_guard lock(mutex_);
    if (--num_running_ == 0) {
      done_.notify_one();
    }
  }
}

}  // namespace cairn
