"""How long pwalk.walk takes beside os.walk.

    python3 walk_trees.py PATH [ROUNDS]           a tree as it is, caches warm
    python3 walk_trees.py --fuse PATH [ROUNDS]    the same seen through a FUSE server that takes 0.5 ms per request

Walks PATH by turns, ROUNDS times each, and prints the medians and their ratio, a scanner's start included. --fuse
needs the build's tests (PWALK_BUILD_DIR).
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import statistics
import sys
import time
from typing import Any, Callable, Iterator

import pwalk

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "support"))
import fuse_mount  # noqa: E402

Walk = Callable[[str], Iterator[tuple[Any, list[Any], list[Any]]]]


def seconds(walk: Walk, top: str) -> tuple[float, int]:
    begin = time.perf_counter()
    entries = sum(len(directories) + len(files) for _, directories, files in walk(top))
    return time.perf_counter() - begin, entries


def compare(top: str, rounds: int) -> None:
    walks: dict[str, Walk] = {"os.walk": os.walk, "pwalk.walk": pwalk.walk,
                              "pwalk.walk, bottom up": lambda top: pwalk.walk(top, topdown=False)}
    taken: dict[str, list[float]] = {name: [] for name in walks}
    counts = {seconds(os.walk, top)[1]}  # also warms the caches
    for _ in range(rounds):
        for name, walk in walks.items():
            spent, entries = seconds(walk, top)
            taken[name].append(spent)
            counts.add(entries)
    print(f"{counts} entries")
    first = statistics.median(taken["os.walk"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:24} {median:8.3f} s   os.walk / this: {first / median:6.2f}   (from {min(times):.3f} to {max(times):.3f})")


def main() -> None:
    words = sys.argv[1:]
    slow = words[0] == "--fuse"
    words = words[1:] if slow else words
    rounds = int(words[1]) if len(words) > 1 else 5
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(fuse_mount.latency_fs(words[0], "--delay-us", "500")).path if slow else words[0]
        compare(top, rounds)


if __name__ == "__main__":
    main()
