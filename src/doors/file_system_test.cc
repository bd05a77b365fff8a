#include "doors/file_system.h"

#include <array>
#include <csignal>
#include <string>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doors/sim_file_system.h"

namespace cairn {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The same promises hold for the real disk and the simulated one.
class AnyFileSystem : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      std::string pattern = testing::TempDir() + "cairn-files-XXXXXX";
      ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
      root_ = pattern;
      files_ = make_real_file_system();
    } else {
      root_ = "/run";
      files_ = std::make_unique<SimFileSystem>(1);
      ASSERT_TRUE(files_->make_directories(root_).ok());
    }
  }
  void TearDown() override { EXPECT_TRUE(files_->remove_tree(root_).ok()); }

  std::string path(const std::string& name) const { return root_ + "/" + name; }

  void write(const std::string& name, std::string_view text) {
    auto file = files_->create(path(name));
    ASSERT_TRUE(file.ok()) << file.status().message();
    ASSERT_TRUE((*file)->append(bytes_of(text)).ok());
    ASSERT_TRUE((*file)->sync().ok());
    ASSERT_TRUE((*file)->close().ok());
  }

  std::string root_;
  std::unique_ptr<FileSystem> files_;
};

TEST_P(AnyFileSystem, WhatIsWrittenIsRead) {
  write("a", "hello");
  EXPECT_EQ(files_->read_text(path("a")).value(), "hello");
  const auto file = std::move(files_->open(path("a"))).value();
  EXPECT_EQ(file->size(), 5);
  std::array<std::byte, 3> out{};
  ASSERT_TRUE(file->read(1, out).ok());
  EXPECT_EQ(out[0], std::byte{'e'});
  EXPECT_EQ(file->read(3, out).code(), StatusCode::kBadData);
  EXPECT_EQ(file->read(1'000'000, out).code(), StatusCode::kBadData);
}

TEST_P(AnyFileSystem, CreateRefusesWhatExists) {
  write("a", "one");
  const auto again = files_->create(path("a"));
  EXPECT_EQ(again.status().code(), StatusCode::kCannotWrite);
  EXPECT_NE(again.status().message().find(path("a")), std::string::npos);
  EXPECT_NE(again.status().message().find("File exists"), std::string::npos);
  EXPECT_EQ(files_->read_text(path("a")).value(), "one");
}

TEST_P(AnyFileSystem, AppendContinues) {
  for (const std::string_view part : {"ab", "cd", ""}) {
    const auto file = std::move(files_->append_to(path("log"))).value();
    ASSERT_TRUE(file->append(bytes_of(part)).ok());
    ASSERT_TRUE(file->close().ok());
  }
  EXPECT_EQ(files_->read_text(path("log")).value(), "abcd");
}

TEST_P(AnyFileSystem, MissingThingsAreNoInput) {
  EXPECT_EQ(files_->open(path("none")).status().code(), StatusCode::kNoInput);
  EXPECT_EQ(files_->open(path("none/deeper")).status().code(), StatusCode::kNoInput);
  EXPECT_EQ(files_->list(path("none")).status().code(), StatusCode::kNoInput);
  EXPECT_EQ(files_->rename(path("none"), path("b")).code(), StatusCode::kNoInput);
  EXPECT_EQ(files_->remove_file(path("none")).code(), StatusCode::kNoInput);
  EXPECT_EQ(files_->sync_directory(path("none")).code(), StatusCode::kNoInput);
  EXPECT_TRUE(files_->remove_tree(path("none")).ok());
  EXPECT_FALSE(files_->exists(path("none")));
  EXPECT_EQ(files_->create(path("none/a")).status().code(), StatusCode::kCannotWrite);
  EXPECT_EQ(files_->open(root_).status().code(), StatusCode::kNoInput);  // a directory is no file
}

TEST_P(AnyFileSystem, DirectoriesAreMadeListedAndRemoved) {
  ASSERT_TRUE(files_->make_directories(path("x/y/z")).ok());
  ASSERT_TRUE(files_->make_directories(path("x/y/z")).ok());
  write("x/b", "1");
  write("x/a", "2");
  write("x/y/z/c", "3");
  EXPECT_EQ(files_->list(path("x")).value(), (std::vector<std::string>{"a", "b", "y"}));
  EXPECT_TRUE(files_->is_directory(path("x/y")));
  EXPECT_FALSE(files_->is_directory(path("x/a")));
  EXPECT_EQ(files_->make_directories(path("x/a/q")).code(), StatusCode::kCannotWrite);
  ASSERT_TRUE(files_->remove_tree(path("x")).ok());
  EXPECT_FALSE(files_->exists(path("x")));
}

TEST_P(AnyFileSystem, CutFilesEndEarlierAndTellThatTheyChanged) {
  const std::string path = root_ + "/a";
  ASSERT_TRUE(files_->replace_text(path, "0123456789").ok());
  const std::int64_t before_ns = files_->open(path).value()->modified_ns();
  ASSERT_TRUE(files_->cut_file(path, 4).ok());
  ASSERT_TRUE(files_->append_to(path).value()->append(bytes_of("x")).ok());
  EXPECT_EQ(files_->read_text(path).value(), "0123x");
  EXPECT_EQ(files_->cut_file(path, 6).code(), StatusCode::kBadData);
  EXPECT_EQ(files_->cut_file(root_ + "/missing", 0).code(), StatusCode::kNoInput);
  EXPECT_GE(files_->open(path).value()->modified_ns(), before_ns);
}

TEST_P(AnyFileSystem, RenameReplacesFilesAndMovesDirectories) {
  write("a", "new");
  write("b", "old");
  ASSERT_TRUE(files_->rename(path("a"), path("b")).ok());
  EXPECT_FALSE(files_->exists(path("a")));
  EXPECT_EQ(files_->read_text(path("b")).value(), "new");
  ASSERT_TRUE(files_->make_directories(path("d")).ok());
  write("d/f", "in");
  ASSERT_TRUE(files_->rename(path("d"), path("e")).ok());
  EXPECT_EQ(files_->read_text(path("e/f")).value(), "in");
  ASSERT_TRUE(files_->make_directories(path("g")).ok());
  EXPECT_FALSE(files_->rename(path("g"), path("e")).ok());  // not empty
  EXPECT_EQ(files_->read_text(path("e/f")).value(), "in");
}

TEST_P(AnyFileSystem, ReplaceTextLeavesOneFile) {
  ASSERT_TRUE(files_->replace_text(path("state"), "one").ok());
  write("state.new", "left by a process that died");
  ASSERT_TRUE(files_->replace_text(path("state"), "two").ok());
  EXPECT_EQ(files_->read_text(path("state")).value(), "two");
  EXPECT_EQ(files_->list(root_).value(), std::vector<std::string>{"state"});
}

TEST_P(AnyFileSystem, LockNamesItsHolderAndDiesWithIt) {
  auto first = files_->lock(path("lock"), "host 7, process 42");
  ASSERT_TRUE(first.ok()) << first.status().message();
  const auto second = files_->lock(path("lock"), "me");
  EXPECT_EQ(second.status().code(), StatusCode::kTransient);
  EXPECT_NE(second.status().message().find("host 7, process 42"), std::string::npos);
  std::move(first).value().reset();
  EXPECT_TRUE(files_->lock(path("lock"), "me").ok());
}

TEST_P(AnyFileSystem, FreeSpaceIsKnown) {
  EXPECT_GT(files_->free_bytes(root_).value(), 0);
}

INSTANTIATE_TEST_SUITE_P(Disks, AnyFileSystem, testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "Real" : "Simulated"; });

class RealFileSystem : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "cairn-real-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { EXPECT_TRUE(files_->remove_tree(root_).ok()); }

  std::string root_;
  std::unique_ptr<FileSystem> files_ = make_real_file_system();
};

TEST_F(RealFileSystem, FullDeviceIsCannotWrite) {
  if (!files_->exists("/dev/full")) {
    GTEST_SKIP() << "needs /dev/full";
  }
  const auto file = std::move(files_->append_to("/dev/full")).value();
  const Status status = file->append(bytes_of("x"));
  EXPECT_EQ(status.code(), StatusCode::kCannotWrite);
  EXPECT_NE(status.message().find("No space left"), std::string::npos) << status.message();
  static_cast<void>(file->close().ok());
}

TEST_F(RealFileSystem, RemoveTreeDoesNotFollowLinks) {
  const std::string outside = root_ + "/outside";
  const std::string inside = root_ + "/inside";
  ASSERT_TRUE(files_->make_directories(outside).ok());
  ASSERT_TRUE(files_->make_directories(inside).ok());
  ASSERT_TRUE(files_->replace_text(outside + "/kept", "x").ok());
  ASSERT_EQ(::symlink(outside.c_str(), (inside + "/link").c_str()), 0);
  ASSERT_TRUE(files_->remove_tree(inside).ok());
  EXPECT_TRUE(files_->exists(outside + "/kept"));
}

TEST_F(RealFileSystem, PermissionDeniedIsSaid) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root may do everything";
  }
  ASSERT_TRUE(files_->make_directories(root_ + "/closed").ok());
  ASSERT_EQ(::chmod((root_ + "/closed").c_str(), 0500), 0);
  EXPECT_EQ(files_->create(root_ + "/closed/a").status().code(), StatusCode::kCannotWrite);
  ASSERT_EQ(::chmod((root_ + "/closed").c_str(), 0700), 0);
}

TEST_F(RealFileSystem, PipesAreRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(files_->open(root_ + "/pipe").status().code(), StatusCode::kNoInput);
}

// A file size limit makes write() take only a part and then fail, like a quota.
TEST_F(RealFileSystem, ShortWritesAreContinuedAndTheLimitReported) {
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {1000, before.rlim_max};
  auto file = std::move(files_->create(root_ + "/a")).value();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = file->append(bytes_of(std::string(1500, 'x')));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(status.code(), StatusCode::kCannotWrite);
  static_cast<void>(file->close().ok());
  EXPECT_EQ(files_->read_text(root_ + "/a").value().size(), 1000U);
}

}  // namespace
}  // namespace cairn
