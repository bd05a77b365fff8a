# Sourced by the scripts beside it: paths, messages, the stage table.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$(basename "$0"): $1"
  exit "${2:-70}"
}

# ccache makes rebuilds cheap where it is installed; nothing needs it.
if [ -z "${CMAKE_CXX_COMPILER_LAUNCHER:-}" ] && command -v ccache > /dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1 # another checkout of the same sources hits, too

# stage NAME COMMAND...: runs the command with its output in build/logs, shows the end of it on failure,
# and remembers name, outcome and seconds for the summary.
stage_names=()
stage_outcomes=()
stage_seconds=()
stages_failed=0
stage() {
  local name="$1" begin end log outcome
  shift
  mkdir -p build/logs
  log="build/logs/${name//[^A-Za-z0-9]/-}.log"
  begin=$SECONDS
  printf '%-34s ' "$name"
  if ("$@") > "$log" 2>&1; then
    outcome=passed
  else
    outcome=FAILED
    stages_failed=$((stages_failed + 1))
  fi
  end=$SECONDS
  printf '%s %4d s\n' "$outcome" $((end - begin))
  if [ "$outcome" = FAILED ]; then
    tail -n 60 "$log" | sed 's/^/    /'
    printf '    (all of it: %s)\n' "$log"
  fi
  stage_names+=("$name")
  stage_outcomes+=("$outcome")
  stage_seconds+=($((end - begin)))
}

stage_summary() {
  local index
  printf '\n%-34s %-7s %s\n' stage outcome seconds
  for index in "${!stage_names[@]}"; do
    printf '%-34s %-7s %7d\n' "${stage_names[$index]}" "${stage_outcomes[$index]}" "${stage_seconds[$index]}"
  done
}
