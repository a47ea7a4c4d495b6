# One preset's tests and their tally; sourced by tests/run.sh and .ci/run.

# $1: preset; the rest goes to ctest. Prints failures, skips and `N passed, N failed, N skipped`.
pwalk_ctest() {
  local preset=$1 results=$PWD/build/$1/test-results
  shift
  rm -rf "$results"
  mkdir -p "$results"
  # ctest's own verdict is not used: a skipped case hides a failed one from it. The tally sees both.
  ctest --preset "$preset" --parallel "$(nproc)" --output-junit "$results/ctest.xml" --no-tests=error "$@"
  /usr/bin/python3 tests/tally.py "build/$preset"
}
