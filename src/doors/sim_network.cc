#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "doors/network.h"

namespace cairn {
namespace {

// One direction of a connection.
struct SimPipe {
  std::deque<std::byte> bytes;
  bool is_finished = false;  // the writer sends no more
  bool is_reset = false;     // an end is gone or cut off
};

struct SimLink {
  std::string host;  // the listening side, which cut() names
  int port = 0;
  SimPipe to_listener;
  SimPipe to_connector;
};

Status transient(std::string message) {
  return {StatusCode::kTransient, std::move(message)};
}

}  // namespace

struct SimNetwork::World {
  explicit World(SimClock& c) : clock(c) {}
  SimClock& clock;
  std::map<std::pair<std::string, int>, std::deque<std::shared_ptr<SimLink>>>
      waiting;  // by listening address
  std::vector<std::weak_ptr<SimLink>> links;
  std::set<std::string> cut_hosts;
  int next_port = 40000;

  Status time_out(double timeout_s, std::string message) {
    clock.advance_ns(static_cast<std::int64_t>(timeout_s * 1e9));
    return transient(std::move(message));
  }
};

namespace {

class SimConnection : public Connection {
 public:
  SimConnection(std::shared_ptr<SimNetwork::World> world, std::shared_ptr<SimLink> link, bool is_listener)
      : world_(std::move(world)), link_(std::move(link)), is_listener_(is_listener) {}
  ~SimConnection() override {
    outgoing().is_finished = true;
    incoming().is_reset = true;  // what the peer still sends finds nobody
  }

  Status send(std::span<const std::byte> bytes, double) override {
    if (outgoing().is_reset || outgoing().is_finished) {
      return transient(fmt::format("cannot send to {}: Connection reset by peer", peer()));
    }
    outgoing().bytes.insert(outgoing().bytes.end(), bytes.begin(), bytes.end());
    return ok_status();
  }

  Result<std::int64_t> receive(std::span<std::byte> out, double timeout_s) override {
    CHECK(!out.empty(), "receive needs room for a byte");
    SimPipe& pipe = incoming();
    if (pipe.is_reset) {
      return transient(fmt::format("cannot receive from {}: Connection reset by peer", peer()));
    }
    if (pipe.bytes.empty()) {
      if (pipe.is_finished) {
        return std::int64_t{0};
      }
      return world_->time_out(timeout_s,
                              fmt::format("receiving from {} timed out after {} s", peer(), timeout_s));
    }
    const std::size_t count = std::min(out.size(), pipe.bytes.size());
    const auto end = pipe.bytes.begin() + static_cast<std::ptrdiff_t>(count);
    std::copy(pipe.bytes.begin(), end, out.begin());
    pipe.bytes.erase(pipe.bytes.begin(), end);
    return static_cast<std::int64_t>(count);
  }

  Status finish_sending() override {
    outgoing().is_finished = true;
    return ok_status();
  }

  std::string peer() const override {
    return is_listener_ ? std::string("peer:0") : fmt::format("{}:{}", link_->host, link_->port);
  }

 private:
  SimPipe& incoming() { return is_listener_ ? link_->to_listener : link_->to_connector; }
  SimPipe& outgoing() { return is_listener_ ? link_->to_connector : link_->to_listener; }

  std::shared_ptr<SimNetwork::World> world_;
  std::shared_ptr<SimLink> link_;
  bool is_listener_;
};

class SimListener : public Listener {
 public:
  SimListener(std::shared_ptr<SimNetwork::World> world, std::string host, int port)
      : world_(std::move(world)), key_(std::move(host), port) {}
  ~SimListener() override {
    for (const std::shared_ptr<SimLink>& link : world_->waiting[key_]) {
      link->to_connector.is_reset = true;
      link->to_listener.is_reset = true;
    }
    world_->waiting.erase(key_);
  }

  int port() const override { return key_.second; }

  Result<std::unique_ptr<Connection>> accept(double timeout_s) override {
    std::deque<std::shared_ptr<SimLink>>& queue = world_->waiting[key_];
    if (queue.empty()) {
      return world_->time_out(timeout_s,
                              fmt::format("nobody connected to port {} within {} s", port(), timeout_s));
    }
    const std::shared_ptr<SimLink> link = queue.front();
    queue.pop_front();
    return std::unique_ptr<Connection>(std::make_unique<SimConnection>(world_, link, true));
  }

 private:
  std::shared_ptr<SimNetwork::World> world_;
  std::pair<std::string, int> key_;
};

}  // namespace

SimNetwork::SimNetwork(SimClock& clock) : world_(std::make_shared<World>(clock)) {}
SimNetwork::~SimNetwork() = default;

Result<std::unique_ptr<Listener>> SimNetwork::listen(const std::string& host, int port) {
  if (port < 0 || port > 65535) {
    return usage_error(fmt::format("{} is no TCP port", port));
  }
  while (port == 0 && world_->waiting.contains({host, world_->next_port})) {
    ++world_->next_port;
  }
  const int chosen = port == 0 ? world_->next_port++ : port;
  if (world_->waiting.contains({host, chosen})) {
    return cannot_write(fmt::format("cannot listen on {}:{}: Address already in use", host, chosen));
  }
  world_->waiting[{host, chosen}] = {};
  return std::unique_ptr<Listener>(std::make_unique<SimListener>(world_, host, chosen));
}

Result<std::unique_ptr<Connection>> SimNetwork::connect(const std::string& host, int port, double timeout_s) {
  if (world_->cut_hosts.contains(host)) {
    return world_->time_out(timeout_s, fmt::format("connecting to {}:{} timed out", host, port));
  }
  const auto listener = world_->waiting.find({host, port});
  if (listener == world_->waiting.end()) {
    return transient(fmt::format("cannot connect to {}:{}: Connection refused", host, port));
  }
  auto link = std::make_shared<SimLink>();
  link->host = host;
  link->port = port;
  listener->second.push_back(link);
  std::erase_if(world_->links, [](const std::weak_ptr<SimLink>& old) { return old.expired(); });
  world_->links.push_back(link);
  return std::unique_ptr<Connection>(std::make_unique<SimConnection>(world_, link, false));
}

void SimNetwork::cut(const std::string& host) {
  world_->cut_hosts.insert(host);
  for (const std::weak_ptr<SimLink>& weak : world_->links) {
    const std::shared_ptr<SimLink> link = weak.lock();
    if (link && link->host == host) {
      link->to_listener.is_reset = true;
      link->to_connector.is_reset = true;
    }
  }
}

void SimNetwork::heal(const std::string& host) {
  world_->cut_hosts.erase(host);
}

}  // namespace cairn
