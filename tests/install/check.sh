#!/usr/bin/env bash
# Installs a build to a prefix of its own and uses it from there, as a distribution's user would.
#   check.sh BUILD_DIR CMAKE
set -eu
build=$1 cmake=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
scanner=
trap '[ -z "$scanner" ] || kill "$scanner" 2>/dev/null || true; rm -rf "$work"' EXIT
export PWALK_RUNTIME_DIR=$work/runtime
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || fail "cmake --install: $(tail -n 3 "$work/install.log")"

# A program that links pwalk::ipc builds against the prefix alone, and needs none of the scanner's libraries.
"$cmake" -S "$here/outside" -B "$work/outside" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; fail "find_package(pwalk)"; }
"$cmake" --build "$work/outside" >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; fail "building against the prefix"; }
linked=$(ldd "$work/outside/count_rows")
! grep -E 'liburing|libnuma|libbpf|libpwalk' <<<"$linked" || fail "a consumer program links what only the scanner needs"

# The installed scanner and the outside program together: the rows of a live scan are those of find.
mkdir -p "$work/tree/a/b"
for number in $(seq 100); do printf '%d' "$number" >"$work/tree/a/b/$number"; done
"$work/prefix/bin/pwalk-scanner" --quiet --name installed --consumers 1 --attach-timeout 30 "$work/tree" &
scanner=$!
read -r rows bytes < <("$work/outside/count_rows" installed)
wait "$scanner" || fail "the installed pwalk-scanner ended with $?"
scanner=
[ "$rows" = "$(find "$work/tree" | wc -l)" ] || fail "count_rows saw ${rows-no} rows, find $(find "$work/tree" | wc -l)"
[ "$bytes" = 192 ] || fail "count_rows saw $bytes bytes, the files hold 192"  # 9 × 1 + 90 × 2 + 3
"$work/prefix/bin/pwalk" --version >/dev/null || fail "the installed pwalk"
echo "installed, built against and run"
