#include "formats/parquet.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

// Unit tests do not lie beside the plug-in; tests/data/tokenize_test.py reads Parquet through it.
TEST(Parquet, WithoutThePlugInTheErrorSaysWhatToDo) {
  const Status status = ParquetReader::open("a.parquet", {{"text", false}}, 0).status();
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  for (const char* part : {"a.parquet", "libcairn_parquet.so", "pyarrow"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace cairn
