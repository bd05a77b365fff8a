#include "base/environment.h"

#include <array>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"

namespace cairn {
namespace {

struct LauncherNames {
  const char* launcher;
  const char* global_rank;
  const char* world_size;
  const char* local_rank;
};

// Looked at in this order: mpirun inside a Slurm job sets both, and then its own numbers are the right ones.
constexpr std::array<LauncherNames, 3> kLaunchers = {{
    {"openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
    {"slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"},
    {"pmi", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"},
}};

std::optional<int> small_int(const std::optional<std::string>& text) {
  if (!text) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> value = parse_int64(*text);
  if (!value || *value < 0 || *value > 100'000'000) {
    return std::nullopt;
  }
  return static_cast<int>(*value);
}

bool names_utf8(const std::string& locale) {
  return locale.find("UTF-8") != std::string::npos || locale.find("utf8") != std::string::npos ||
         locale.find("UTF8") != std::string::npos || locale.find("utf-8") != std::string::npos;
}

}  // namespace

void read_environment_variables(const EnvironmentLookup& lookup, Environment& environment) {
  environment.no_color = !lookup("NO_COLOR").value_or("").empty() || lookup("TERM").value_or("") == "dumb";
  environment.is_utf8 = false;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = lookup(name).value_or("");
    if (!value.empty()) {
      environment.is_utf8 = names_utf8(value);
      break;
    }
  }
  const std::optional<int> columns = small_int(lookup("COLUMNS"));
  if (columns && *columns > 0) {
    environment.terminal_width = *columns;
  }
  environment.user = lookup("USER").value_or(lookup("LOGNAME").value_or(""));
  environment.job_id = lookup("SLURM_JOB_ID").value_or("");
  for (const LauncherNames& names : kLaunchers) {
    const std::optional<int> rank = small_int(lookup(names.global_rank));
    const std::optional<int> size = small_int(lookup(names.world_size));
    if (rank && size && *size > *rank) {
      environment.launcher = names.launcher;
      environment.global_rank = rank;
      environment.world_size = size;
      environment.local_rank = small_int(lookup(names.local_rank));
      break;
    }
  }
}

Environment read_environment() {
  Environment environment;
  environment.is_error_terminal = ::isatty(STDERR_FILENO) == 1;
  environment.is_output_terminal = ::isatty(STDOUT_FILENO) == 1;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) {
    environment.host = host.data();
  }
  environment.process_id = ::getpid();
  read_environment_variables(
      [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
      },
      environment);
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    environment.terminal_width = size.ws_col;
  }
  return environment;
}

}  // namespace cairn
