#include "doors/network.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The same promises for sockets and for the simulation.
class AnyNetwork : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      network_ = make_real_network();
      real_clock_ = make_real_clock();
      clock_ = real_clock_.get();
    } else {
      network_ = std::make_unique<SimNetwork>(sim_clock_);
      clock_ = &sim_clock_;
    }
    listener_ = std::move(network_->listen("127.0.0.1", 0)).value();
    client_ = std::move(network_->connect("127.0.0.1", listener_->port(), 5)).value();
    server_ = std::move(listener_->accept(5)).value();
  }

  std::string receive(Connection& connection, std::size_t count) {
    std::string text(count, '\0');
    const Status status = connection.receive_exactly(std::as_writable_bytes(std::span(text)), 5, *clock_);
    return status.ok() ? text : status.message();
  }

  SimClock sim_clock_{0};
  std::unique_ptr<Clock> real_clock_;
  Clock* clock_ = nullptr;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Connection> client_;
  std::unique_ptr<Connection> server_;
};

TEST_P(AnyNetwork, BytesArriveInOrderBothWays) {
  ASSERT_TRUE(client_->send(bytes_of("ab"), 5).ok());
  ASSERT_TRUE(client_->send(bytes_of("cde"), 5).ok());
  EXPECT_EQ(receive(*server_, 5), "abcde");
  ASSERT_TRUE(server_->send(bytes_of("back"), 5).ok());
  EXPECT_EQ(receive(*client_, 4), "back");
}

TEST_P(AnyNetwork, EndOfStreamIsZeroAfterWhatWasSent) {
  ASSERT_TRUE(client_->send(bytes_of("x"), 5).ok());
  ASSERT_TRUE(client_->finish_sending().ok());
  std::vector<std::byte> out(8);
  EXPECT_EQ(server_->receive(out, 5).value(), 1);
  EXPECT_EQ(server_->receive(out, 5).value(), 0);
  ASSERT_TRUE(server_->send(bytes_of("still open"), 5).ok());
  EXPECT_EQ(receive(*client_, 10), "still open");
}

TEST_P(AnyNetwork, ReceivingHasADeadline) {
  std::vector<std::byte> out(8);
  const std::int64_t before = clock_->monotonic_ns();
  const auto result = server_->receive(out, 0.05);
  EXPECT_EQ(result.status().code(), StatusCode::kTransient);
  EXPECT_NE(result.status().message().find("timed out"), std::string::npos);
  EXPECT_GE(clock_->monotonic_ns() - before, 49'000'000);
  EXPECT_EQ(listener_->accept(0.01).status().code(), StatusCode::kTransient);
}

TEST_P(AnyNetwork, PeerThatEndsIsNoticed) {
  client_.reset();
  std::vector<std::byte> out(8);
  EXPECT_EQ(server_->receive(out, 5).value(), 0);
  EXPECT_EQ(server_->receive_exactly(out, 5, *clock_).code(), StatusCode::kTransient);
  Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = server_->send(bytes_of("anyone?"), 5);
    clock_->sleep_for_ns(1'000'000);
  }
  EXPECT_EQ(status.code(), StatusCode::kTransient);
}

TEST_P(AnyNetwork, NobodyListeningIsTransientAndTakenPortsAreRefused) {
  const int port = listener_->port();
  EXPECT_EQ(network_->listen("127.0.0.1", port).status().code(), StatusCode::kCannotWrite);
  listener_.reset();
  EXPECT_EQ(network_->connect("127.0.0.1", port, 1).status().code(), StatusCode::kTransient);
  EXPECT_EQ(network_->listen("127.0.0.1", 70000).status().code(), StatusCode::kUsage);
}

INSTANTIATE_TEST_SUITE_P(Nets, AnyNetwork, testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "Real" : "Simulated"; });

TEST(RealNetwork, LargeTransfersAreComplete) {
  const auto network = make_real_network();
  const auto clock = make_real_clock();
  const auto listener = std::move(network->listen("localhost", 0)).value();
  const auto client = std::move(network->connect("localhost", listener->port(), 5)).value();
  const auto server = std::move(listener->accept(5)).value();
  std::string sent(100'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent[i] = static_cast<char>(i * 31 % 251);
  }
  ASSERT_TRUE(client->send(bytes_of(sent), 5).ok());
  std::string got(sent.size(), '\0');
  ASSERT_TRUE(server->receive_exactly(std::as_writable_bytes(std::span(got)), 5, *clock).ok());
  EXPECT_EQ(got, sent);
  // Nobody reads: the buffers fill and the deadline ends the wait.
  const std::string endless(64 << 20, 'x');
  EXPECT_EQ(client->send(bytes_of(endless), 0.05).code(), StatusCode::kTransient);
}

TEST(SimNetwork, CutHostsResetAndTimeOut) {
  SimClock clock(0);
  SimNetwork network(clock);
  const auto listener = std::move(network.listen("node1", 9000)).value();
  const auto client = std::move(network.connect("node1", 9000, 1)).value();
  const auto server = std::move(listener->accept(1)).value();
  network.cut("node1");
  EXPECT_EQ(client->send(bytes_of("x"), 1).code(), StatusCode::kTransient);
  std::vector<std::byte> out(1);
  EXPECT_EQ(server->receive(out, 1).status().code(), StatusCode::kTransient);
  EXPECT_EQ(network.connect("node1", 9000, 3).status().code(), StatusCode::kTransient);
  EXPECT_EQ(clock.monotonic_ns(), 3 * kNsPerSecond);
  network.heal("node1");
  EXPECT_TRUE(network.connect("node1", 9000, 3).ok());
}

}  // namespace
}  // namespace cairn
