#!/usr/bin/env bash
# Scans PATH once while two Python programs read it live, and compares what they saw with find.
#   bash tools/demo.sh [PATH]        default /usr
# Exit 0: both saw the same rows, as many as find; 1: they differ; 3: it could not be tried.
set -u
target=${1:-/usr}
[ -e "$target" ] || { printf 'demo.sh: %s does not exist\n' "$target" >&2; exit 3; }
target=$(realpath -s -- "$target") || exit 3
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 3
. tools/setup.sh

pwalk_install "${PWALK_BUILD_PACKAGES[@]}" || exit 3
pwalk_build release pwalk-scanner pwalk pwalk_python pwalk_python_files || exit 3

work=$(mktemp -d) || exit 3
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$work"' EXIT
scan=demo-$$

# The consumers first: they wait for the scan to appear, and the scan waits for both of them.
for consumer in 1 2; do
  PYTHONPATH=build/release/python /usr/bin/python3 tools/demo_consumer.py "$scan" \
    >"$work/consumer$consumer" 2>"$work/consumer$consumer.err" &
  consumers[consumer]=$!
done
build/release/bin/pwalk-scanner --name "$scan" --consumers 2 --attach-timeout 60 --no-ignore-snapshots \
  --json --quiet "$target" >"$work/summary" 2>"$work/scanner.err"
scanned=$?
for consumer in 1 2; do
  wait "${consumers[consumer]}" || { cat "$work/consumer$consumer.err" >&2; failed=1; }
done
if [ "$scanned" -gt 1 ] || [ -n "${failed-}" ]; then
  cat "$work/scanner.err" >&2
  pwalk_say "the scan of $target did not come to its end (exit $scanned)"
  exit 3
fi

find -H "$target" 2>/dev/null | wc -l >"$work/find"
/usr/bin/python3 tools/demo_verdict.py "$work" "$target"
