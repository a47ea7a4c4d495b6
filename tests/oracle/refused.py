"""Scans trees whose directories refuse an ordinary user, and compares every failure with what the kernel tells us.

    refused.py --binaries DIR [--trees N] [--seed N]

Expected rows and directory records come from os.open, os.listdir and os.lstat as the same user, name by name. Started
as root it becomes `nobody` first. A difference prints the seed; `--seed N` alone replays that tree.
"""

import argparse
import ctypes
import os
import pathlib
import random
import shutil
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from typing import NamedTuple

import pwalk
from hostile_tree import HostileTree, raise_descriptor_limit
from live_scan import PATIENCE

NOBODY = 65534
LETTERS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFBLK: "b", stat.S_IFCHR: "c",
           stat.S_IFIFO: "p", stat.S_IFSOCK: "s"}


class Row(NamedTuple):
    path: bytes
    type: str
    error: int
    operation: str
    size: int | None


class Record(NamedTuple):
    path: bytes
    entries: int
    bytes: int
    complete: bool
    error: int
    operation: str


class Expected:
    """What a scan of a tree must say, as this process is allowed to see it."""

    def __init__(self, root: bytes):
        self.rows: list[Row] = []
        self.records: list[Record] = []
        above = os.open(os.path.dirname(root), os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.visit(above, os.path.basename(root), root, "?")
        finally:
            os.close(above)

    def visit(self, above: int, name: bytes, path: bytes, listed: str) -> int:
        """One name of the directory `above`, and what lies below it; its size as far as it is known."""
        try:
            status = os.lstat(name, dir_fd=above)
        except OSError as error:
            row = Row(path, listed, error.errno, "statx", None)
        else:
            row = Row(path, LETTERS[stat.S_IFMT(status.st_mode)], 0, "none", status.st_size)
        self.rows.append(row)
        if row.type == "d" and row.error == 0:  # what could not be stat'ed is told once, by its row, and not entered
            self.enter(above, name, path)
        return row.size or 0

    def enter(self, above: int, name: bytes, path: bytes) -> None:
        try:
            directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        except OSError as error:
            self.records.append(Record(path, 0, 0, False, error.errno, "open"))
            return
        try:
            with os.scandir(directory) as entries:
                listed = [(os.fsencode(entry.name), listed_type(entry)) for entry in entries]
            total = sum(self.visit(directory, inner, path + b"/" + inner, kind) for inner, kind in listed)
            self.records.append(Record(path, len(listed), min(total, 2**64 - 1), True, 0, "none"))
        finally:
            os.close(directory)

    @property
    def failures(self) -> int:
        return sum(row.error != 0 for row in self.rows) + sum(record.error != 0 for record in self.records)


def listed_type(entry: os.DirEntry) -> str:
    """What readdir says without a stat. DirEntry tells these three apart; the rest the kernel lists as well."""
    if entry.is_symlink():
        return "l"
    if entry.is_dir(follow_symlinks=False):
        return "d"
    return "f" if entry.is_file(follow_symlinks=False) else "other"


class RefusingTree(HostileTree):
    """A hostile tree in which some directories cannot be opened, searched or either."""

    def age_directories(self) -> None:
        super().age_directories()
        for fd in self.held:
            if self.random.random() < 0.25:
                os.fchmod(fd, self.random.choice([0, 0o111, 0o333, 0o444, 0o400, 0o600, 0o100]))
                self.made["refusing directory"] += 1


def rows_of(batch: "pwalk.Batch") -> list[Row]:
    sizes = [size if known else None for size, known in zip(batch["size"].tolist(), batch.valid("size").tolist())]
    return [Row(path, chr(kind), error, pwalk.OPERATIONS[operation], size) for path, kind, error, operation, size in zip(
        batch.paths(), batch["type"].tolist(), batch["error"].tolist(), batch["operation"].tolist(), sizes)]


def records_of(batch: "pwalk.Batch") -> list[Record]:
    return [Record(each.path, each.entries, each.bytes, each.complete, each.error, each.operation)
            for each in batch.directories]


class Observed(NamedTuple):
    rows: list[Row]
    records: list[Record]
    complete: bool
    counted_errors: int
    scanner_exit: int
    tail_exit: int
    tail_complaints: int  # lines of pwalk tail's stderr


def observe(binaries: pathlib.Path, root: bytes, threads: int) -> Observed:
    """One scan with a Python consumer and `pwalk tail`."""
    scanner = subprocess.Popen([binaries / "pwalk-scanner", "--quiet", "--name", "refused", "--consumers", "2",
                                "--attach-timeout", str(PATIENCE), "--no-ignore-snapshots",
                                "--min-threads", str(threads), "--max-threads", str(threads), "--", root],
                               stderr=subprocess.DEVNULL)
    tail = subprocess.Popen([binaries / "pwalk", "tail", "refused", "--format", "null", "--timeout", str(PATIENCE)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        rows, records = [], []
        with pwalk.attach("refused", timeout=PATIENCE, verify=True) as consumer:
            for batch in consumer:
                rows += rows_of(batch)
                records += records_of(batch)
            complete, errors = consumer.complete, consumer.stats.errors
        told = tail.communicate(timeout=PATIENCE)[1]
        return Observed(rows, records, complete, errors, scanner.wait(PATIENCE), tail.returncode,
                        len(told.splitlines()))
    finally:
        for process in (scanner, tail):
            if process.poll() is None:
                process.kill()
                process.wait()


def forgive_listed_types(rows: list[Row]) -> list[Row]:
    """Python cannot tell which of p, s, b, c readdir listed for what could not be stat'ed."""
    return [row._replace(type="other") if row.error and row.type in "psbc" else row for row in rows]


def surplus(name: str, got: list, wanted: list) -> list[str]:
    got, wanted = Counter(got), Counter(wanted)
    return ([f"{name} too many: {each}" for each in list((got - wanted).elements())[:5]] +
            [f"{name} missing:  {each}" for each in list((wanted - got).elements())[:5]])


def differences(observed: Observed, expected: Expected) -> list[str]:
    problems = surplus("row", forgive_listed_types(observed.rows), expected.rows)
    problems += surplus("record", observed.records, expected.records)
    exit_wanted = 1 if expected.failures else 0
    for what, got, wanted in (("complete", observed.complete, True),
                              ("errors counted", observed.counted_errors, expected.failures),
                              ("exit of pwalk-scanner", observed.scanner_exit, exit_wanted),
                              ("exit of pwalk tail", observed.tail_exit, exit_wanted),
                              ("complaints of pwalk tail", observed.tail_complaints, expected.failures)):
        if got != wanted:
            problems.append(f"{what}: {got}, expected {wanted}")
    return problems


def check_seed(seed: int, scratch: bytes, binaries: pathlib.Path) -> tuple[list[str], Counter]:
    tree = scratch + b"/tree\xff%d" % seed
    os.mkdir(tree)
    built = RefusingTree(seed, root=False, still=False)
    built.build(tree)
    try:
        expected = Expected(tree)
        problems = differences(observe(binaries, tree, random.Random(seed).choice([1, 2, 8])), expected)
    finally:
        subprocess.run([b"chmod", b"-R", b"u+rwx", b"--", tree], check=True, timeout=120)
        subprocess.run([b"rm", b"-rf", b"--", tree], check=True, timeout=120)
    seen = Counter(f"{os.strerror(each.error)} at {each.operation}" for each in expected.rows + expected.records
                   if each.error)
    return problems, seen


def become_nobody(scratch: pathlib.Path, binaries: pathlib.Path) -> pathlib.Path:
    """Gives up root for good. The programs come along, since nobody may be barred from where they were built."""
    own = scratch / "bin"
    own.mkdir()
    for program in ("pwalk-scanner", "pwalk"):
        shutil.copy(binaries / program, own)
    os.chmod(scratch, 0o755)
    work = scratch / "work"
    work.mkdir()
    os.chown(work, NOBODY, NOBODY)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: /proc/self is ours again
    return own


def run_seeds(seeds: range, scratch: pathlib.Path, binaries: pathlib.Path) -> int:
    met: Counter[str] = Counter()
    for seed in seeds:
        problems, seen = check_seed(seed, os.fsencode(scratch), binaries)
        if problems:
            print(f"seed {seed}:\n" + "\n".join(problems) + f"\nreplay with --seed {seed}")
            return 1
        met += seen
    print(f"{len(seeds)} trees (seeds {seeds[0]} to {seeds[-1]}); met: " +
          ", ".join(f"{count} {failure}" for failure, count in sorted(met.items())))
    if len(seeds) >= 20 and len(met) < 2:
        print("too few kinds of failure were met for this to prove anything")
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, required=True)
    parser.add_argument("--trees", type=int, default=40)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    seeds = range(1, asked.trees + 1) if asked.seed is None else range(asked.seed, asked.seed + 1)
    raise_descriptor_limit()
    sys.setrecursionlimit(10_000)  # Expected goes down a level per directory
    with tempfile.TemporaryDirectory(prefix="pwalk-refused-", dir="/dev/shm", ignore_cleanup_errors=True) as name:
        scratch, binaries = pathlib.Path(name), asked.binaries.resolve()
        if os.geteuid() == 0:
            child = os.fork()  # root stays behind to clean up
            if child:
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            binaries = become_nobody(scratch, binaries)
            scratch = scratch / "work"
        os.environ["PWALK_RUNTIME_DIR"] = str(scratch / "runtime")
        status = run_seeds(seeds, scratch, binaries)
        if binaries.parent == scratch.parent:  # the child of root: what it left is removed by its parent
            sys.stdout.flush()
            os._exit(status)
        return status


if __name__ == "__main__":
    sys.exit(main())
