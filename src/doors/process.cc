#include "doors/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "doors/clock.h"

namespace cairn {
namespace {

class Pipe {
 public:
  Pipe() = default;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool open() { return ::pipe2(ends_.data(), O_CLOEXEC) == 0; }
  // A socket pair: writing to a program that no longer reads gives an error instead of SIGPIPE.
  bool open_for_input() { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0; }
  int end(std::size_t index) const { return ends_[index]; }
  void close_end(std::size_t index) {
    if (ends_[index] >= 0) {
      ::close(ends_[index]);
      ends_[index] = -1;
    }
  }
  void set_nonblocking(std::size_t index) const { ::fcntl(ends_[index], F_SETFL, O_NONBLOCK); }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

// Everything the child needs, made before fork: after it only async-signal-safe calls are allowed.
struct Prepared {
  std::vector<std::string> environment;
  std::vector<char*> argv;
  std::vector<char*> envp;
};

Prepared prepare(const ProcessRequest& request) {
  Prepared prepared;
  const auto is_replaced = [&](std::string_view entry) {
    return std::any_of(request.environment.begin(), request.environment.end(), [&](const auto& pair) {
      return entry.starts_with(pair.first) && entry.substr(pair.first.size()).starts_with('=');
    });
  };
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!is_replaced(*entry)) {
      prepared.environment.emplace_back(*entry);
    }
  }
  for (const auto& [name, value] : request.environment) {
    prepared.environment.push_back(fmt::format("{}={}", name, value));
  }
  for (std::string& entry : prepared.environment) {
    prepared.envp.push_back(entry.data());
  }
  prepared.envp.push_back(nullptr);
  for (const std::string& argument : request.argv) {
    prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  }
  prepared.argv.push_back(nullptr);
  return prepared;
}

[[noreturn]] void run_child(const ProcessRequest& request, const Prepared& prepared, const Pipe& input,
                            const Pipe& output, const Pipe& errors, const Pipe& start) {
  ::setpgid(0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  bool ok = ::dup2(input.end(0), 0) >= 0 && ::dup2(output.end(1), 1) >= 0 && ::dup2(errors.end(1), 2) >= 0;
  ok = ok && (request.directory.empty() || ::chdir(request.directory.c_str()) == 0);
  if (ok) {
    ::execvpe(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  }
  const int error = errno;
  static_cast<void>(::write(start.end(1), &error, sizeof error) == 0);
  ::_exit(127);
}

// Reads what is there. False at the end of the stream.
bool drain(int descriptor, std::int64_t bytes_max, std::string& out, bool& is_truncated) {
  std::array<char, 16384> buffer{};
  while (true) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0) {
      return errno == EINTR || errno == EAGAIN;
    }
    if (count == 0) {
      return false;
    }
    const auto room = static_cast<std::size_t>(
        std::max<std::int64_t>(bytes_max - static_cast<std::int64_t>(out.size()), 0));
    out.append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
    is_truncated = is_truncated || static_cast<std::size_t>(count) > room;
  }
}

// Talks to one running child until it has ended.
class Conversation {
 public:
  Conversation(const ProcessRequest& request, pid_t child, Pipe& input, Pipe& output, Pipe& errors)
      : request_(request), child_(child), input_(input), output_(output), errors_(errors) {}

  ProcessResult finish(Clock& clock) {
    const std::int64_t deadline_ns =
        clock.monotonic_ns() + static_cast<std::int64_t>(request_.timeout_s * 1e9);
    int wait_status = 0;
    while (true) {
      exchange();
      const pid_t ended = ::waitpid(child_, &wait_status, WNOHANG);
      if (ended == child_ || (ended < 0 && errno == ECHILD)) {
        break;
      }
      if (!result_.is_timed_out && clock.monotonic_ns() >= deadline_ns) {
        result_.is_timed_out = true;
        ::kill(-child_, SIGKILL);
      }
    }
    exchange();  // what it wrote last; descendants that keep the pipe open are not waited for
    result_.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    result_.exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
    return std::move(result_);
  }

 private:
  void exchange() {
    constexpr int kPollMs = 5;  // also how late the end of the process may be noticed
    std::array<pollfd, 3> polled = {pollfd{input_.end(1), POLLOUT, 0}, pollfd{output_.end(0), POLLIN, 0},
                                    pollfd{errors_.end(0), POLLIN, 0}};
    ::poll(polled.data(), polled.size(), kPollMs);
    if (output_.end(0) >= 0 &&
        !drain(output_.end(0), request_.output_bytes_max, result_.output, result_.is_truncated)) {
      output_.close_end(0);
    }
    if (errors_.end(0) >= 0 &&
        !drain(errors_.end(0), request_.output_bytes_max, result_.error_output, result_.is_truncated)) {
      errors_.close_end(0);
    }
    feed();
  }

  void feed() {
    while (input_.end(1) >= 0) {
      const std::size_t left = request_.input.size() - num_fed_;
      if (left == 0) {
        input_.close_end(1);
        return;
      }
      const ssize_t count =
          ::send(input_.end(1), request_.input.data() + num_fed_, left, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
      }
      if (count < 0) {
        input_.close_end(1);  // it does not want to read; that is its right
        return;
      }
      num_fed_ += static_cast<std::size_t>(count);
    }
  }

  const ProcessRequest& request_;
  pid_t child_;
  Pipe& input_;
  Pipe& output_;
  Pipe& errors_;
  std::size_t num_fed_ = 0;
  ProcessResult result_;
};

class RealProcessRunner : public ProcessRunner {
 public:
  Result<ProcessResult> run(const ProcessRequest& request) override {
    CHECK(!request.argv.empty() && request.timeout_s > 0, "a process needs a program and a deadline");
    const std::string& program = request.argv.front();
    const auto no_resources = [&](int error) {
      return Status(StatusCode::kTransient,
                    fmt::format("cannot start '{}': {}", program, std::generic_category().message(error)));
    };
    const Prepared prepared = prepare(request);
    Pipe input;
    Pipe output;
    Pipe errors;
    Pipe start;
    if (!input.open_for_input() || !output.open() || !errors.open() || !start.open()) {
      return no_resources(errno);
    }
    const pid_t child = ::fork();
    if (child < 0) {
      return no_resources(errno);
    }
    if (child == 0) {
      run_child(request, prepared, input, output, errors, start);
    }
    ::setpgid(child, child);  // in both processes, so that neither can come too late
    input.close_end(0);
    output.close_end(1);
    errors.close_end(1);
    start.close_end(1);
    int error = 0;
    if (read_start_error(start, error)) {
      ::waitpid(child, nullptr, 0);
      return no_input(fmt::format("cannot start '{}': {}", program, std::generic_category().message(error)));
    }
    output.set_nonblocking(0);
    errors.set_nonblocking(0);
    return Conversation(request, child, input, output, errors).finish(*clock_);
  }

 private:
  // The pipe closes by itself when exec succeeds.
  static bool read_start_error(const Pipe& start, int& error) {
    while (true) {
      const ssize_t count = ::read(start.end(0), &error, sizeof error);
      if (count >= 0 || errno != EINTR) {
        return count == sizeof error;
      }
    }
  }

  std::unique_ptr<Clock> clock_ = make_real_clock();
};

}  // namespace

std::unique_ptr<ProcessRunner> make_real_process_runner() {
  return std::make_unique<RealProcessRunner>();
}

void SimProcessRunner::add_program(std::string name, Handler handler) {
  programs_.emplace_back(std::move(name), std::move(handler));
}

Result<ProcessResult> SimProcessRunner::run(const ProcessRequest& request) {
  CHECK(!request.argv.empty() && request.timeout_s > 0, "a process needs a program and a deadline");
  requests_.push_back(request);
  for (const auto& [name, handler] : programs_) {
    if (name == request.argv.front()) {
      return handler(request);
    }
  }
  return no_input(fmt::format("cannot start '{}': No such file or directory", request.argv.front()));
}

}  // namespace cairn
