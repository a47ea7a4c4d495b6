#!/usr/bin/env bash
# Installs a build to a prefix of its own and uses it from there, as a distribution's user would.
#   check.sh BUILD_DIR CMAKE [PYTHON]      PYTHON: the Python package was built, for this interpreter
set -eu
build=$1 cmake=$2 python=${3-}
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
for file in bash-completion/completions/{pwalk,pwalk-scanner} zsh/vendor-completions/_pwalk \
            fish/vendor_completions.d/{pwalk,pwalk-scanner}.fish; do
  [ -s "$work/prefix/share/$file" ] || fail "no completion $file"
done

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
  package_has() {
    dpkg-deb --contents "$work/packages/$1"_*.deb >"$work/contents"
    local file
    for file in "${@:2}"; do
      grep -q "$file" "$work/contents" || fail "the package $1 lacks $file"
    done
  }
  package_has pwalk /usr/bin/pwalk /usr/bin/pwalk-scanner libpwalk_run.so man1/pwalk.1 completions/pwalk-scanner \
    vendor-completions/_pwalk vendor_completions.d/pwalk-scanner.fish
  package_has libpwalk-dev pwalkConfig.cmake pwalk.pc libpwalk_ipc.a include/pwalk/
  if [ -n "$python" ]; then
    # The package lies where this Python looks, and finds the scanner of the package beside it.
    place=/usr/lib/python3/dist-packages
    "$python" -c 'import sys; sys.exit(sys.argv[1] not in sys.path)' $place || fail "$python does not look in $place"
    package_has python3-pwalk $place/pwalk/__init__.py $place/pwalk/_core.*so $place/pwalk/config.pyi $place/pwalk/py.typed dist-info/entry_points.txt
    for package in pwalk python3-pwalk; do
      dpkg-deb --extract "$work/packages/$package"_*.deb "$work/root"
    done
    mkdir -p "$work/tree/inner"
    counted=$(PATH=$work/root/usr/bin:$PATH PYTHONPATH=$work/root$place "$python" -c 'import pwalk, sys
with pwalk.scan(sys.argv[1]) as scan: print(sum(map(len, scan)), pwalk.__file__)' "$work/tree") || fail "the package python3-pwalk"
    [ "$counted" = "2 $work/root$place/pwalk/__init__.py" ] || fail "python3-pwalk counted $counted"
  fi
fi
echo "installed, built against and run"
