#include "doors/mapped_file.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "doors/file_system.h"
#include "doors/sim_file_system.h"

namespace cairn {
namespace {

constexpr std::size_t kBytes = std::size_t{1} << 20;

class MappedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "/mapped-" + std::to_string(::getpid());
    ASSERT_TRUE(files_->replace_text(path_, std::string(kBytes, 'x')).ok());
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::unique_ptr<FileSystem> files_ = make_real_file_system();
  std::string path_;
};

TEST_F(MappedFileTest, HasTheBytesOfTheFile) {
  const std::unique_ptr<MappedFile> file = files_->map(path_).value();
  ASSERT_EQ(file->bytes().size(), kBytes);
  EXPECT_EQ(file->bytes().back(), std::byte{'x'});
  EXPECT_EQ(files_->map(path_ + ".missing").status().code(), StatusCode::kNoInput);
}

TEST_F(MappedFileTest, AnEmptyFileHasNone) {
  std::filesystem::resize_file(path_, 0);
  EXPECT_TRUE(files_->map(path_).value()->bytes().empty());
}

TEST_F(MappedFileTest, AFileCutWhileItIsMappedEndsTheProcessNamingFileAndByte) {
  EXPECT_EXIT(
      {
        const std::unique_ptr<MappedFile> file = files_->map(path_).value();
        std::filesystem::resize_file(path_, 0);
        const volatile std::byte value = file->bytes()[70'000];
        static_cast<void>(value);
      },
      testing::ExitedWithCode(74), "mapped-.*cannot be read at byte 70000");
}

TEST(SimulatedMap, IsACopy) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.make_directories("/d").ok());
  ASSERT_TRUE(files.replace_text("/d/file", "abc").ok());
  const std::unique_ptr<MappedFile> file = files.map("/d/file").value();
  EXPECT_EQ(file->bytes().size(), 3U);
}

}  // namespace
}  // namespace cairn
