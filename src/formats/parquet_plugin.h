// The seam between the program and libcairn_parquet.so: plain C, so that nothing of Arrow is needed to build the program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn {

inline constexpr std::int32_t kParquetPluginVersion = 1;
inline constexpr const char* kParquetPluginSymbol = "cairn_parquet_plugin";

// Value of column c, row r: data[c * num_rows + r] with sizes[c * num_rows + r] bytes, -1 for null. Valid until the next call.
struct ParquetPluginRows {
  std::int64_t first_row;
  std::int64_t num_rows;
  const char* const* data;
  const std::int64_t* sizes;
};

struct ParquetPluginRequest {
  const char* path;
  const char* const* columns;
  const bool* is_optional;
  std::int64_t num_columns;
  std::int64_t first_row;
};

// `code` of a failure is a StatusCode; `text` says why.
struct ParquetPluginFailure {
  std::int32_t code;
  char text[1024];
};

struct ParquetPlugin {
  std::int32_t version;
  // Null on failure.
  void* (*open)(const ParquetPluginRequest* request, ParquetPluginFailure* failure);
  // 1: rows; 0: the end; -1: a failure.
  int (*next)(void* reader, ParquetPluginRows* rows, ParquetPluginFailure* failure);
  void (*close)(void* reader);
};

using ParquetPluginEntry = const ParquetPlugin* (*)();

}  // namespace cairn
