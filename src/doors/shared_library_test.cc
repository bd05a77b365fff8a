#include "doors/shared_library.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(SharedLibrary, WhatIsMissingIsNoInput) {
  const Result<SharedLibrary> library = SharedLibrary::open_beside_program("libcairn_that_nobody_has.so");
  EXPECT_EQ(library.status().code(), StatusCode::kNoInput);
  EXPECT_NE(library.status().message().find("libcairn_that_nobody_has.so"), std::string::npos);
}

TEST(SharedLibrary, OfTheSystemIsFoundByItsName) {
  const Result<SharedLibrary> library = SharedLibrary::open_of_system("libm.so.6");
  ASSERT_TRUE(library.ok()) << library.status().message();
  EXPECT_NE(library->symbol("cos"), nullptr);
  const Result<SharedLibrary> missing = SharedLibrary::open_of_system("libcairn_of_nobody.so.9");
  EXPECT_EQ(missing.status().code(), StatusCode::kNoInput);
}

TEST(SharedLibrary, WhatIsNoLibraryIsRefusedWithTheReason) {
  const std::filesystem::path path =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libcairn_damaged_for_a_test.so";
  std::ofstream(path) << "no library";
  const Result<SharedLibrary> library = SharedLibrary::open_beside_program(path.filename());
  std::filesystem::remove(path);
  EXPECT_EQ(library.status().code(), StatusCode::kBadConfig);
  EXPECT_NE(library.status().message().find(path.filename()), std::string::npos)
      << library.status().message();
}

}  // namespace
}  // namespace cairn
