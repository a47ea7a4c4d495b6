"""The benchmark suite: which configuration, over which tree, against whom. See bench/README.md.

A *place* is a tree in a state: T1 (ext4), T2 (tmpfs), T3 (one flat directory), T4 (deep chains), /usr, each warm and,
where that means something and may be done, cold; and a small tree behind a FUSE file system that takes its time for
every request. Each contender runs once per round, in an order drawn anew each round; figures are medians.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from whole_program import PATIENCE, Contender, Failed, Run, bfs_has_threads, machine, make_tree, run

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support"))

CHAINS, LEVELS = 10, 2000
LATENCY_FILES, FILES_PER_DIRECTORY = 15_000, 30
left_out: set[str] = set()  # configurations that this build has no options for
NEVER = ["-links", "+1000000000"]  # an attribute is looked at, and nothing printed


class Place(NamedTuple):
    name: str
    tree: str
    state: str  # "warm", "cold", "0.5 ms"
    peers_threads: int
    source: str | None = None  # the same tree without its latency, to count in

    @property
    def countable(self) -> str:
        return self.source or self.tree


class Row(NamedTuple):
    place: str
    state: str
    contender: str
    entries: int | None  # rows it gives; None: not counted
    complete: bool | None  # as many as there are
    wall: float
    cpu: float
    peak_mib: float
    files_per_second: float
    p99_us: dict[str, float] | None  # open, getdents, statx
    runs: list[Run]


# ---- contenders -------------------------------------------------------------------------------------------------------


def options_known(build: pathlib.Path) -> set[str]:
    done = subprocess.run([build / "bin/pwalk-scanner", "--dump-options=json"], capture_output=True, text=True, check=True)
    return set(json.dumps(json.loads(done.stdout)).replace('"', " ").split())


def configurations(build: pathlib.Path) -> list[tuple[str, list[str]]]:
    """The matrix: each row switches one part more on. A part this build does not know leaves its row out."""
    cpus = len(os.sched_getaffinity(0))
    known = options_known(build)
    plain = ["--no-auto-tune", f"--max-threads={cpus}", "--no-work-stealing"]
    affinity = [*plain, "--cpu-affinity"]
    stealing = ["--no-auto-tune", f"--max-threads={cpus}", "--work-stealing", "--cpu-affinity"]
    rows = [("plain", plain), ("affinity", affinity), ("affinity + work stealing", stealing),
            ("affinity + work stealing + io_uring", [*stealing, "--use-io-uring=on"]), ("no flags", [])]
    def is_known(flags: list[str]) -> bool:
        names = (flag.split("=")[0].removeprefix("--").removeprefix("no-") for flag in flags)
        return all(name in known for name in names)
    left_out.update(name for name, flags in rows if not is_known(flags))
    return [(name, flags) for name, flags in rows if is_known(flags)]


def ours(build: pathlib.Path, place: Place, summary: pathlib.Path) -> list[Contender]:
    reader = [str(build / "bench/column_reader"), "suite"]
    contenders = []
    for name, flags in configurations(build):
        scanner = [str(build / "bin/pwalk-scanner"), "--quiet", "--json", "--name", "suite", "--consumers", "1",
                   "--attach-timeout", "60", "--no-ignore-snapshots", "--ring-size", "16M", *flags, place.tree]
        keep = ["sh", "-c", f'exec "$@" > "{summary}"', "sh", *scanner]
        contenders.append(Contender(f"pwalk, {name}", "every column read by a consumer", [keep, reader]))
    return contenders


def peers(place: Place) -> list[tuple[Contender, list[str]]]:
    """Each with the command that prints one byte or line per entry, to count them by."""
    tree, countable, threads = place.tree, place.countable, place.peers_threads
    bfs = ["bfs", f"-j{threads}"] if bfs_has_threads() else ["bfs"]
    fd = ["fdfind", "-u", f"-j{threads}"]
    known = [
        (["find", tree, *NEVER], ["find", countable, "-printf", "."]),
        ([*bfs, tree, *NEVER], [*bfs, countable, "-printf", "."]),
        ([*fd, "-S", "+1000t", ".", tree], [*fd, "-0", ".", countable]),
        (["du", "-s", tree], []),
    ]
    return [(Contender(" ".join(command[: 2 if command[0] != "find" and command[1][0] == "-" else 1]).replace("fdfind -u", f"fd -j{threads}"),
                       "one stat each", [command]), count) for command, count in known if shutil.which(command[0])]


def floor(build: pathlib.Path, place: Place) -> Contender:
    return Contender(f"floor, {place.peers_threads} threads", "getdents64 and statx, no record",
                     [[str(build / "bench/floor"), "-t", str(place.peers_threads), place.tree]])


def counted(command: list[str]) -> int | None:
    """Entries a peer finds: what it prints one byte or one NUL for."""
    if not command:
        return None
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE).stdout
    return out.count(b"\0") + 1 if "-0" in command else len(out)  # fd leaves the starting point out


# ---- measuring --------------------------------------------------------------------------------------------------------


def drop_caches() -> None:
    subprocess.run(["sync"], check=True)
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def can_drop_caches() -> bool:
    return os.access("/proc/sys/vm/drop_caches", os.W_OK)


def measure(asked: argparse.Namespace, place: Place) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="pwalk-suite-") as scratch:
        summary = pathlib.Path(scratch, "summary.json")
        own, others = ours(asked.build, place, summary), peers(place)
        contenders = [floor(asked.build, place), *own, *(peer for peer, _ in others)]
        runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
        told: dict[str, dict] = {}
        if place.state != "cold":
            run(asked.build, contenders[0])  # caches warm for everybody
        order = random.Random(asked.seed)
        for number in range(asked.rounds):
            for contender in order.sample(contenders, len(contenders)):
                if place.state == "cold":
                    drop_caches()
                runs[contender.name].append(run(asked.build, contender))
                if contender in own:
                    told[contender.name] = json.loads(summary.read_text())
            print(f"suite: {place.name} {place.state}: round {number + 1} of {asked.rounds}", file=sys.stderr)
    entries = counted(["find", place.countable, "-printf", "."])
    counts = {contender.name: counted(command) for contender, command in others}
    counts |= {name: summary["entries"] for name, summary in told.items()}
    return [row_of(place, contender, runs[contender.name], counts.get(contender.name), entries, told.get(contender.name))
            for contender in contenders]


def row_of(place: Place, contender: Contender, runs: list[Run], found: int | None, entries: int, told: dict | None) -> Row:
    wall = statistics.median(each.wall for each in runs)
    p99 = {call: told["latency_us"][call]["p99"] for call in ("open", "getdents", "statx")} if told else None
    return Row(place.name, place.state, contender.name, found, None if found is None else found == entries, wall,
               statistics.median(each.cpu for each in runs), max(each.peak_mib[0] for each in runs), entries / wall, p99, runs)


# ---- places -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def scratch_directory(base: str) -> Iterator[str]:
    """Cleared by rm: T4 is deeper than Python's own removal goes."""
    path = tempfile.mkdtemp(prefix="pwalk-suite-", dir=base)
    try:
        yield path
    finally:
        subprocess.run(["rm", "-rf", path], check=False)


@contextlib.contextmanager
def ext4(asked: argparse.Namespace) -> Iterator[str | None]:
    """A new ext4 in a sparse file; without the right to mount it, any directory of --disk."""
    with scratch_directory(asked.disk) as scratch:
        image, mount = os.path.join(scratch, "ext4.img"), os.path.join(scratch, "mnt")
        os.mkdir(mount)
        with open(image, "wb") as file:
            file.truncate(max(asked.files * 1024, 1 << 28))
        made = subprocess.run(["mkfs.ext4", "-q", "-F", "-i", "1024", "-I", "256", image], capture_output=True).returncode == 0
        if made and subprocess.run(["mount", "-o", "loop,noatime", image, mount], capture_output=True).returncode == 0:
            try:
                yield mount
            finally:
                subprocess.run(["umount", mount], check=False)
        else:
            kind = subprocess.run(["stat", "-f", "-c", "%T", scratch], capture_output=True, text=True).stdout.strip()
            print(f"suite: no ext4 can be mounted here; T1 is on {kind} at {asked.disk}", file=sys.stderr)
            yield mount


def warm_and_cold(asked: argparse.Namespace, name: str, tree: str, threads: int) -> list[Row]:
    rows = measure(asked, Place(name, tree, "warm", threads))
    if can_drop_caches():
        rows += measure(asked, Place(name, tree, "cold", 4 * threads))
    else:
        print(f"suite: {name} cold left out: caches cannot be dropped", file=sys.stderr)
    return rows


def t1(asked: argparse.Namespace, threads: int) -> list[Row]:
    with ext4(asked) as disk:
        tree = os.path.join(disk, "tree")
        make_tree(asked, "mix", tree, asked.files, max(1, asked.files // 20))
        return warm_and_cold(asked, "T1", tree, threads)


def on_tmpfs(asked: argparse.Namespace, name: str, threads: int, *words: object) -> list[Row]:
    with scratch_directory("/dev/shm") as scratch:
        tree = os.path.join(scratch, "tree")
        make_tree(asked, words[0], tree, *words[1:])
        return measure(asked, Place(name, tree, "warm", threads))


def behind_latency(asked: argparse.Namespace) -> list[Row]:
    os.environ["PWALK_BUILD_DIR"] = str(asked.build)
    import fuse_mount
    missing = fuse_mount.reason_missing("pwalk_latency_fs")
    if missing:
        print(f"suite: latency left out: {missing}", file=sys.stderr)
        return []
    rows = []
    with scratch_directory("/dev/shm") as scratch:
        tree = os.path.join(scratch, "tree")
        make_tree(asked, "mix", tree, asked.latency_files, max(1, asked.latency_files // FILES_PER_DIRECTORY))
        for delay in (500, 2000):
            with fuse_mount.latency_fs(tree, "--delay-us", str(delay)) as mounted:
                rows += measure(asked, Place("latency", mounted.path, f"{delay / 1000:g} ms", 64, tree))
    return rows


def measure_all(asked: argparse.Namespace) -> list[Row]:
    threads = len(os.sched_getaffinity(0))
    places = {
        "T1": lambda: t1(asked, threads),
        "T2": lambda: on_tmpfs(asked, "T2", threads, "mix", asked.files, max(1, asked.files // 20)),
        "T3": lambda: on_tmpfs(asked, "T3", threads, "flat", asked.files),
        "T4": lambda: on_tmpfs(asked, "T4", threads, "chain", CHAINS, LEVELS),
        "usr": lambda: warm_and_cold(asked, "/usr", "/usr", threads),
        "latency": lambda: behind_latency(asked),
    }
    rows = []
    for name in asked.only or places:
        rows += places[name]()
    return rows


# ---- what is said -----------------------------------------------------------------------------------------------------

# The design's targets: files per second, and p99 of a stat in microseconds.
TARGETS = [("Local SSD", 100_000, 1000), ("NFS", 20_000, 10_000), ("Lustre", 50_000, 5000), ("Weka", 80_000, 2000),
           ("BeeGFS", 40_000, 5000)]


def target_rows(rows: list[Row]) -> list[tuple[str, int, int, str]]:
    """Only a local disk is here. T1 cold is measured against its target, or warm where nothing could be dropped. Nothing
    is said of a target whose tree was not asked for."""
    own = [row for row in rows if row.place == "T1" and row.contender == "pwalk, no flags"]
    own.sort(key=lambda row: row.state != "cold")
    judged = []
    for name, files, p99 in TARGETS:
        if name != "Local SSD":
            verdict = "not testable here"
        elif not own:
            verdict = "not measured: T1 was left out"
        else:
            row = own[0]
            reached = row.files_per_second >= files and row.p99_us["statx"] < p99
            verdict = (f"{'reached' if reached else 'missed'}: T1 {row.state}, {row.files_per_second:,.0f}/s, "
                       f"p99 of statx {row.p99_us['statx']:.0f} µs")
        judged.append((name, files, p99, verdict))
    return judged


def table(host: dict, rows: list[Row], rounds: int) -> str:
    lines = [f"{host['cpus']} CPUs ({host['cpu']}), Linux {host['kernel']}, load {host['load_before']:.2f} before; {rounds} "
             f"rounds; {host['date']}, {host['pwalk']}"]
    place = None
    for row in rows:
        if (row.place, row.state) != place:
            place = row.place, row.state
            base = row  # the floor comes first
            lines += ["", f"### {row.place}, {row.state}", "",
                      "| program | entries | wall s | × floor | CPU s | files/s | peak MiB | p99 µs: open, getdents, statx |",
                      "|---|---|---|---|---|---|---|---|"]
        found = "" if row.entries is None else f"{row.entries:,}" + ("" if row.complete else " **incomplete**")
        p99 = ", ".join(f"{row.p99_us[call]:.0f}" for call in ("open", "getdents", "statx")) if row.p99_us else ""
        lines.append(f"| {row.contender} | {found} | {row.wall:.3f} | {row.wall / base.wall:.2f} | {row.cpu:.2f} "
                     f"| {row.files_per_second:,.0f} | {row.peak_mib:.0f} | {p99} |")
    lines += ["", "### The design's targets", "", "| file system | files/s | p99 of a stat | |", "|---|---|---|---|"]
    lines += [f"| {name} | {files:,} | {p99 / 1000:g} ms | {verdict} |" for name, files, p99, verdict in target_rows(rows)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--files", type=int, default=1_000_000, help="files of T1, T2 and T3")
    parser.add_argument("--latency-files", type=int, default=LATENCY_FILES,
                        help="files behind the latency, where find takes a minute for 15,000 at 2 ms")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the order within a round")
    parser.add_argument("--only", action="append", choices=["T1", "T2", "T3", "T4", "usr", "latency"])
    parser.add_argument("--disk", default="/var/tmp", help="where T1's ext4 is made")
    parser.add_argument("--json", type=pathlib.Path, help="default: bench/suite.json of the build")
    asked = parser.parse_args()
    host = machine()
    with tempfile.TemporaryDirectory(prefix="pwalk-suite-", dir="/dev/shm") as runtime:
        os.environ["PWALK_RUNTIME_DIR"] = runtime
        try:
            rows = measure_all(asked)
        except Failed as error:
            sys.exit(f"suite.py: {error}")
    kept = {"machine": host, "rounds": asked.rounds, "rows": [row._asdict() for row in rows], "targets": target_rows(rows)}
    (asked.json or asked.build / "bench/suite.json").write_text(json.dumps(kept, indent=1))
    for name in sorted(left_out):
        print(f"suite: '{name}' left out: this build has no such option", file=sys.stderr)
    print(table(host, rows, asked.rounds))


if __name__ == "__main__":
    main()
