#include "doors/network.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cairn {

Status Connection::receive_exactly(std::span<std::byte> out, double timeout_s, Clock& clock) {
  const double deadline_s = clock.monotonic_s() + timeout_s;
  while (!out.empty()) {
    const double left_s = std::max(deadline_s - clock.monotonic_s(), 0.0);
    TRY_ASSIGN(const std::int64_t count, receive(out, left_s));
    if (count == 0) {
      return Status(StatusCode::kTransient, fmt::format("{} closed the connection", peer()));
    }
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return ok_status();
}

namespace {

Status transient(std::string message) {
  return {StatusCode::kTransient, std::move(message)};
}

Status network_failure(std::string_view action, const std::string& where, int error) {
  const bool is_taken = error == EADDRINUSE || error == EACCES || error == EADDRNOTAVAIL;
  return {is_taken ? StatusCode::kCannotWrite : StatusCode::kTransient,
          fmt::format("{} {}: {}", action, where, std::generic_category().message(error))};
}

std::string address_text(const std::string& host, int port) {
  return fmt::format("{}:{}", host, port);
}

class Socket {
 public:
  explicit Socket(int value) : value_(value) {}
  ~Socket() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  Socket(Socket&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int value() const { return value_; }
  bool is_open() const { return value_ >= 0; }

 private:
  int value_;
};

// A moment by the real monotonic clock. Waiting in poll goes by milliseconds, rounded up.
class Deadline {
 public:
  Deadline(Clock& clock, double timeout_s)
      : clock_(clock), end_ns_(clock.monotonic_ns() + static_cast<std::int64_t>(timeout_s * 1e9)) {}

  // Waits until the socket is ready for `events`. False at the deadline.
  bool wait(int socket, short events) const {
    while (true) {
      const std::int64_t left_ns = std::max<std::int64_t>(end_ns_ - clock_.monotonic_ns(), 0);
      const int left_ms = static_cast<int>(std::min<std::int64_t>((left_ns + 999'999) / 1'000'000, 1 << 30));
      pollfd polled = {socket, events, 0};
      const int count = ::poll(&polled, 1, left_ms);
      if (count > 0) {
        return true;
      }
      if (count == 0 && left_ms == 0) {
        return false;
      }
    }
  }

 private:
  Clock& clock_;
  std::int64_t end_ns_;
};

class RealConnection : public Connection {
 public:
  RealConnection(Socket socket, std::string peer, std::shared_ptr<Clock> clock)
      : socket_(std::move(socket)), peer_(std::move(peer)), clock_(std::move(clock)) {
    const int on = 1;  // messages are small and answers are waited for
    ::setsockopt(socket_.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  Status send(std::span<const std::byte> bytes, double timeout_s) override {
    const Deadline deadline(*clock_, timeout_s);
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {
        if (!deadline.wait(socket_.value(), POLLOUT)) {
          return transient(fmt::format("sending to {} timed out after {} s", peer_, timeout_s));
        }
      } else if (errno != EINTR) {
        return network_failure("cannot send to", peer_, errno);
      }
    }
    return ok_status();
  }

  Result<std::int64_t> receive(std::span<std::byte> out, double timeout_s) override {
    CHECK(!out.empty(), "receive needs room for a byte");
    const Deadline deadline(*clock_, timeout_s);
    while (true) {
      const ssize_t count = ::recv(socket_.value(), out.data(), out.size(), 0);
      if (count >= 0) {
        return static_cast<std::int64_t>(count);
      }
      if (errno == EAGAIN) {
        if (!deadline.wait(socket_.value(), POLLIN)) {
          return transient(fmt::format("receiving from {} timed out after {} s", peer_, timeout_s));
        }
      } else if (errno != EINTR) {
        return network_failure("cannot receive from", peer_, errno);
      }
    }
  }

  Status finish_sending() override {
    if (::shutdown(socket_.value(), SHUT_WR) != 0) {
      return network_failure("cannot close the connection to", peer_, errno);
    }
    return ok_status();
  }

  std::string peer() const override { return peer_; }

 private:
  Socket socket_;
  std::string peer_;
  std::shared_ptr<Clock> clock_;
};

std::string name_of(const sockaddr_storage& address, socklen_t length) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  const int error = ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host.data(),
                                  host.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
  return error == 0 ? fmt::format("{}:{}", host.data(), port.data()) : "(unknown)";
}

class RealListener : public Listener {
 public:
  RealListener(Socket socket, int port, std::shared_ptr<Clock> clock)
      : socket_(std::move(socket)), port_(port), clock_(std::move(clock)) {}

  int port() const override { return port_; }

  Result<std::unique_ptr<Connection>> accept(double timeout_s) override {
    const Deadline deadline(*clock_, timeout_s);
    while (true) {
      sockaddr_storage address = {};
      socklen_t length = sizeof address;
      Socket socket(::accept4(socket_.value(), reinterpret_cast<sockaddr*>(&address), &length,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (socket.is_open()) {
        return std::unique_ptr<Connection>(
            std::make_unique<RealConnection>(std::move(socket), name_of(address, length), clock_));
      }
      if (errno == EAGAIN) {
        if (!deadline.wait(socket_.value(), POLLIN)) {
          return transient(fmt::format("nobody connected to port {} within {} s", port_, timeout_s));
        }
      } else if (errno != EINTR && errno != ECONNABORTED) {
        return network_failure("cannot accept on port", std::to_string(port_), errno);
      }
    }
  }

 private:
  Socket socket_;
  int port_;
  std::shared_ptr<Clock> clock_;
};

struct AddressFree {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressFree>;

// The name service has time limits of its own; numeric addresses do not ask it.
Result<AddressList> resolve(const std::string& host, int port, int flags) {
  if (port < 0 || port > 65535) {
    return usage_error(fmt::format("{} is no TCP port", port));
  }
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) {
    const StatusCode code = error == EAI_AGAIN ? StatusCode::kTransient : StatusCode::kUsage;
    return Status(code, fmt::format("cannot find host '{}': {}", host, ::gai_strerror(error)));
  }
  return AddressList(list);
}

class RealNetwork : public Network {
 public:
  Result<std::unique_ptr<Listener>> listen(const std::string& host, int port) override {
    TRY_ASSIGN(const AddressList list, resolve(host, port, AI_PASSIVE));
    const addrinfo& address = *list;
    Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    constexpr int kBacklog = 512;
    sockaddr_storage bound = {};
    socklen_t length = sizeof bound;
    if (!socket.is_open() || ::setsockopt(socket.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(socket.value(), address.ai_addr, address.ai_addrlen) != 0 ||
        ::listen(socket.value(), kBacklog) != 0 ||
        ::getsockname(socket.value(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
      return network_failure("cannot listen on", address_text(host, port), errno);
    }
    const int real_port =
        ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port
                                          : reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
    return std::unique_ptr<Listener>(std::make_unique<RealListener>(std::move(socket), real_port, clock_));
  }

  Result<std::unique_ptr<Connection>> connect(const std::string& host, int port, double timeout_s) override {
    TRY_ASSIGN(const AddressList list, resolve(host, port, 0));
    const Deadline deadline(*clock_, timeout_s);
    Status last = transient(fmt::format("{} has no address", host));
    for (const addrinfo* address = list.get(); address != nullptr; address = address->ai_next) {
      Result<std::unique_ptr<Connection>> tried = connect_to(*address, address_text(host, port), deadline);
      if (tried.ok()) {
        return tried;
      }
      last = tried.status();
    }
    return last;
  }

 private:
  Result<std::unique_ptr<Connection>> connect_to(const addrinfo& address, const std::string& where,
                                                 const Deadline& deadline) {
    Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) {
      return network_failure("cannot connect to", where, errno);
    }
    if (::connect(socket.value(), address.ai_addr, address.ai_addrlen) != 0) {
      if (errno != EINPROGRESS && errno != EINTR) {
        return transient(network_failure("cannot connect to", where, errno).message());
      }
      if (!deadline.wait(socket.value(), POLLOUT)) {
        return transient(fmt::format("connecting to {} timed out", where));
      }
      int error = 0;
      socklen_t length = sizeof error;
      if (::getsockopt(socket.value(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) {
        return transient(network_failure("cannot connect to", where, error).message());
      }
    }
    return std::unique_ptr<Connection>(std::make_unique<RealConnection>(std::move(socket), where, clock_));
  }

  // Shared with the ends, which a caller may keep longer than the network.
  std::shared_ptr<Clock> clock_ = make_real_clock();
};

}  // namespace

std::unique_ptr<Network> make_real_network() {
  return std::make_unique<RealNetwork>();
}

}  // namespace cairn
