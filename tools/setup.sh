# What a bare Debian needs before pwalk can be built and tested; sourced by tests/run.sh, tools/demo.sh and .ci/run.
# Every function returns non-zero after one line on stderr that says what to do.

# Debian packages: what builds it and what it is made of.
PWALK_BUILD_PACKAGES=(
  g++ cmake ninja-build pkg-config python3-dev
  libboost-dev libexpected-dev libfmt-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libxxhash-dev libhwy-dev
  libflatbuffers-dev flatbuffers-compiler flatbuffers-compiler-dev liburing-dev libnuma-dev libbpf-dev clang bpftool
  python3-numpy pybind11-dev
)

# The same, and what its tests and measurements use.
PWALK_PACKAGES=(
  "${PWALK_BUILD_PACKAGES[@]}"
  libgtest-dev libgmock-dev relacy-dev libbenchmark-dev libpcre2-dev python3-pytest python3-pip python3-fsspec python3-pandas python3-dask mypy
  strace bfs fd-find tree zsh fish dpkg-dev file mount e2fsprogs xfsprogs btrfs-progs fuse3 libfuse3-dev
)

# Peers that bench/transport measures against, beyond the above.
PWALK_BENCH_PACKAGES=(libzmq3-dev libiceoryx-posh-dev iceoryx)

pwalk_say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Names those of the packages given that are not installed, one per line.
pwalk_missing_packages() {
  local status
  status=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null)
  local package
  for package in "$@"; do
    grep -qxF "installed $package" <<<"$status" || printf '%s\n' "$package"
  done
}

# Runs a command as root: directly, or through sudo.
pwalk_as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

pwalk_may_be_root() {
  [ "$(id -u)" -eq 0 ] && return 0
  command -v sudo >/dev/null || return 1
  sudo -n true 2>/dev/null || [ -t 0 ]  # with a terminal sudo can ask
}

# Installs what is missing of the packages given; silent and quick when nothing is.
pwalk_install() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    pwalk_say "no apt-get here; install what Debian 12 calls: $*"
    return 1
  fi
  local missing
  mapfile -t missing < <(pwalk_missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return 0
  if ! pwalk_may_be_root; then
    pwalk_say "neither root nor sudo; ask somebody to run: apt-get install ${missing[*]}"
    return 1
  fi
  pwalk_say "installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { pwalk_as_root apt-get -q update &&
         pwalk_as_root env DEBIAN_FRONTEND=noninteractive \
           apt-get -q -y --no-install-recommends install "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    pwalk_say "apt-get failed; its output is in $log"
    return 1
  fi
  rm -f "$log"
}

# Configures and builds one preset below the current directory. Quiet unless it fails.
# $1: preset; the rest: targets (default: all).
pwalk_build() {
  local preset=$1 log status=0
  shift
  mkdir -p build
  log=build/$preset.log
  pwalk_say "building build/$preset"
  { cmake --preset "$preset" && cmake --build --preset "$preset" ${1+--target "$@"}; } >"$log" 2>&1 || status=$?
  if [ $status -ne 0 ]; then
    grep -E -A6 'error: |CMake Error|FAILED: |undefined reference' "$log" | head -n 60 >&2
    pwalk_say "the build failed; all of its output is in $log"
  fi
  return $status
}
