// Work that is cut into parts: one for each worker of a pool, or a single one for the caller where there is no pool.
#pragma once

#include "device/thread_pool.h"

namespace cairn::data {

inline int num_parts(const ThreadPool* pool) {
  return pool == nullptr ? 1 : pool->num_threads();
}

// Calls body(part) for each part, in parallel.
template <class Body>
void for_parts(ThreadPool* pool, Body&& body) {
  if (pool == nullptr) {
    body(0);
  } else {
    pool->run(body);
  }
}

}  // namespace cairn::data
