"""Scans seeded random trees and compares every row with what GNU find and statx(2) say.

    oracle.py --binaries DIR [--trees N] [--seed N] [--filesystem tmpfs|ext4|xfs|btrfs|DIRECTORY]

Each tree is scanned with 1, 2 and 8 threads, each time with three consumers attached together. A difference prints
the seed; `--seed N` alone replays that tree. Exit 77: the file system cannot be had here.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter

from find_rows import FIELDS, expected_rows, run_find
from hostile_tree import EVERY_NAME_BYTE, EXPECTED, EXPECTED_OF_ROOT, HostileTree, raise_descriptor_limit
from live_scan import LiveScan, View
from stage import Stage, Unavailable, prepare

THREADS = (1, 2, 8)
ENOUGH_FOR_EVERYTHING = 150  # trees after which every feature must have been made
TICK = 0.02  # seconds; longer than the kernel's clock of file times


class Difference(Exception):
    pass


def shown(path: bytes) -> str:
    """Long paths by both their ends."""
    text = repr(path)
    return text if len(text) <= 160 else f"{text[:70]} ... {text[-70:]}"


def compared_rows(fields: tuple[str, ...], row: tuple, others: dict[bytes, tuple]) -> str:
    """The fields in which a row differs from the one of the same path on the other side."""
    other = others.get(row[0])
    if other is None:
        return f"{shown(row[0])}: {dict(zip(fields[1:], row[1:]))}"
    return f"{shown(row[0])}: " + ", ".join(
        f"{field} {mine!r}, not {theirs!r}" for field, mine, theirs in zip(fields, row, other) if mine != theirs)


def difference_between(view: View, expected: list[tuple]) -> str | None:
    """None if the two multisets are equal, else the first rows that only one of them has."""
    picked = [FIELDS.index(field) for field in view.fields]
    wanted = Counter(tuple(row[index] for index in picked) for row in expected)
    got = Counter(view.rows)
    if got == wanted:
        return None
    surplus, missing = list((got - wanted).elements()), list((wanted - got).elements())
    wanted_by_path = {row[0]: row for row in missing}
    surplus_paths = {row[0] for row in surplus}
    lines = [f"{view.consumer}: {len(view.rows)} rows, expected {len(expected)}"]
    lines += [f"  got {compared_rows(view.fields, row, wanted_by_path)}" for row in surplus[:5]]
    lines += [f"  missing {compared_rows(view.fields, row, {})}" for row in missing
              if row[0] not in surplus_paths][:5]
    return "\n".join(lines)


def check_views(views: list[View], expected: list[tuple]) -> None:
    problems = [problem for view in views if (problem := difference_between(view, expected))]
    problems += [f"{view.consumer}: not complete" for view in views if not view.complete]
    hashes = {view.content_hash for view in views if view.content_hash is not None}
    if len(hashes) != 1:
        problems.append(f"content hashes differ: {hashes}")
    if problems:
        raise Difference("\n".join(problems))


def scan_options(threads: int, chance: random.Random) -> list[str]:
    return ["--min-threads", str(threads), "--max-threads", str(threads),
            "--batch-size", str(chance.choice([1 if threads == 1 else 50, 7, 300, 4096])),
            "--ring-size", chance.choice(["2M", "8M", "64M"]), "--huge-pages", "off"]


def roots_in(tree: bytes, chance: random.Random) -> list[bytes]:
    """Now and then the tree twice, or with a directory of its own beside it."""
    kind = chance.random()
    if kind < 0.05:
        return [tree, tree]
    inner = [entry.path for entry in os.scandir(tree) if entry.is_dir(follow_symlinks=False)]
    if kind < 0.10 and inner:
        return [tree, chance.choice(inner)]
    return [tree]


def check_tree(tree: bytes, seed: int, scan: LiveScan) -> int:
    """Scans one tree with each number of threads; the number of rows compared. Raises Difference."""
    chance = random.Random(seed ^ 0x5EED)
    roots = roots_in(tree, chance)
    time.sleep(TICK)
    run_find(roots)  # the priming pass: atimes of directories settle
    found = run_find(roots)
    expected = expected_rows(roots, found)
    compared = 0
    for threads in THREADS:
        options = scan_options(threads, chance)
        try:
            views = scan.run(roots, options)
            check_views(views, expected)
        except (Difference, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            raise Difference(f"with {' '.join(options)}:\n{error}") from error
        compared += sum(len(view.rows) for view in views)
    if Counter(run_find(roots)) != Counter(found):
        raise Difference("find no longer sees what it saw: something changed the tree")
    return compared


def build_tree(stage: Stage, seed: int) -> tuple[bytes, HostileTree]:
    tree = os.fsencode(stage.directory) + b"/tree\xff \n%d" % seed
    os.mkdir(tree)
    built = HostileTree(seed, root=os.geteuid() == 0, still=stage.still)
    built.build(tree)
    return tree, built


def remove_tree(tree: bytes) -> None:
    """rm needs to enter and write what it removes; an ordinary user's trees allow that already."""
    subprocess.run([b"rm", b"-rf", b"--", tree], check=True, timeout=120)


def never_made(made: Counter, name_bytes: set[int], filesystem: str) -> list[str]:
    wanted = EXPECTED | (EXPECTED_OF_ROOT if os.geteuid() == 0 else set())
    if filesystem != "tmpfs":
        wanted = wanted - {"size beyond 2^53"}  # ext4 ends at 2^44
    missing = [feature for feature in wanted if made[feature] == 0]
    return missing + [f"byte {byte:#04x} in a name" for byte in EVERY_NAME_BYTE - name_bytes]


def run_trees(stage: Stage, seeds: range, scan: LiveScan, filesystem: str) -> int:
    made: Counter[str] = Counter()
    name_bytes: set[int] = set()
    compared = 0
    for seed in seeds:
        tree, built = build_tree(stage, seed)
        try:
            compared += check_tree(tree, seed, scan)
        except Difference as error:
            print(f"seed {seed}: {error}\nreplay with --seed {seed}")
            return 1
        finally:
            remove_tree(tree)
        made += built.made
        name_bytes |= built.name_bytes
    print(f"{len(seeds)} trees (seeds {seeds[0]} to {seeds[-1]}), {compared:,} rows compared in {scan.scans} scans")
    print("made: " + ", ".join(f"{count:,} {feature}" for feature, count in sorted(made.items())))
    missing = never_made(made, name_bytes, filesystem) if len(seeds) >= ENOUGH_FOR_EVERYTHING else []
    if missing:
        print(f"the generator never made: {', '.join(missing)}")
    return 1 if missing else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="directory of pwalk-scanner and pwalk")
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=int(os.environ.get("PWALK_TEST_SEED", "1")))
    parser.add_argument("--seed", type=int, help="one tree only")
    parser.add_argument("--filesystem", default="tmpfs")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    seeds = (range(asked.first_seed, asked.first_seed + asked.trees) if asked.seed is None else
             range(asked.seed, asked.seed + 1))
    raise_descriptor_limit()
    base = "/dev/shm" if asked.filesystem == "tmpfs" else None
    with tempfile.TemporaryDirectory(prefix="pwalk-oracle-", dir=base, ignore_cleanup_errors=True) as scratch:
        try:
            stage = prepare(asked.filesystem, pathlib.Path(scratch))
        except Unavailable as reason:
            print(f"SKIP: {reason}")
            return 77
        scan = LiveScan(asked.binaries.resolve())
        try:
            return run_trees(stage, seeds, scan, asked.filesystem)
        finally:
            scan.close()


if __name__ == "__main__":
    sys.exit(main())
