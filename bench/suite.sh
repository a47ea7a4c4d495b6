#!/usr/bin/env bash
# The benchmark suite: the scanner's configurations and other walkers over trees T1 to T4, /usr and a file system with
# latency, warm and cold. One command; takes long: find needs more than a minute for a run at 2 ms.
#   bash bench/suite.sh [--files N] [--rounds N] [--only T2 --only latency ...] [--json FILE]
# Trees are made below /dev/shm (T2, T3, T4) and, for T1, on an ext4 image below --disk, and removed afterwards.
# As root caches are dropped for the cold rows; otherwise those are left out, and it says so.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. tools/setup.sh
pwalk_install "${PWALK_PACKAGES[@]}" || exit 1
pwalk_build release || exit 1
exec /usr/bin/python3 bench/suite.py --build build/release "$@"
