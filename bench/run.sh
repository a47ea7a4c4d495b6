#!/usr/bin/env bash
# The whole program, with its consumers, against the floor and other walkers, on one tree.
#   bash bench/run.sh [--rounds N] [--tree DIRECTORY] [--against "COMMAND WORDS"]
# Without --tree a million files are made on /dev/shm (about 1.3 GB of memory) and removed afterwards.
# Prints a table in Markdown; build/release/bench/results.json keeps every run.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. tools/setup.sh
pwalk_install "${PWALK_PACKAGES[@]}" || exit 1
pwalk_build release || exit 1
exec /usr/bin/python3 bench/whole_program.py --build build/release "$@"
