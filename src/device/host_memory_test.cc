#include "device/host_memory.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn {
namespace {

void write(FileSystem& files, const std::string& path, std::string_view text) {
  ASSERT_TRUE(files.make_directories(path.substr(0, path.rfind('/'))).ok());
  ASSERT_TRUE(files.replace_text(path, text).ok());
}

constexpr const char* kMemory =
    "MemTotal:       24684084 kB\nMemFree:        100 kB\nMemAvailable:   2000 kB\n";

TEST(HostMemory, IsUnknownWhereTheSystemDoesNotTell) {
  SimFileSystem files(1);
  EXPECT_EQ(available_memory_of_system(files), kMemoryUnknown);
  write(files, "/proc/meminfo", "nonsense\n");
  write(files, "/proc/self/cgroup", "::\n:\nx\n0::/gone\n");
  EXPECT_EQ(available_memory_of_system(files), kMemoryUnknown);
}

TEST(HostMemory, IsWhatTheMachineHas) {
  SimFileSystem files(1);
  write(files, "/proc/meminfo", kMemory);
  EXPECT_EQ(available_memory_of_system(files), 2000 * 1024);
}

TEST(HostMemory, IsWhatTheNarrowestGroupLeaves) {
  SimFileSystem files(1);
  write(files, "/proc/meminfo", kMemory);
  write(files, "/proc/self/cgroup", "0::/job/step\n");
  write(files, "/sys/fs/cgroup/job/step/memory.max", "max\n");
  write(files, "/sys/fs/cgroup/job/step/memory.current", "900000\n");
  EXPECT_EQ(available_memory_of_system(files), 2000 * 1024);
  write(files, "/sys/fs/cgroup/job/memory.max", "1000000\n");
  write(files, "/sys/fs/cgroup/job/memory.current", "900000\n");
  EXPECT_EQ(available_memory_of_system(files), 100000);
  write(files, "/sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file 300000\n");
  EXPECT_EQ(available_memory_of_system(files), 400000);
}

TEST(HostMemory, ReadsGroupsOfVersionOne) {
  SimFileSystem files(1);
  write(files, "/proc/self/cgroup", "9:cpu:/\n4:memory:/a\n0::/\n");
  write(files, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "5000\n");
  write(files, "/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "6000\n");
  EXPECT_EQ(available_memory_of_system(files), 0);
  write(files, "/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "2000\n");
  EXPECT_EQ(available_memory_of_system(files), 3000);
}

TEST(HostMemory, ThisMachineTells) {
  const std::unique_ptr<FileSystem> files = make_real_file_system();
  EXPECT_GT(available_memory_bytes(*files), std::int64_t{1} << 20);
#if defined(__linux__)
  EXPECT_LT(available_memory_bytes(*files), kMemoryUnknown);
#endif
}

}  // namespace
}  // namespace cairn
