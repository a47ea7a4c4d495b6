"""How fast a Python consumer reads what a filled pool holds.

    python3 read_columns.py PATH [ROUNDS]

Scans PATH once with everything kept in the pool, in batches that are full, waits until the walk is over, and then attaches
again and again to read it: `size` summed over every batch with and without the content hash recomputed, and every path as bytes. Prints
the median rate of each in millions per second. PATH must fit in the pool (RING_SIZE).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Callable

import pwalk
from pwalk.scanner_process import find_scanner

RING_SIZE = "512M"
NAME = f"bench-{os.getpid()}"


def rate(read: Callable[[pwalk.Batch], object], verify: bool = False) -> float:
    with pwalk.attach(NAME, timeout=60, verify=verify) as consumer:
        begin = time.perf_counter()
        for batch in consumer:
            read(batch)
        seconds = time.perf_counter() - begin
        assert consumer.complete
        return consumer.stats.rows / seconds / 1e6


MEASURES: dict[str, Callable[[], float]] = {
    "sum of size, entries": lambda: rate(lambda batch: batch["size"].sum()),
    "sum of size, content hash recomputed, entries": lambda: rate(lambda batch: batch["size"].sum(), verify=True),
    "taking batches, entries": lambda: rate(lambda batch: None),
    "paths(), paths": lambda: rate(lambda batch: batch.paths()),
    "where(suffix, larger, type), entries": lambda: rate(
        lambda batch: batch.where(suffix=".py", larger=1000, type="f")),
}


def main() -> None:
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    scanner = subprocess.Popen([find_scanner(), f"--name={NAME}", f"--ring-size={RING_SIZE}", "--consumers=1",
                                "--batch-age-ms=60000", "--linger=60", "--quiet", "--", sys.argv[1]])
    try:
        print("attached while it walks:", f"{rate(lambda batch: batch['size'].sum()):.1f} M entries/s")
        for what, measure in MEASURES.items():
            figures = [measure() for _ in range(rounds)]
            print(f"{what:48} {statistics.median(figures):8.1f} M/s   (from {min(figures):.1f} to {max(figures):.1f})")
    finally:
        scanner.terminate()
        scanner.wait()


if __name__ == "__main__":
    main()
