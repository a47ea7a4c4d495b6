# One preset's tests and their tally; sourced by tests/run.sh and .ci/run.

# Runs a command without address randomisation where that is allowed: ThreadSanitizer of g++ 12 needs its shadow
# memory free, which kernels with vm.mmap_rnd_bits above 28 do not guarantee.
pwalk_at_fixed_addresses() {
  if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi
}

# $1: preset; the rest goes to ctest. Prints failures, skips and `N passed, N failed, N skipped`.
pwalk_ctest() {
  local preset=$1 results=$PWD/build/$1/test-results run=()
  shift
  rm -rf "$results"
  mkdir -p "$results"
  [ "$preset" != tsan ] || run=(pwalk_at_fixed_addresses)
  # ctest's own verdict is not used: a skipped case hides a failed one from it. The tally sees both.
  "${run[@]}" ctest --preset "$preset" --parallel "$(nproc)" --output-junit "$results/ctest.xml" --no-tests=error "$@"
  /usr/bin/python3 tests/tally.py "build/$preset"
}
