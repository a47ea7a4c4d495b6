"""What an image costs a scan, and what it answers faster or slower than the file system: interleaved pairs.
See bench/README.md.

Each pair runs side by side once per round, in an order drawn anew; a ratio is the median over the rounds of ours over
the other's. The tree is on /dev/shm and both find their caches warm, which is the file system's best case.
"""

import argparse
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from whole_program import FIND_FIELDS, Contender, Failed, machine, make_tree, parser_of_one_tree, run

NEVER = ["-links", "+1000000000"]  # looks at every entry's attributes, prints nothing


class Pair(NamedTuple):
    what: str
    ours: list[str]
    other_name: str
    other: list[str]
    clear: Callable[[], None] = lambda: None  # after each run of ours


class Bench:
    def __init__(self, build: pathlib.Path, tree: str, scratch: pathlib.Path):
        self.build, self.tree, self.scratch = build, tree, scratch
        self.pwalk = str(build / "bin/pwalk")
        self.image, self.again = scratch / "old.img", scratch / "new.img"
        for file in (self.image, self.again):
            subprocess.run(self.scanner("--save", str(file)), check=True, stdout=subprocess.DEVNULL)

    def scanner(self, *options: str) -> list[str]:
        return [str(self.build / "bin/pwalk-scanner"), "--quiet", "--json", "--name", "bench", "--no-ignore-snapshots", *options, self.tree]

    def remove_kept(self) -> None:
        subprocess.run([self.pwalk, "rm", "bench"], check=True, stdout=subprocess.DEVNULL)

    def pairs(self) -> list[Pair]:
        image, tree, saved = str(self.image), self.tree, str(self.scratch / "saved.img")
        alone, saving = self.scanner(), self.scanner("--save", saved)
        return [
            Pair("scan with `--keep`", self.scanner("--keep"), "the scan alone", alone, self.remove_kept),
            Pair("scan with `--save`", saving, "the scan alone", alone),
            Pair("`pwalk find -size +1G`", [self.pwalk, "find", image, "-size", "+1G"], "find", ["find", tree, "-size", "+1G"]),
            Pair("`pwalk du -s`", [self.pwalk, "du", "-s", image], "du", ["du", "-s", tree]),
            Pair("`pwalk run -- find`", [self.pwalk, "run", image, "--", "find", tree, *NEVER], "find", ["find", tree, *NEVER]),
            Pair("`pwalk run -- du -s`", [self.pwalk, "run", image, "--", "du", "-s", tree], "du", ["du", "-s", tree]),
            Pair("`pwalk diff` of two equal images", [self.pwalk, "diff", image, str(self.again)], "one find -printf of 13 fields",
                 ["find", tree, "-printf", FIND_FIELDS]),
            Pair("scan with `--save --since`", self.scanner("--save", saved, "--since", image), "scan with `--save`", saving),
            Pair("scan with `--save --since --trust-mtime`", self.scanner("--save", saved, "--since", image, "--trust-mtime"),
                 "scan with `--save`", saving),
        ]


class Series:
    def __init__(self, pair: Pair):
        self.pair = pair
        self.runs: list[tuple[float, float, float, float]] = []  # wall of ours and the other's, CPU likewise

    def measure(self, build: pathlib.Path, ours_first: bool) -> None:
        ours, other = Contender(self.pair.what, "", [self.pair.ours]), Contender(self.pair.other_name, "", [self.pair.other])
        walls = {}
        for one in (ours, other) if ours_first else (other, ours):
            walls[one.name] = run(build, one)
            if one is ours:
                self.pair.clear()
        self.runs.append((walls[ours.name].wall, walls[other.name].wall, walls[ours.name].cpu, walls[other.name].cpu))

    def line(self) -> str:
        middle = [statistics.median(column) for column in zip(*self.runs)]
        ratios = [ours / other for ours, other, *_ in self.runs]
        cpu = statistics.median(each[2] / each[3] for each in self.runs)
        return (f"| {self.pair.what} | {middle[0]:.3f} | {self.pair.other_name} | {middle[1]:.3f} | "
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {cpu:.2f} |")


def measure(asked: argparse.Namespace, tree: str, scratch: pathlib.Path) -> None:
    host = machine()
    bench = Bench(asked.build, tree, scratch)
    series = [Series(pair) for pair in bench.pairs() if not asked.only or any(word in pair.what for word in asked.only)]
    order = random.Random(asked.seed)
    for number in range(asked.rounds):
        for one in order.sample(series, len(series)):
            one.measure(asked.build, ours_first=(number + series.index(one)) % 2 == 0)
        print(f"round {number + 1} of {asked.rounds}", file=sys.stderr)
    print(f"{host['cpus']} CPUs ({host['cpu']}), Linux {host['kernel']}, load {host['load_before']:.2f} before; "
          f"{asked.rounds} rounds; {host['date']}, {host['pwalk']}\n")
    print("| ours | s | beside it | s | wall, ours over the other's (range) | CPU |\n|---|---|---|---|---|---|")
    print("\n".join(one.line() for one in series) + "\n")
    print(subprocess.run([asked.build / "bench/image_figures", "--image", bench.image], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = parser_of_one_tree(__doc__, files=950_000, rounds=5)
    parser.add_argument("--only", action="append", default=[], help="pairs whose name has this word")
    asked = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="pwalk-bench-", dir="/dev/shm") as scratch:
            os.environ["PWALK_RUNTIME_DIR"] = scratch
            tree = asked.tree or os.path.join(scratch, "tree")
            if not asked.tree:
                make_tree(asked, "mix", tree, asked.files, max(1, asked.files // 19), 7)
            measure(asked, tree, pathlib.Path(scratch))
    except Failed as error:
        sys.exit(f"results_figures.py: {error}")


if __name__ == "__main__":
    main()
