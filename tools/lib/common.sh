# Shared by the scripts in tools/: sourced, never run.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)

# Debian's python3, never one that happens to be first in PATH.
python=/usr/bin/python3

# Says in one line what is wrong, and ends the script.
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

need_root() {
  [[ $EUID -eq 0 ]] || die "has to run as root: $1"
}

# Configures (only when that has not happened) and builds a preset of CMakePresets.json: all of it, or these targets.
build_preset() {
  local preset=$1 tool
  shift
  for tool in cmake ninja; do
    command -v "$tool" >/dev/null || die "$tool is missing; 'tools/dev setup' installs what is needed"
  done
  cd "$root"
  if [[ ! -f build/$preset/build.ninja ]]; then
    cmake --preset "$preset" -Wno-dev --log-level=NOTICE || die "cmake cannot configure the preset '$preset' (see above)"
  fi
  cmake --build "build/$preset" -j"$(nproc)" ${1:+--target "$@"} || die "the build of the preset '$preset' failed (see above)"
}
