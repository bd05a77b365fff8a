// String columns of Parquet files, through the Arrow library of the pyarrow wheel. That library is no part of the program:
// a plug-in beside it (libcairn_parquet.so, built where pyarrow is installed) is loaded when the first Parquet file
// is opened. docs/decisions/2026-11-25-parquet.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn {

class ParquetReader {
 public:
  // Reads rows from `first_row` on. `columns`: names of string columns; with dots, members of structs. kBadConfig saying what
  // to install when there is no plug-in; kNoInput when the file cannot be opened; kBadData naming it when it is no
  // Parquet or has no such string column. A column whose `is_optional` is set may be missing: its values are null.
  struct Column {
    std::string name;
    bool is_optional = false;
  };
  static Result<ParquetReader> open(const std::string& path, const std::vector<Column>& columns,
                                    std::int64_t first_row);
  ~ParquetReader();
  ParquetReader(ParquetReader&&) noexcept;
  ParquetReader& operator=(ParquetReader&&) noexcept;

  // The next rows of one row group, at most 1,024, cut the same wherever reading began; false at the end. kBadData naming
  // file and row group where it is damaged.
  Result<bool> next();
  std::int64_t first_row() const;  // of those that next() read
  std::int64_t num_rows() const;
  bool is_null(std::int64_t column, std::int64_t row) const;            // row: counted from first_row()
  std::string_view value(std::int64_t column, std::int64_t row) const;  // until the next next(); "" of null

 private:
  struct State;
  explicit ParquetReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cairn
