#include "base/allocation_counter.h"

#include <cstdint>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

struct alignas(256) Wide {
  char bytes[256];
};

class AllocationCounter : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_allocation_counter_active()) {
      GTEST_SKIP() << "sanitizers bring their own operator new";
    }
  }
};

// Keeps the compiler from removing a new and delete pair.
template <class T>
void keep(T* pointer) {
  asm volatile("" : : "g"(pointer) : "memory");
}

TEST_F(AllocationCounter, CountsEachFormOfNewOnce) {
  const AllocationCount before = allocation_count();
  {
    const auto one = std::make_unique<int>(1);
    keep(one.get());
    const auto many = std::make_unique<int[]>(100);
    keep(many.get());
    const auto aligned = std::make_unique<Wide>();
    keep(aligned.get());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned.get()) % 256, 0U);
    int* quiet = new (std::nothrow) int(3);
    keep(quiet);
    delete quiet;
  }
  const AllocationCount after = allocation_count();
  EXPECT_EQ(after.allocations - before.allocations, 4U);
  EXPECT_EQ(after.deallocations - before.deallocations, 4U);
  EXPECT_EQ(after.bytes - before.bytes, sizeof(int) * 102 + sizeof(Wide));
}

TEST_F(AllocationCounter, ImpossibleNothrowRequestIsNull) {
  volatile std::size_t huge = std::size_t{1} << 62;
  const AllocationCount before = allocation_count();
  void* memory = ::operator new(huge, std::nothrow);
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(allocation_count().allocations, before.allocations);
}

TEST_F(AllocationCounter, SeesOtherThreads) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  const AllocationCount before = allocation_count();
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 1000; ++i) {
        keep(std::make_unique<int>(i).get());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GE(allocation_count().allocations - before.allocations, 4000U);
}

TEST_F(AllocationCounter, ArithmeticAllocatesNothing) {
  std::vector<double> values(1000, 1.5);
  const AllocationCount before = allocation_count();
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  EXPECT_EQ(sum, 1500.0);
  EXPECT_EQ(allocation_count().allocations, before.allocations);
}

}  // namespace
}  // namespace cairn
