"""pwalk.walk is os.walk: the same triples, the same pruning, the same errors."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest

import pwalk
from conftest import WAIT

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import fuse_mount  # noqa: E402


def normal(triples):
    return sorted((path, sorted(directories), sorted(files)) for path, directories, files in triples)


def assert_order(triples, topdown):
    place = {path: number for number, (path, _, _) in enumerate(triples)}
    for path, number in place.items():
        above = place.get(os.path.dirname(path))
        assert above is None or (above < number) == topdown, path


@pytest.mark.parametrize("topdown", [True, False])
@pytest.mark.parametrize("run_ahead", [1, 4096])
def test_hostile_trees(hostile_tree, topdown, run_ahead):
    for top in (hostile_tree, os.fsdecode(hostile_tree)):
        found = list(pwalk.walk(top, topdown=topdown, run_ahead=run_ahead))
        assert normal(found) == normal(os.walk(top, topdown=topdown))
        assert_order(found, topdown)


@pytest.mark.parametrize("topdown", [True, False])
def test_usr_share(topdown):
    found = list(pwalk.walk("/usr/share", topdown))
    assert normal(found) == normal(os.walk("/usr/share"))
    assert_order(found, topdown)


@pytest.mark.parametrize("top", [".", "sub", "./sub/..", "sub/", "link-to-sub", b"sub"])
def test_paths_begin_as_they_were_given(tree, monkeypatch, top):
    (tree / "link-to-sub").symlink_to("sub")
    monkeypatch.chdir(tree)
    assert normal(pwalk.walk(top)) == normal(os.walk(top))


def test_the_root_of_the_file_system():
    found = []
    for path, directories, files in pwalk.walk("/"):
        found.append((path, sorted(directories), sorted(files)))
        directories.clear()
    assert found == [("/", *map(sorted, next(os.walk("/"))[1:]))]


@pytest.mark.parametrize("follow", [True, False])
def test_links(tree, tmp_path, follow):
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "file").touch()
    (tree / "to-directory").symlink_to(outside)
    (tree / "to-file").symlink_to("notes.txt")
    (tree / "to-nothing").symlink_to("nothing")
    assert normal(pwalk.walk(str(tree), followlinks=follow)) == normal(os.walk(str(tree), followlinks=follow))


def test_a_loop_is_named_and_not_entered(tree):
    (tree / "sub" / "up").symlink_to("..")
    found = dict((path, directories) for path, directories, _ in pwalk.walk(str(tree), followlinks=True))
    assert found == {str(tree): ["sub"], str(tree / "sub"): ["up"]}


def prune(walk, keep):
    visited = []
    for path, directories, files in walk:
        visited.append((path, sorted(directories), sorted(files)))
        directories[:] = [name for name in directories if keep(name)]
    return sorted(visited)


@pytest.mark.parametrize("run_ahead", [1, 5, 4096])
@pytest.mark.parametrize("keep", [lambda name: False, lambda name: name.endswith("e"), lambda name: len(name) % 2])
def test_pruning_in_place(hostile_tree, run_ahead, keep):
    top = os.fsdecode(hostile_tree)
    assert prune(pwalk.walk(top, run_ahead=run_ahead), keep) == prune(os.walk(top), keep)


def test_sorting_replacing_and_adding(tree):
    (tree / "other").mkdir()
    (tree / "link").symlink_to("sub")
    for change in (lambda names: names.sort(), lambda names: names.reverse(), lambda names: names.append("sub/../other"),
                   lambda names: names.__setitem__(slice(None), ["link"]), lambda names: names.append("nothing")):
        def visited(walk):
            seen = []
            for path, directories, files in walk:
                seen.append((path, sorted(files)))
                if path == str(tree):
                    change(directories)
            return sorted(seen)

        assert visited(pwalk.walk(str(tree))) == visited(os.walk(str(tree)))


@pytest.mark.skipif(fuse_mount.reason_missing("pwalk_latency_fs") is not None, reason="no FUSE here")
def test_below_a_pruned_tree_no_more_is_opened_than_the_run_ahead(tmp_path):
    source = tmp_path / "source"
    for branch in range(3):
        for number in range(100):
            (source / f"branch-{branch}" / f"d{number}" / "inner").mkdir(parents=True)
    ahead = 8
    with fuse_mount.latency_fs(source) as fs:
        visited = []
        for path, directories, _ in pwalk.walk(fs.path, run_ahead=ahead):
            visited.append(path)
            if path == fs.path:
                directories[:] = ["branch-1"]
        opened = fs.counts()["opendir"]
    assert len(visited) == 1 + 1 + 2 * 100
    assert len(visited) <= opened <= len(visited) + ahead


@pytest.mark.skipif(fuse_mount.reason_missing("pwalk_latency_fs") is not None, reason="no FUSE here")
def test_a_caller_who_stops_early_costs_no_more_than_the_run_ahead(tmp_path):
    source = tmp_path / "source"
    for number in range(300):
        (source / f"d{number}" / "inner").mkdir(parents=True)
    with fuse_mount.latency_fs(source) as fs:
        walk = pwalk.walk(fs.path, run_ahead=8)
        next(walk), next(walk), next(walk)
        walk.close()
        assert fs.counts()["opendir"] <= 3 + 8 + 1  # and os.scandir's look at the top


def test_errors_reach_onerror(tree, tmp_path):
    for top in (str(tmp_path / "nothing"), str(tree / "notes.txt"), os.fsencode(tmp_path / "nothing")):
        mine, theirs = [], []
        assert list(pwalk.walk(top, onerror=mine.append)) == list(os.walk(top, onerror=theirs.append)) == []
        assert [(type(e), e.errno, e.filename) for e in mine] == [(type(e), e.errno, e.filename) for e in theirs]
        assert list(pwalk.walk(top)) == []


UNREADABLE = """
import os, sys, pwalk
os.setgid(65534), os.setuid(65534)
def told(walk):
    errors = []
    triples = sorted((path, sorted(directories), sorted(files)) for path, directories, files in walk(sys.argv[1], onerror=errors.append))
    return triples, [(type(error), error.errno, error.filename) for error in errors]
mine, theirs = told(pwalk.walk), told(os.walk)
assert mine == theirs and len(mine[1]) == 1, (mine, theirs)
def fail(error): raise error
try:
    list(pwalk.walk(sys.argv[1], onerror=fail))
except PermissionError:
    print("raised")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_unreadable_directories(run_python, monkeypatch):
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        root = pathlib.Path(place) / "tree"
        (root / "closed" / "below").mkdir(parents=True)
        (root / "open").mkdir()
        (root / "closed").chmod(0)
        os.chmod(place, 0o755)
        runtime = pathlib.Path(place) / "runtime"
        runtime.mkdir(mode=0o700)
        os.chown(runtime, 65534, 65534)
        monkeypatch.setenv("PWALK_RUNTIME_DIR", str(runtime))
        ended = run_python(UNREADABLE, root)
        (root / "closed").chmod(0o700)
    assert ended.stdout == "raised\n", ended.stderr


def test_options(tree):
    assert [path for path, _, _ in pwalk.walk(str(tree), max_depth=1)] == [str(tree)]
    names = [name for _, _, files in pwalk.walk(str(tree), exclude="*.bin", max_threads=1) for name in files]
    assert sorted(names) == ["notes.txt", "tool.py"]
    config = pwalk.Config(exclude="*.py", columns="size")
    assert normal(pwalk.Walker(config).walk(str(tree))) == normal(
        [(str(tree), ["sub"], ["large.bin", "notes.txt"]), (str(tree / "sub"), [], [])])
    assert config.columns == "size"
    (tree / ".snapshot").mkdir()
    assert ".snapshot" in next(pwalk.walk(str(tree)))[1]
    assert ".snapshot" not in next(pwalk.walk(str(tree), ignore_snapshots=True))[1]
    assert ".snapshot" not in next(pwalk.Walker().walk(str(tree)))[1]
    with pytest.raises(TypeError, match="no option 'max_dept'"):
        pwalk.walk(tree, max_dept=1)
    with pytest.raises(ValueError, match="run_ahead"):
        pwalk.walk(tree, run_ahead=0)


def test_no_scanner_is_left(tree, runtime_directory):
    walk = pwalk.walk(str(tree))
    next(walk)
    del walk
    assert not list(runtime_directory.iterdir())
    with pytest.raises(ZeroDivisionError):
        for _ in pwalk.walk(str(tree)):
            1 / 0


def test_a_killed_scanner_is_an_error(wide_tree):
    walk = pwalk.walk(str(wide_tree), run_ahead=1, batch_size=64)
    next(walk)
    scanner = walk.gi_frame.f_locals["followed"]._scan.pid
    os.kill(scanner, signal.SIGKILL)
    with pytest.raises(pwalk.ScannerDied):
        list(walk)


def test_a_stopped_scanner_is_an_error(wide_tree):
    walk = pwalk.walk(str(wide_tree), run_ahead=1, batch_size=64)
    next(walk)
    os.kill(walk.gi_frame.f_locals["followed"]._scan.pid, signal.SIGTERM)
    with pytest.raises(pwalk.ScannerError, match="cut short"):
        list(walk)


INTERRUPTED = """
import os, signal, sys, threading, pwalk
walk = pwalk.walk(sys.argv[1], run_ahead=1)
next(walk)
os.kill(walk.gi_frame.f_locals["followed"]._scan.pid, signal.SIGSTOP)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    list(walk)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_a_walk(wide_tree, run_python):
    assert run_python(INTERRUPTED, wide_tree).stdout == "interrupted\n"


def test_two_walks_at_once(tree, wide_tree):
    together = zip(pwalk.walk(str(wide_tree)), pwalk.walk(str(tree)))
    assert len(list(together)) == 2


def test_who_follows_must_speak_the_scanners_language(tree, tmp_path):
    import socket

    from pwalk.scanner_process import find_scanner

    def run(value, message=b"", pass_fds=()):
        return subprocess.run([find_scanner(), "--quiet", "--json", str(tree)], pass_fds=pass_fds, timeout=WAIT,
                              env={**os.environ, "PWALK_WALK_CONTROL": value}, capture_output=True, text=True)

    for value in ("", "x", "1", "99", "-3"):
        ended = run(value)
        assert ended.returncode == 2 and "PWALK_WALK_CONTROL" in ended.stderr
    for message in (b"", b"a", b"h\x0c\0\0\0" + bytes(12), b"h\xff\xff\xff\xff", b"x" * 100):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(message)
            ours.shutdown(socket.SHUT_WR)
            ended = run(str(theirs.fileno()), pass_fds=(theirs.fileno(),))
        assert ended.returncode == 2 and "version" in ended.stderr
    # After a good hello, nonsense only lets the walk go.
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"h\x0c\0\0\0\1\0\0\0\1" + bytes(7) + b"n" + bytes(4))
        ended = run(str(theirs.fileno()), pass_fds=(theirs.fileno(),))
    assert ended.returncode == 0 and "no longer held back" in ended.stderr
