#!/usr/bin/env bash
# The transport against a pipe, sockets, ZeroMQ, Boost, iceoryx and Python's queue.
#   bash bench/transport/run.sh [--rounds N] [--only TEXT]
# Prints a table in Markdown for each distance of the two CPUs; build/release/bench/transport.json keeps every value.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tools/setup.sh
pwalk_install "${PWALK_PACKAGES[@]}" "${PWALK_BENCH_PACKAGES[@]}" || exit 1
pwalk_build release || exit 1
exec build/release/bench/transport_bench --json build/release/bench/transport.json "$@"
