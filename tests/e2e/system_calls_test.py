"""How many system calls a scan makes, and what names it gives the kernel: as strace sees it, counted, not timed.

The floor is one statx for each entry, and one openat, two getdents64 and one close for each directory: 1.19 calls per entry
in a tree with 20 files in each directory. What a scan costs whatever it walks is taken out by scanning two trees.
"""

import collections
import pathlib
import re
import shutil
import subprocess

import pytest

from stage import make_files

FILES = 20  # per directory
SMALL, LARGE = 2_000, 12_000
ABOUT_FILES = ("open", "openat", "openat2", "close", "getdents64", "statx", "newfstatat", "fstat", "lseek", "readlinkat",
               "fcntl", "dup", "dup3", "fstatfs", "ioctl")
CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)")
NAMED = re.compile(r'^(AT_FDCWD|\d+), "((?:[^"\\]|\\.)*)"')


def can_trace() -> bool:
    """A sandbox may forbid ptrace(2)."""
    return shutil.which("strace") is not None and subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_trace(), reason="strace cannot trace here")


def traced(stage, tree: pathlib.Path, *options) -> list[tuple[str, str]]:
    """(call, arguments) of a scan of `tree`, each once."""
    log = stage.base / "calls"
    scanner = stage.scanner("--json", "--quiet", *options, tree,
                            through=["strace", "-f", "-qq", "-s", "4096", "-e", "trace=" + ",".join(ABOUT_FILES), "-o", log])
    assert scanner.finish().code == 0, scanner.err
    lines = [line for line in log.read_text(errors="surrogateescape").splitlines() if " resumed>" not in line]
    return [match.groups() for match in map(CALL.match, lines) if match]


def make_tree(stage, files: int) -> tuple[pathlib.Path, int]:
    """The tree, and how many entries it has."""
    tree = stage.tree / str(files)
    tree.mkdir()
    make_files(tree, files, per_directory=FILES)
    return tree, 1 + files + files // FILES


@pytest.mark.parametrize("options", [(), ("--max-threads", "8", "--min-threads", "8")])
def test_calls_per_entry(stage, options):
    (small, few), (large, many) = make_tree(stage, SMALL), make_tree(stage, LARGE)
    before, after = (collections.Counter(call for call, _ in traced(stage, tree, *options)) for tree in (small, large))
    more = after - before
    assert more["statx"] == many - few, "one for each entry"
    assert more.total() / (many - few) <= 1.20, more


def test_below_the_root_names_have_one_component(stage):
    tree, entries = make_tree(stage, SMALL)
    (tree / "d00001" / "inner" / "innermost").mkdir(parents=True)
    (tree / "d00001" / "inner" / "innermost" / "file").touch()
    names = [match.groups() for _, words in traced(stage, tree) if (match := NAMED.match(words))]
    below = [name for directory, name in names if directory != "AT_FDCWD"]
    assert len(below) >= entries and {"innermost", "file"} <= set(below)
    assert not [name for name in below if "/" in name]
    assert {name for directory, name in names if name.startswith(str(tree))} == {str(tree)}
