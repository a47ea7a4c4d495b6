#!/usr/bin/env bash
# Installs what is missing, builds build/release and runs every test.
#   bash tests/run.sh [ctest options...]        e.g. bash tests/run.sh -R oracle
# Exit 0: everything passed, and nothing was skipped without an excuse of tests/expected_skips.txt.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. tools/setup.sh

pwalk_install "${PWALK_PACKAGES[@]}" || exit 1
pwalk_build release || exit 1
. tests/ctest.sh
pwalk_ctest release "$@"
status=$?
[ $status -eq 0 ] && pwalk_say "all is well" || pwalk_say "something failed; see build/release/test-results"
exit $status
