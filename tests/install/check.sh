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

# The same program by pkg-config alone.
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name pwalk.pc)")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion pwalk)" = "$("$work/prefix/bin/pwalk" --version | cut -d ' ' -f 2)" ] || fail "pwalk.pc states another version"
# shellcheck disable=SC2046  # words are what pkg-config prints
c++ -o "$work/by-pkg-config" "$here/outside/count_rows.cc" $(pkg-config --cflags --libs pwalk) \
  2>"$work/pkg-config.log" || { tail -n 30 "$work/pkg-config.log"; fail "building by pkg-config"; }

# Manuals and completions came along, the manuals without a word of complaint.
for page in pwalk pwalk-scanner pwalk-find pwalk-run; do
  [ -s "$work/prefix/share/man/man1/$page.1" ] || fail "no manual of $page"
done
bash -n "$work/prefix/share/bash-completion/completions/pwalk" || fail "bash cannot read its completion"
completed=$(bash -c '. "$1"; COMP_WORDS=(pwalk tail --format ""); COMP_CWORD=3; _pwalk; echo "${COMPREPLY[*]}"' - \
            "$work/prefix/share/bash-completion/completions/pwalk")
[ "$completed" = "text csv jsonl null pwalk-csv arrow" ] || fail "pwalk tail --format is completed by: $completed"

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

# An image, browsed by a program that needs no scan, with the tree gone.
"$work/prefix/bin/pwalk-scanner" --quiet --save "$work/tree.img" "$work/tree" || fail "--save ended with $?"
wanted=$(printf 'type d\nnames 1\nlarge 0\nfound 0\nmatches %d\ninodes 103' "$(find "$work/tree" -name '*1*' | wc -l)")
rm -r "$work/tree"
browsed=$("$work/outside/browse" "$work/tree.img" "$work/tree") || fail "browse ended with $?"
[ "$browsed" = "$wanted" ] || fail "browse said: $browsed"
"$work/prefix/bin/pwalk" --version >/dev/null || fail "the installed pwalk"

# What `pwalk run` preloads is found where it was installed.
[ "$("$work/prefix/bin/pwalk" run "$work/tree.img" -- find "$work/tree" | wc -l)" = 103 ] || fail "the installed pwalk run"

# Debian packages, where there is dpkg: each component in its own.
if command -v dpkg-deb >/dev/null; then
  (mkdir "$work/packages" && cd "$work/packages" && cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/packages" >cpack.log 2>&1) ||
    { tail -n 20 "$work/packages/cpack.log"; fail "cpack"; }
  for package in pwalk libpwalk-dev; do
    dpkg-deb --field "$work/packages/$package"_*.deb Version >/dev/null || fail "no package $package"
  done
  dpkg-deb --contents "$work/packages"/pwalk_*.deb >"$work/contents"
  for file in bin/pwalk bin/pwalk-scanner libpwalk_run.so man1/pwalk.1; do
    grep -q "$file" "$work/contents" || fail "the package pwalk lacks $file"
  done
fi
echo "installed, built against and run"
