#include "data/batch_queue.h"

#include <thread>

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

TEST(BatchQueue, GroupsAreCutBySize) {
  const auto input = [](std::int64_t bytes) { return TextInput{"f", DocumentUnit::kFile, bytes, 0}; };
  std::vector<TextInput> inputs = {input(5 << 20), input(1), input(2), input(9 << 20), input(1)};
  const std::vector<InputGroup> groups = group_inputs(inputs);
  ASSERT_EQ(groups.size(), 3U);
  EXPECT_EQ(groups[0].end, 1);
  EXPECT_EQ(groups[1].end, 4);
  EXPECT_EQ(groups[2].end, 5);
  EXPECT_TRUE(group_inputs({}).empty());
  inputs.assign(3000, input(1));
  EXPECT_EQ(group_inputs(inputs).size(), 3U);
}

// Whatever the number of threads and the room: every batch once, in order.
TEST(BatchQueue, BatchesComeOutInOrder) {
  SimFileSystem files(1);
  std::vector<std::string> paths;
  std::string all;
  for (int i = 0; i < 4; ++i) {
    std::string text;
    while (text.size() < 5'000'000) {
      text += std::string(static_cast<std::size_t>(1000 + i), static_cast<char>('a' + i)) + "\n";
    }
    paths.push_back("f" + std::to_string(i));
    ASSERT_TRUE(files.replace_text(paths.back(), text).ok());
    all += text;
  }
  const std::vector<TextInput> inputs = list_text_inputs(files, paths, DocumentUnit::kLine).value().inputs;
  for (const std::size_t room : {std::size_t{1}, std::size_t{2}, std::size_t{20}}) {
    for (const int num_threads : {1, 3}) {
      BatchQueue queue(files, inputs, {}, {}, 2, room);
      std::vector<std::thread> threads;
      for (int t = 0; t < num_threads; ++t) {
        threads.emplace_back([&queue] {
          while (std::unique_ptr<BatchWork> work = queue.claim()) {
            queue.deliver(std::move(work));
          }
        });
      }
      std::string read;
      while (std::unique_ptr<BatchWork> work = queue.next()) {
        EXPECT_TRUE(work->status.ok());
        read += work->text.bytes;
        queue.give_back(std::move(work));
      }
      for (std::thread& thread : threads) {
        thread.join();
      }
      EXPECT_TRUE(read == all) << "room " << room << ", threads " << num_threads;
    }
  }
}

TEST(BatchQueue, WhatCannotBeReadComesOutInItsPlace) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.replace_text("a", "good\n").ok());
  ASSERT_TRUE(files.replace_text("b", "gone\n").ok());
  const std::vector<std::string> paths = {"a", "b"};
  std::vector<TextInput> inputs = list_text_inputs(files, paths, DocumentUnit::kLine).value().inputs;
  inputs[0].bytes = 5 << 20;  // a group of its own; the file is not as listed
  BatchQueue queue(files, inputs, {}, {}, 2, 4);
  while (std::unique_ptr<BatchWork> work = queue.claim()) {
    queue.deliver(std::move(work));
  }
  std::unique_ptr<BatchWork> first = queue.next();
  EXPECT_EQ(first->status.code(), StatusCode::kBadData);
  queue.give_back(std::move(first));
  std::unique_ptr<BatchWork> second = queue.next();
  EXPECT_EQ(second->text.bytes, "gone\n");
  queue.give_back(std::move(second));
  EXPECT_EQ(queue.next(), nullptr);
}

TEST(BatchQueue, StopEndsClaims) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.replace_text("a", "text").ok());
  const std::vector<std::string> paths = {"a"};
  const std::vector<TextInput> inputs = list_text_inputs(files, paths, DocumentUnit::kFile).value().inputs;
  BatchQueue queue(files, inputs, {}, {}, 1, 1);
  queue.stop();
  EXPECT_EQ(queue.claim(), nullptr);
}

}  // namespace
}  // namespace cairn::data
