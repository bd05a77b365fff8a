// The door to TCP. Every call that can wait has a deadline. Errors: kTransient (refused, reset, timed out,
// closed), kUsage (an address that cannot be used), kCannotWrite (a port that is taken).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "doors/clock.h"

namespace cairn {

class Connection {
 public:
  virtual ~Connection() = default;  // closes
  // Sends all bytes or fails; after a failure the connection is of no more use.
  virtual Status send(std::span<const std::byte> bytes, double timeout_s) = 0;
  // At least one byte, at most out.size(); 0 when the peer closed its side in order.
  virtual Result<std::int64_t> receive(std::span<std::byte> out, double timeout_s) = 0;
  // No more will be sent; the peer reads end of stream after what was sent.
  virtual Status finish_sending() = 0;
  virtual std::string peer() const = 0;  // "host:port"

  // Exactly out.size() bytes before the deadline. kTransient when the peer closed before.
  Status receive_exactly(std::span<std::byte> out, double timeout_s, Clock& clock);
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual int port() const = 0;
  virtual Result<std::unique_ptr<Connection>> accept(double timeout_s) = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  // port 0 picks a free one.
  virtual Result<std::unique_ptr<Listener>> listen(const std::string& host, int port) = 0;
  virtual Result<std::unique_ptr<Connection>> connect(const std::string& host, int port,
                                                      double timeout_s) = 0;
};

std::unique_ptr<Network> make_real_network();

// All ends in one process, in memory, for one thread: a call that would wait moves `clock` to its deadline
// and times out, so that a run is a pure function of its calls.
class SimNetwork : public Network {
 public:
  explicit SimNetwork(SimClock& clock);
  ~SimNetwork() override;
  Result<std::unique_ptr<Listener>> listen(const std::string& host, int port) override;
  Result<std::unique_ptr<Connection>> connect(const std::string& host, int port, double timeout_s) override;

  // Cuts a host off: its connections are reset, connecting to it times out. Restored by heal().
  void cut(const std::string& host);
  void heal(const std::string& host);

  struct World;  // shared by the ends

 private:
  std::shared_ptr<World> world_;
};

}  // namespace cairn
