#include "train/product_choices.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::train {
namespace {

class ChooseProducts : public testing::Test {
 protected:
  void SetUp() override {
    if (CudaDevice::count() == 0) {
      GTEST_SKIP() << "no GPU";
    }
    auto device = CudaDevice::open(0);
    ASSERT_TRUE(device.ok()) << device.status().message();
    device_ = std::move(*device);
    ASSERT_TRUE(files_.make_directories("/run/cache").ok());
  }
  Status choose(bool tunes) {
    return choose_products(files_, *device_, log_, {kPath, tunes, [this] { ++num_runs_; }});
  }

  static constexpr char kPath[] = "/run/cache/product-choices.txt";
  SimFileSystem files_{1};
  Logger log_{[] { return std::int64_t{0}; }};
  std::unique_ptr<CudaDevice> device_;
  int num_runs_ = 0;
};

TEST_F(ChooseProducts, AFileIsMadeOnceAndThenRead) {
  ASSERT_TRUE(choose(false).ok());
  EXPECT_FALSE(files_.read_text(kPath).ok());
  ASSERT_TRUE(choose(true).ok());
  EXPECT_EQ(num_runs_, 1);
  EXPECT_TRUE(files_.read_text(kPath).ok());
  ASSERT_TRUE(choose(true).ok());
  EXPECT_EQ(num_runs_, 1);
}

TEST_F(ChooseProducts, AFileOfAnotherMachineIsReplacedOrLeftAlone) {
  ASSERT_TRUE(files_.replace_text(kPath, "choices of another machine\n").ok());
  ASSERT_TRUE(choose(false).ok());
  EXPECT_EQ(files_.read_text(kPath).value(), "choices of another machine\n");
  ASSERT_TRUE(choose(true).ok());
  EXPECT_EQ(num_runs_, 1);
  EXPECT_NE(files_.read_text(kPath).value(), "choices of another machine\n");
}

}  // namespace
}  // namespace cairn::train
