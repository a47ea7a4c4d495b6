"""A walk over file systems that lie, fail, never answer or take their time.

Each gives the rows it can, one clear report, and an end; and a slow server is asked no more than it has to be.
"""

import collections
import errno
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import fuse_mount  # noqa: E402

missing = fuse_mount.reason_missing("pwalk_lying_fs")
pytestmark = pytest.mark.skipif(missing is not None, reason=str(missing))

FILES = 500
EVERY_DIRECTORY = FILES + 2  # files, `inner`, and `leaf` in it
COMPLETE, VANISHED_DIRECTORY = 1, 2  # bits of a directory record
VANISHED = 4  # bit of a row


class Walk:
    """One walk of `path` to its end."""

    def __init__(self, path, *options):
        program = fuse_mount.BUILD / "tests" / "pwalk_walk_rows"
        run = subprocess.run([program, *options, path], capture_output=True, timeout=60)
        assert run.returncode == 0, run.stderr
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        self.root = path
        self.rows = [line for line in lines if "path" in line]
        self.records = {line["directory"]: line for line in lines if "directory" in line}
        self.summary = lines[-1]["summary"]

    def below(self, directory):
        return [row for row in self.rows if row["path"].startswith(f"{self.root}/{directory}/")]

    def row(self, place):
        return next(row for row in self.rows if row["path"] == f"{self.root}/{place}")

    def record(self, place):
        return self.records[f"{self.root}/{place}"]

    def reports(self):
        """Every row and record that tells of a failure: (place, operation, errno)."""
        told = [(row["path"], row["operation"], row["error"]) for row in self.rows if row["error"]]
        told += [(name, record["operation"], record["error"]) for name, record in self.records.items() if record["error"]]
        return [(os.path.relpath(place, self.root), operation, error) for place, operation, error in told]


def walk_lie(lie, *flags, files=FILES):
    """A walk over the tree of one lie, and the requests it took. The honest neighbour must be whole."""
    with fuse_mount.lying_fs("--files", files, "--lie", lie, *flags) as fs:
        walk = Walk(fs.path)
        counts = fs.counts()
    assert len(walk.below("honest")) == files + 2
    assert walk.record("honest")["flags"] == COMPLETE
    return walk, counts


@pytest.mark.parametrize("plus", ["never", "always"])
@pytest.mark.parametrize("lie", ["unknown_type", "wrong_type", "typed_dots", "no_dots", "zero_inode", "long_names"])
def test_lies_that_a_stat_puts_right(lie, plus):
    walk, _ = walk_lie(lie, "--plus", plus)
    below = walk.below(lie)
    assert collections.Counter(row["type"] for row in below) == {"f": FILES + 1, "d": 1}
    assert walk.row(f"{lie}/inner/leaf")["size"] == 1000
    assert walk.reports() == []
    assert walk.summary["entries"] == len(walk.rows) == 3 + 2 * EVERY_DIRECTORY


def test_names_of_a_thousand_bytes_are_whole():
    walk, _ = walk_lie("long_names")
    assert {len(row["path"]) for row in walk.below("long_names") if row["path"].endswith("x")} == \
        {len(walk.root) + len("/long_names/") + 1000}


def test_no_stat_believes_no_unknown_type():
    with fuse_mount.lying_fs("--files", FILES, "--lie", "unknown_type") as fs:
        walk = Walk(fs.path, "--no-stat")
    assert walk.row("unknown_type/inner")["type"] == "d"
    assert walk.row("unknown_type/inner/leaf")["type"] == "f"


def test_every_name_gets_a_row_even_twice():
    walk, _ = walk_lie("duplicates")
    assert len([row for row in walk.below("duplicates") if row["path"].endswith("/f00007")]) == 2
    assert len([row for row in walk.below("duplicates") if row["path"].endswith("/inner")]) == 2


def test_a_name_that_leads_nowhere_has_vanished():
    walk, _ = walk_lie("missing")
    assert walk.row("missing/nobody")["flags"] & VANISHED
    assert walk.reports() == [] and walk.summary["vanished"] == 1


def test_a_name_with_a_slash_ends_its_directory_only():
    walk, _ = walk_lie("slashed_name")
    assert walk.reports() == [("slashed_name", "getdents", errno.EIO)]
    assert walk.record("slashed_name")["flags"] == 0


@pytest.mark.parametrize("plus", ["never", "always"])
@pytest.mark.parametrize("lie", ["repeat_constant", "repeat_restart", "repeat_growing"])
def test_a_listing_without_end_ends(lie, plus):
    walk, counts = walk_lie(lie, "--plus", plus, files=10)  # few, so that all are in what comes round
    assert walk.reports() == [(lie, "readdir", errno.ELOOP)]
    assert walk.record(lie)["flags"] == 0
    assert walk.row(f"{lie}/inner/leaf")["type"] == "f"
    places = collections.Counter(row["path"] for row in walk.below(lie))
    assert len(places) == 12, "every name that there is"
    assert max(places.values()) <= 4, "and none of them many times"
    assert counts["readdir"] + counts["readdirplus"] < 100


def walk_failing(*rules, abort_after=None):
    flags = [word for rule in rules for word in ("--fail", rule)]
    with fuse_mount.lying_fs("--files", FILES, "--lie", "no_dots", *flags) as fs:
        rescue = threading.Timer(abort_after or 50, fs.abort)
        rescue.start()
        try:
            walk = Walk(fs.path)
        finally:
            rescue.cancel()
            rescue.join()
    return walk


@pytest.mark.parametrize("error", ["EIO", "ETIMEDOUT", "EACCES"])
@pytest.mark.parametrize("rule, place, operation, lost", [
    ("opendir/honest={}", "honest", "open", EVERY_DIRECTORY),
    ("opendir/honest={}@1", "honest", "open", EVERY_DIRECTORY),
    ("readdir/honest={}", "honest", "getdents", EVERY_DIRECTORY),
    ("readdir/honest={}@2", "honest", "getdents", None),
    ("lookup/f00003={}@1", None, "statx", 0),
    ("lookup/honest={}", "honest", "statx", EVERY_DIRECTORY),
])
def test_a_failure_is_one_report_and_harms_nothing_else(rule, place, operation, lost, error):
    walk = walk_failing(rule.format(error))
    assert len(walk.reports()) == 1
    told, by, number = walk.reports()[0]
    assert (by, number) == (operation, getattr(errno, error))
    assert told == place or told.endswith("/f00003")
    assert len(walk.below("no_dots")) == EVERY_DIRECTORY
    if lost is None:  # some of the listing had been read
        assert 0 < len(walk.below("honest")) < EVERY_DIRECTORY or walk.record("honest")["flags"] == 0
    else:
        assert len(walk.below("honest")) == EVERY_DIRECTORY - lost


@pytest.mark.parametrize("rule", ["opendir/honest=ESTALE@1", "readdir/honest=ESTALE@2", "lookup/f00003=ESTALE@1",
                                  "lookup/inner=ESTALE@1", "lookup/f00003=EINTR@1", "readdir/honest=EAGAIN@1"])
def test_what_passes_when_asked_again_is_no_failure(rule):
    walk = walk_failing(rule)
    assert walk.reports() == []
    assert walk.summary["entries"] == 3 + 2 * EVERY_DIRECTORY
    assert len({row["path"] for row in walk.rows}) == len(walk.rows), "nothing twice"


@pytest.mark.parametrize("rule", ["opendir=ESTALE", "lookup=ESTALE", "readdir=ESTALE", "lookup/f00003=EINTR"])
def test_what_never_passes_does_not_spin(rule):
    walk = walk_failing(rule)
    assert walk.reports()


@pytest.mark.parametrize("rule, place, operation", [
    ("lookup/f00003=hang", "f00003", "statx"), ("opendir/honest=hang", "honest", "open"),
    ("readdir/honest=hang@1", "honest", "getdents"), ("lookup/honest=hang", "honest", "statx")])
def test_a_request_that_is_never_answered_holds_up_nobody_else(rule, place, operation):
    """Until the connection is aborted only its own directory waits; then the wait is a failure like any other."""
    walk = walk_failing(rule, abort_after=1.5)
    assert any(told.endswith(place) and by == operation for told, by, _ in walk.reports())
    assert {error for _, _, error in walk.reports()} <= {errno.ECONNABORTED, errno.ENOTCONN}
    if rule.startswith(("opendir", "readdir")):
        assert len(walk.below("no_dots")) == EVERY_DIRECTORY
        assert len(walk.reports()) == 1


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for d in range(40):
        directory = root / f"d{d % 8}" / f"s{d}"
        directory.mkdir(parents=True)
        for f in range(50):
            (directory / f"file{f:03}").write_bytes(b"x" * f)
    return root


def entries_and_directories(root):
    found = [len(directories) + len(files) for _, directories, files in os.walk(root)]
    return sum(found) + 1, len(found)


@pytest.mark.parametrize("delay_us", [500, 2000])
def test_a_slow_server_is_asked_once_for_each_name(tree, delay_us):
    entries, directories = entries_and_directories(tree)
    with fuse_mount.latency_fs(tree, "--delay-us", str(delay_us)) as fs:
        walk = Walk(fs.path)
        counts = fs.counts()
    assert walk.summary["entries"] == entries
    assert counts["lookup"] <= entries + directories
    assert counts["getattr"] <= 5
    assert counts["opendir"] == directories
    assert counts["readdir"] <= 3 * directories
    assert counts["max_in_flight"] > 4, "it is asked by many at once"


def test_what_readdirplus_told_is_not_asked_again(tree):
    entries, directories = entries_and_directories(tree)
    with fuse_mount.latency_fs(tree, "--delay-us", "200", "--plus", "always", "--ttl", "60") as fs:
        walk = Walk(fs.path)
        counts = fs.counts()
    assert walk.summary["entries"] == entries
    assert counts["lookup"] <= 5 and counts["getattr"] <= 5
    assert counts["readdirplus"] <= 3 * directories


def test_names_only_asks_for_no_name(tree):
    entries, directories = entries_and_directories(tree)
    with fuse_mount.latency_fs(tree, "--delay-us", "0") as fs:
        walk = Walk(fs.path, "--no-stat")
        counts = fs.counts()
    assert walk.summary["entries"] == entries
    assert counts["lookup"] <= 2 * directories
