// Where samples begin in a stream of documents: Megatron's sample_index.
#pragma once

#include <cstdint>
#include <span>

#include "device/thread_pool.h"

namespace cairn::data {

// Where a sample starts or ends: the row of Megatron's sample_index.
struct StreamPosition {
  std::int32_t index = 0;   // into document_index
  std::int32_t offset = 0;  // tokens into that document
  friend bool operator==(const StreamPosition&, const StreamPosition&) = default;
};

// starts[k] = where token k * `sequence` of the stream lies; at the stream's end, where its last token lies. `documents`:
// the stream, numbers of documents; `lengths`: tokens of each document, all together at least one. With a pool on all of
// its threads. Takes 1.5 bytes of memory for each document of the stream.
void find_sample_starts(std::span<const std::int32_t> documents, std::span<const std::int32_t> lengths,
                        std::int64_t sequence, std::span<StreamPosition> starts, ThreadPool* pool);

}  // namespace cairn::data
