#!/usr/bin/env bash
# Compares what a script prints with the snapshot beside it.
#   snapshot.sh BINARIES NAME           runs NAME.sh, compares with NAME.out
#   UPDATE=1 snapshot.sh BINARIES NAME  writes NAME.out anew; look at the difference before committing it
set -u
binaries=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=$2

scratch=$(mktemp -d /dev/shm/pwt.XXXXXX) || exit 1
trap 'rm -rf "$scratch"' EXIT
mkdir -m 700 "$scratch/run" "$scratch/tree"
export PWALK_RUNTIME_DIR=$scratch/run PATH=$binaries:$PATH LC_ALL=C
cd "$scratch/tree" || exit 1

# Prints a command, everything it says, and how it ends. Paths of this run become @.
run() {
  printf '$ %s\n' "$*"
  timeout 60 "$@" 2>&1 </dev/null | sed "s|$scratch|@|g"
  printf '[%d]\n' "${PIPESTATUS[0]}"
}

. "$here/$name.sh" >"$scratch/out" 2>&1
if [ -n "${UPDATE:-}" ]; then
  cp "$scratch/out" "$here/$name.out"
else
  diff -u "$here/$name.out" "$scratch/out"
fi
