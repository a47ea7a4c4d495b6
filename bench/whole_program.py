"""Measures whole programs on one tree, in interleaved pairs with the floor. See bench/README.md.

Each contender runs once per round, next to a run of the floor of its own (alternately before and after it), so that
whatever else the machine does falls on both. The ratio of a contender is the median over the rounds of its wall (CPU)
time over that neighbour's.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

PATIENCE = 600  # seconds after which a program is called hung
FIND_FIELDS = r"%p %y %i %D %m %n %U %G %s %b %A@ %T@ %C@\n"


class Contender(NamedTuple):
    name: str
    does: str
    programs: list[list[str]]  # all started at once


class Run(NamedTuple):
    wall: float  # from before the first program starts until the last has ended
    cpu: float
    peak_mib: list[float]  # per program, in the order of Contender.programs


class Failed(Exception):
    pass


def run(build: pathlib.Path, contender: Contender) -> Run:
    command = [str(build / "bench/stopwatch")]
    for program in contender.programs:
        command += (["---"] if program is not contender.programs[0] else []) + program
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    told = json.loads(done.stdout)
    for program, each in zip(contender.programs, told["programs"]):
        if each["exit"] != 0:
            raise Failed(f"{contender.name}: {' '.join(program)} ended with {each['exit']}")
    return Run(told["wall"], sum(each["cpu"] for each in told["programs"]),
               [each["peak_mib"] for each in told["programs"]])


def make_tree(asked: argparse.Namespace, *words: object) -> None:
    subprocess.run([str(asked.build / "bench/make_tree"), *map(str, words)], check=True, stdout=sys.stderr)


def parser_of_one_tree(description: str, files: int, rounds: int) -> argparse.ArgumentParser:
    """Of programs that measure on one tree, round by round."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--tree", help="an existing tree (default: one is made on /dev/shm)")
    parser.add_argument("--files", type=int, default=files, help="files of the tree that is made")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seed", type=int, default=1, help="of the order within a round")
    return parser


def our_contenders(build: pathlib.Path, tree: str) -> list[Contender]:
    def live(name: str, does: str, *consumers: list[str], options: Sequence[str] = ()) -> Contender:
        scanner = [str(build / "bin/pwalk-scanner"), "--quiet", "--name", "bench", "--consumers", str(len(consumers)),
                   "--attach-timeout", "60", "--no-ignore-snapshots", *options, tree]
        return Contender(name, does, [scanner, *consumers])
    reader, tail = str(build / "bench/column_reader"), str(build / "bin/pwalk")
    return [
        live("pwalk, 1 consumer", "every column read", [reader, "bench"]),
        live("pwalk --ring-size 16M, 1 consumer", "every column read", [reader, "bench"],
             options=["--ring-size", "16M"]),
        live("pwalk, 1 verifying consumer", "every column read and hashed again", [reader, "--verify", "bench"]),
        live("pwalk, 4 consumers", "every column read, by each", *[[reader, "bench"]] * 4),
        live("pwalk tail --format null", "paths", [tail, "tail", "bench", "--format", "null"]),
        live("pwalk tail --format csv", "16 fields as text", [tail, "tail", "bench", "--format", "csv"]),
    ]


def bfs_has_threads() -> bool:
    """Since version 3."""
    if shutil.which("bfs") is None:
        return False
    told = subprocess.run(["bfs", "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.split()[1].split(".")[0]) >= 3


def other_contenders(tree: str, threads: int) -> list[Contender]:
    """Those that are installed. Each looks at every entry's attributes."""
    never = ["-links", "+1000000000"]
    bfs = ["bfs", f"-j{threads}"] if bfs_has_threads() else ["bfs"]
    known = [
        Contender("find", "one stat each, prints nothing", [["find", tree, *never]]),
        Contender("find -printf", "13 fields as text", [["find", tree, "-printf", FIND_FIELDS]]),
        Contender(" ".join(bfs), "one stat each, prints nothing", [[*bfs, tree, *never]]),
        Contender(f"fd -j{threads}", "one stat each, prints nothing",
                  [["fdfind", "-u", f"-j{threads}", "-S", "+1000t", ".", tree]]),
        Contender("du -s", "one stat each, one line", [["du", "-s", tree]]),
    ]
    return [contender for contender in known if shutil.which(contender.programs[0][0])]


class Series:
    """A contender's runs, and those of the floor beside them."""

    def __init__(self, contender: Contender):
        self.contender = contender
        self.runs: list[Run] = []
        self.beside: list[Run] = []

    def measure(self, build: pathlib.Path, floor: Contender, floor_first: bool) -> None:
        if floor_first:
            self.beside.append(run(build, floor))
        self.runs.append(run(build, self.contender))
        if not floor_first:
            self.beside.append(run(build, floor))

    def ratio(self) -> float:
        return statistics.median(own.wall / other.wall for own, other in zip(self.runs, self.beside))

    def cpu_ratio(self) -> float:
        return statistics.median(own.cpu / other.cpu for own, other in zip(self.runs, self.beside))

    def line(self) -> str:
        wall = statistics.median(each.wall for each in self.runs)
        cpu = statistics.median(each.cpu for each in self.runs)
        peaks = [max(peak) for peak in zip(*(each.peak_mib for each in self.runs))]
        memory = " + ".join(f"{peak:.0f}" for peak in peaks)
        return (f"| {self.contender.name} | {self.contender.does} | {wall:.3f} | {self.ratio():.2f} | {cpu:.2f} "
                f"| {self.cpu_ratio():.2f} | {memory} |")


def measure_all(asked: argparse.Namespace, floor: Contender, contenders: list[Contender]) -> list[Series]:
    series = [Series(contender) for contender in contenders]
    order, rounds = random.Random(asked.seed), asked.rounds
    for contender in [floor, *contenders]:  # caches warm for everybody
        run(asked.build, contender)
    for number in range(rounds):
        for one in order.sample(series, len(series)):
            one.measure(asked.build, floor, floor_first=(number + series.index(one)) % 2 == 0)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return series


def machine() -> dict:
    cpu = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    version = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {"cpu": cpu[0] if cpu else platform.machine(), "cpus": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "load_before": os.getloadavg()[0], "pwalk": version.stdout.strip(),
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def entries_of(floor: Contender) -> int:
    done = subprocess.run(floor.programs[0], capture_output=True, text=True, timeout=PATIENCE, check=True)
    return json.loads(done.stdout)["entries"]


def table(host: dict, entries: int, floor_runs: list[Run], series: list[Series], rounds: int) -> str:
    wall = statistics.median(each.wall for each in floor_runs)
    cpu = statistics.median(each.cpu for each in floor_runs)
    lines = [
        f"{entries:,} entries; {host['cpus']} CPUs ({host['cpu']}), Linux {host['kernel']}, load {host['load_before']:.2f} "
        f"before; {rounds} rounds; {host['date']}, {host['pwalk']}",
        "",
        "| program | gives | wall s | × floor | CPU s | × floor | peak MiB per process |",
        "|---|---|---|---|---|---|---|",
        f"| floor | nothing: getdents64 + statx | {wall:.3f} | 1.00 | {cpu:.2f} "
        f"| 1.00 | {max(max(each.peak_mib) for each in floor_runs):.0f} |",
    ]
    return "\n".join(lines + [one.line() for one in series])


def with_tree(asked: argparse.Namespace) -> None:
    """Measures on the tree asked for, or on one made for it."""
    if asked.tree:
        measure(asked, asked.tree)
        return
    with tempfile.TemporaryDirectory(prefix="pwalk-bench-", dir="/dev/shm") as scratch:
        tree = os.path.join(scratch, "tree")
        make_tree(asked, "mix", tree, asked.files, max(1, asked.files // 20))
        measure(asked, tree)


def measure(asked: argparse.Namespace, tree: str) -> None:
    threads = len(os.sched_getaffinity(0))
    floor = Contender("floor", "nothing", [[str(asked.build / "bench/floor"), "-t", str(threads), tree]])
    contenders = our_contenders(asked.build, tree) + other_contenders(tree, threads)
    contenders += [Contender(" ".join(map(os.path.basename, words)), "as given", [[*words, tree]])
                   for words in map(str.split, asked.against)]
    host, entries = machine(), entries_of(floor)
    with tempfile.TemporaryDirectory(prefix="pwalk-bench-", dir="/dev/shm") as runtime:
        os.environ["PWALK_RUNTIME_DIR"] = runtime
        series = measure_all(asked, floor, contenders)
    floor_runs = [each for one in series for each in one.beside]
    kept = {"machine": host, "entries": entries, "seed": asked.seed, "floor": floor_runs, "contenders": {
        one.contender.name: {"runs": one.runs, "beside": one.beside, "ratio": one.ratio()} for one in series}}
    (asked.build / "bench/results.json").write_text(json.dumps(kept, indent=1))
    print(table(host, entries, floor_runs, series, asked.rounds))


def main() -> None:
    parser = parser_of_one_tree(__doc__, files=1_000_000, rounds=7)
    parser.add_argument("--against", action="append", default=[], help="another command; the tree is appended")
    try:
        with_tree(parser.parse_args())
    except Failed as error:
        sys.exit(f"whole_program.py: {error}")


if __name__ == "__main__":
    main()
