#include "doors/sim_file_system.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr std::uint64_t kNumSeeds = 200;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(SimFileSystem& files, const std::string& path) {
  return files.exists(path) ? files.read_text(path).value() : "(missing)";
}

TEST(SimFileSystem, SyncedFileInSyncedDirectorySurvives) {
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    SimFileSystem files(seed);
    const auto file = std::move(files.create("a")).value();
    ASSERT_TRUE(file->append(bytes_of("durable")).ok());
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(files.sync_directory("/").ok());
    ASSERT_TRUE(file->append(bytes_of(" and not")).ok());
    files.crash();
    const std::string text = text_of(files, "a");
    ASSERT_EQ(text.substr(0, 7), "durable") << "seed " << seed;
    ASSERT_LE(text.size(), 15U);
    ASSERT_EQ(file->append(bytes_of("x")).code(), StatusCode::kIo);  // the handle died
  }
}

// Over the seeds everything that POSIX allows must really happen, or the other tests prove nothing.
TEST(SimFileSystem, CrashesShowEveryAllowedOutcome) {
  std::set<std::string> unsynced_bytes;
  std::set<std::string> unsynced_entries;
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    SimFileSystem files(seed);
    const auto file = std::move(files.create("a")).value();
    ASSERT_TRUE(files.sync_directory("/").ok());
    ASSERT_TRUE(file->append(bytes_of("xyz")).ok());
    ASSERT_TRUE(files.create("b").ok());
    ASSERT_TRUE(files.create("c").ok());
    files.crash();
    unsynced_bytes.insert(text_of(files, "a"));
    unsynced_entries.insert(std::string(files.exists("b") ? "b" : "") + (files.exists("c") ? "c" : ""));
  }
  for (const char* wanted : {"", "x", "xy", "xyz"}) {
    EXPECT_TRUE(unsynced_bytes.contains(wanted)) << wanted;
  }
  EXPECT_TRUE(unsynced_bytes.contains(std::string("xy\0", 3)));  // the size arrived, the bytes did not
  EXPECT_FALSE(unsynced_bytes.contains("(missing)"));
  EXPECT_EQ(unsynced_entries, (std::set<std::string>{"", "b", "c", "bc"}));
}

TEST(SimFileSystem, RenameIsOldOrNewNeverNeither) {
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    SimFileSystem files(seed);
    ASSERT_TRUE(files.replace_text("state", "old").ok());
    const auto fresh = std::move(files.create("state.tmp")).value();
    ASSERT_TRUE(fresh->append(bytes_of("new")).ok());
    ASSERT_TRUE(fresh->sync().ok());
    ASSERT_TRUE(fresh->close().ok());
    ASSERT_TRUE(files.rename("state.tmp", "state").ok());
    files.crash();
    outcomes.insert(text_of(files, "state"));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"old", "new"}));
}

TEST(SimFileSystem, RenameBeforeSyncOfBytesMayLoseThem) {
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    SimFileSystem files(seed);
    const auto fresh = std::move(files.create("tmp")).value();
    ASSERT_TRUE(fresh->append(bytes_of("new")).ok());
    ASSERT_TRUE(files.rename("tmp", "state").ok());
    ASSERT_TRUE(files.sync_directory("/").ok());
    files.crash();
    outcomes.insert(text_of(files, "state"));
  }
  EXPECT_TRUE(outcomes.contains("new"));
  EXPECT_TRUE(outcomes.contains(""));
  EXPECT_FALSE(outcomes.contains("(missing)"));
}

TEST(SimFileSystem, UnlinkMayComeBackUntilTheDirectoryIsSynced) {
  bool came_back = false;
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    SimFileSystem files(seed);
    ASSERT_TRUE(files.replace_text("a", "text").ok());
    ASSERT_TRUE(files.replace_text("b", "text").ok());
    ASSERT_TRUE(files.remove_file("a").ok());
    ASSERT_TRUE(files.sync_directory(".").ok());
    ASSERT_TRUE(files.remove_file("b").ok());
    files.crash();
    ASSERT_FALSE(files.exists("a")) << "seed " << seed;
    came_back = came_back || text_of(files, "b") == "text";
  }
  EXPECT_TRUE(came_back);
}

TEST(SimFileSystem, SyncedFileInUnsyncedParentMayVanish) {
  bool vanished = false;
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    SimFileSystem files(seed);
    ASSERT_TRUE(files.make_directories("d/e").ok());
    ASSERT_TRUE(files.replace_text("d/e/f", "text").ok());  // syncs d/e, not d and not /
    files.crash();
    vanished = vanished || !files.exists("d/e/f");
    if (files.exists("d/e")) {
      ASSERT_EQ(text_of(files, "d/e/f"), "text") << "seed " << seed;
    }
  }
  EXPECT_TRUE(vanished);
}

// replace_text at every crash point and many seeds: the file is the old text or the new, whole; after success
// the new.
TEST(SimFileSystem, ReplaceTextSurvivesEveryCrashPoint) {
  const std::string old_text(100, 'o');
  const std::string new_text(200, 'n');
  SimFileSystem counted(0);
  ASSERT_TRUE(counted.replace_text("state", old_text).ok());
  const std::int64_t first = counted.num_operations();
  ASSERT_TRUE(counted.replace_text("state", new_text).ok());
  const std::int64_t last = counted.num_operations();
  ASSERT_GE(last - first, 6);
  for (std::int64_t point = first; point <= last; ++point) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      SimFileSystem files(seed);
      ASSERT_TRUE(files.replace_text("state", old_text).ok());
      files.stop_at(point);
      const bool is_confirmed = files.replace_text("state", new_text).ok();
      ASSERT_EQ(is_confirmed, point >= last);
      files.crash();
      const std::string text = text_of(files, "state");
      ASSERT_TRUE(text == new_text || (!is_confirmed && text == old_text))
          << "crash point " << point << " seed " << seed << ": " << text.size() << " bytes";
      ASSERT_TRUE(files.replace_text("state", "again").ok());
      ASSERT_EQ(text_of(files, "state"), "again");
    }
  }
}

TEST(SimFileSystem, StoppedWorldChangesNothing) {
  SimFileSystem files(3);
  ASSERT_TRUE(files.replace_text("a", "text").ok());
  files.stop_at(files.num_operations());
  EXPECT_FALSE(files.is_stopped());
  EXPECT_EQ(files.remove_file("a").code(), StatusCode::kIo);
  EXPECT_TRUE(files.is_stopped());
  EXPECT_FALSE(files.create("b").ok());
  EXPECT_FALSE(files.make_directories("c").ok());
  files.crash();
  EXPECT_EQ(files.all_files(), std::vector<std::string>{"a"});
  EXPECT_TRUE(files.create("b").ok());
}

TEST(SimFileSystem, OneFaultFailsOneOperation) {
  SimFileSystem files(4);
  const auto file = std::move(files.create("a")).value();
  files.fail_at(files.num_operations(), io_error("Input/output error"));
  EXPECT_EQ(file->append(bytes_of("lost")).message(), "Input/output error");
  EXPECT_TRUE(file->append(bytes_of("kept")).ok());
  const std::string text = text_of(files, "a");
  EXPECT_EQ(text.substr(text.size() - 4), "kept");
  EXPECT_LE(text.size(), 8U);
}

TEST(SimFileSystem, FailedSyncPoisonsTheFile) {
  SimFileSystem files(5);
  const auto file = std::move(files.create("a")).value();
  ASSERT_TRUE(file->append(bytes_of("x")).ok());
  files.fail_at(files.num_operations(), io_error("Input/output error"));
  EXPECT_FALSE(file->sync().ok());
  EXPECT_FALSE(file->sync().ok());
  EXPECT_FALSE(file->append(bytes_of("y")).ok());
}

TEST(SimFileSystem, FullDiskTakesAPartAndSaysSo) {
  SimFileSystem files(6);
  files.set_free_bytes(10);
  const auto file = std::move(files.create("a")).value();
  ASSERT_TRUE(file->append(bytes_of("12345678")).ok());
  const Status full = file->append(bytes_of("abcd"));
  EXPECT_EQ(full.code(), StatusCode::kCannotWrite);
  EXPECT_NE(full.message().find("No space left"), std::string::npos);
  EXPECT_EQ(text_of(files, "a"), "12345678ab");
  EXPECT_EQ(files.free_bytes("/").value(), 0);
  ASSERT_TRUE(files.remove_file("a").ok());
  EXPECT_EQ(files.free_bytes("/").value(), 10);
}

TEST(SimFileSystem, KilledProcessLosesLocksButNoBytes) {
  SimFileSystem files(7);
  const auto file = std::move(files.create("a")).value();
  ASSERT_TRUE(file->append(bytes_of("all")).ok());
  auto held = files.lock("lock", "first");
  ASSERT_TRUE(held.ok());
  files.kill_process();
  EXPECT_EQ(text_of(files, "a"), "all");
  EXPECT_FALSE(file->append(bytes_of("x")).ok());
  auto next = files.lock("lock", "second");
  ASSERT_TRUE(next.ok());
  std::move(held).value().reset();  // the dead holder's handle must not free the new lock
  EXPECT_EQ(files.lock("lock", "third").status().code(), StatusCode::kTransient);
}

TEST(SimFileSystem, SameSeedSameWorld) {
  const auto world = [](std::uint64_t seed) {
    SimFileSystem files(seed);
    std::string all;
    for (int i = 0; i < 8; ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      const auto file = std::move(files.create(name)).value();
      EXPECT_TRUE(file->append(bytes_of("0123456789")).ok());
    }
    files.crash();
    for (const std::string& path : files.all_files()) {
      all += path + ":" + text_of(files, path) + ";";
    }
    return all;
  };
  std::set<std::string> worlds;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(world(seed), world(seed));
    worlds.insert(world(seed));
  }
  EXPECT_GT(worlds.size(), 10U);
}

TEST(SimFileSystem, DamageIsExact) {
  SimFileSystem files(8);
  ASSERT_TRUE(files.replace_text("a", "abc").ok());
  files.flip_bit("a", 1, 0);
  EXPECT_EQ(text_of(files, "a"), "acc");
  files.truncate("a", 2);
  EXPECT_EQ(text_of(files, "a"), "ac");
}

TEST(SimFileSystem, RenameBetweenDirectoriesIsOneChange) {
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    SimFileSystem files(seed);
    ASSERT_TRUE(files.make_directories("x").ok());
    ASSERT_TRUE(files.make_directories("y").ok());
    ASSERT_TRUE(files.sync_directory("/").ok());
    ASSERT_TRUE(files.replace_text("x/a", "text").ok());
    ASSERT_TRUE(files.rename("x/a", "y/a").ok());
    if (seed % 2 == 0) {
      ASSERT_TRUE(files.sync_directory("y").ok());
    }
    files.crash();
    const bool is_old = files.exists("x/a");
    const bool is_new = files.exists("y/a");
    ASSERT_NE(is_old, is_new) << "seed " << seed;
    ASSERT_TRUE(seed % 2 != 0 || is_new) << "seed " << seed;
    outcomes.insert(is_old ? "old" : "new");
  }
  EXPECT_EQ(outcomes.size(), 2U);
}

}  // namespace
}  // namespace cairn
