// The CPU's workers. Work is cut into contiguous blocks by a fixed rule, so that which thread does what
// is a pure function of (count, threads); ops are written so that results do not depend on it at all.
// One ThreadPool per process, passed by reference; run() is called from one thread at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace cairn {

struct IndexRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// Block `part` of `parts` of [0, count), the first count % parts blocks one longer. In units of `grain`.
IndexRange static_block(std::int64_t count, std::int64_t part, std::int64_t parts, std::int64_t grain = 1);

class ThreadPool {
 public:
  // num_threads >= 1 workers, the caller being one of them. Threads start here and end in the destructor.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return num_threads_; }

  // Calls body(thread_index) once on each worker and returns when all are done. Does not allocate when
  // `body` is passed as a reference to a callable (std::function is built by reference wrapper).
  template <class Body>
  void run(Body&& body) {
    run_erased(
        [](void* context, int thread_index) {
          (*static_cast<std::remove_reference_t<Body>*>(context))(thread_index);
        },
        // The callable gets its own type back above, const or not.
        const_cast<void*>(static_cast<const void*>(&body)));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  }

  // Calls body(begin, end) on contiguous blocks of [0, count), at most one per worker.
  // Runs on the calling thread alone when count <= grain.
  template <class Body>
  void parallel_for(std::int64_t count, std::int64_t grain, Body&& body) {
    if (num_threads_ == 1 || count <= grain) {
      if (count > 0) {
        body(std::int64_t{0}, count);
      }
      return;
    }
    run([&](int thread_index) {
      const IndexRange block = static_block(count, thread_index, num_threads_, grain);
      if (block.begin < block.end) {
        body(block.begin, block.end);
      }
    });
  }

 private:
  using Entry = void (*)(void* context, int thread_index);
  void run_erased(Entry entry, void* context);
  void worker(int thread_index);

  // Work follows work within microseconds in a training step: both sides look this often before they sleep.
  int num_spins_;
  int num_threads_;
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  // Written before generation_ is raised, read after it was seen to change.
  Entry entry_ = nullptr;
  void* context_ = nullptr;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> num_running_{0};
  std::atomic<bool> is_stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace cairn
