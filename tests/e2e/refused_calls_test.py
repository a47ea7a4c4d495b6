"""Whole scans in sandboxes that forbid what a walk would like to use, with little memory to lock, and with few descriptors.

Each gives the rows it can, one clear report, and an end.
"""

import csv
import io
import json
import os
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import sandbox

from stage import found, make_files

MISSING = sandbox.reason_missing()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
SANDBOX = [sys.executable, pathlib.Path(sandbox.__file__)]


@pytest.fixture
def tree(stage):
    """A thousand files in ten directories, a link, and a directory in a directory."""
    make_files(stage.tree, 1000, per_directory=100)
    (stage.tree / "link").symlink_to("nowhere")
    (stage.tree / "d00003" / "inner").mkdir()
    return stage.tree


class Scan:
    """One scan of the tree within a sandbox, with one reader outside of it."""

    def __init__(self, stage, tree, *restrictions, options=()):
        scanner = stage.scanner("--name", "sandboxed", "--consumers", "1", "--attach-timeout", "30", "--ring-size", "16M",
                                *options, tree, through=[*SANDBOX, *restrictions])
        reader = stage.tail("sandboxed", "--timeout", "30", "--format", "csv")
        self.scanner, self.reader = scanner.finish(), reader.finish()
        self.rows = list(csv.DictReader(io.StringIO(self.reader.out.decode())))
        self.paths = sorted(os.fsencode(row["path"]) for row in self.rows)


def reports(scan):
    """What the scanner said but for how it waited and what it found."""
    return [line for line in scan.scanner.err.splitlines() if "waiting for" not in line and " entries (" not in line]


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
@pytest.mark.parametrize("call, options, report", [
    ("statx", (), "refuses statx: fstatat asks instead"),
    ("io_uring_setup", ("--use-io-uring", "on"), "io_uring cannot be had"),
    ("io_uring_setup", (), ""),
    ("openat2", (), ""),
    ("sched_setaffinity", ("--cpu-affinity",), "refuses sched_setaffinity"),
    ("sched_setaffinity", (), ""),
])
def test_every_row_without_a_call(stage, tree, call, options, report, error):
    scan = Scan(stage, tree, "--refuse", f"{call}={error}", options=options)
    assert scan.scanner.code == scan.reader.code == 0, scan.scanner.err
    assert scan.paths == sorted(found(tree))
    assert all(row["inode"] and row["size"] and row["mtime"] for row in scan.rows)
    assert all((row["btime"] == "") == (call == "statx") for row in scan.rows), "what was not told is empty"
    assert [report in line for line in reports(scan)] == ([True] if report else []), scan.scanner.err


def test_every_row_without_any_of_them(stage, tree):
    refused = [word for call in ("statx", "io_uring_setup", "openat2") for word in ("--refuse", f"{call}=EPERM")]
    scan = Scan(stage, tree, *refused, "--memlock", "65536", options=("--use-io-uring", "on"))
    assert scan.scanner.code == scan.reader.code == 0, scan.scanner.err
    assert scan.paths == sorted(found(tree))
    assert sum("refuses statx" in line for line in reports(scan)) == 1


def test_without_getdents64_no_directory_can_be_listed(stage, tree):
    """The C library's readdir has no other call either: a row for the root, and its record says why that is all."""
    scan = Scan(stage, tree, "--refuse", "getdents64=ENOSYS")
    assert scan.scanner.code == scan.reader.code == 1
    assert scan.paths == [os.fsencode(tree)]
    assert os.strerror(38) in scan.reader.err and scan.reader.err.count(str(tree)) == 1
    assert sum("refuses getdents64" in line for line in reports(scan)) == 1


@pytest.mark.parametrize("options", [(), ("--use-io-uring", "on")])
def test_every_row_with_64_kib_of_memory_to_lock(stage, tree, options):
    """Root may lock more than its limit, so an ordinary user scans. Kernels before 5.12 charge rings to that limit; then
    threads ask, and one line says so."""
    stage.become_nobody()
    scan = Scan(stage, tree, "--memlock", "65536", options=options)
    assert scan.scanner.code == scan.reader.code == 0, scan.scanner.err
    assert scan.paths == sorted(found(tree))
    assert len(reports(scan)) <= (1 if options else 0)


def test_every_row_with_fewer_threads_than_planned(stage, tree):
    """The limit is the user's, all of his threads together, and not root's."""
    stage.become_nobody()
    scan = Scan(stage, tree, "--processes", "150", options=("--min-threads", "400"))
    assert scan.scanner.code == scan.reader.code == 0, scan.scanner.err
    assert scan.paths == sorted(found(tree))
    assert ["of 400 threads could be started" in line for line in reports(scan)] == [True], scan.scanner.err


@pytest.mark.parametrize("options", [(), ("--profile", "fuse")])
def test_a_chain_of_ten_thousand_with_32_descriptors(stage, options):
    """All of the scanner's together, and its threads as many as the profile wants and the limit allows."""
    levels = 10_000
    at = os.open(stage.tree, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    scanner = stage.scanner("--json", "--quiet", *options, stage.tree, through=[*SANDBOX, "--open-files", "32"])
    assert scanner.finish().code == 0, scanner.err
    summary = json.loads(scanner.out)
    assert summary["complete"] and summary["errors"] == 0
    assert summary["entries"] == summary["directories"] == levels + 1
