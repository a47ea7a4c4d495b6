"""A scan of one's own: what it reads, how its scanner starts, ends and fails."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import time

import numpy as np
import pytest

import pwalk
from conftest import WAIT, WIDE_TREE_ROWS


def wait_until_gone(pid):
    deadline = time.monotonic() + WAIT
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.01)


def test_reads_everything(tree):
    with pwalk.scan(tree) as scan:
        paths = sorted(path for batch in scan for path in batch.paths())
        assert scan.complete
    expected = [tree, tree / "large.bin", tree / "notes.txt", tree / "sub", tree / "sub" / "tool.py"]
    assert paths == sorted(map(os.fsencode, expected))
    assert scan.stats.rows == 5 and scan.stats.file_bytes == 5012 and scan.stats.directories == 2


def test_scan_stats_agree_with_the_summary(wide_tree):
    with pwalk.scan(wide_tree) as scan:
        seen = [told.entries for _ in scan if (told := scan.scan_stats) is not None]
        told, summary = scan.scan_stats, scan.summary
    assert seen == sorted(seen)
    for field in ("entries", "files", "directories", "symlinks", "others", "errors", "vanished", "skipped", "threads"):
        assert getattr(told, field) == summary[field], field
    assert told.file_bytes == summary["bytes"] and told.waiting_directories == 0
    assert 0 < told.elapsed_seconds <= summary["wall_seconds"]
    assert 0 < told.thread_efficiency <= 1 and 0 < summary["thread_efficiency"] <= 1
    assert len(summary["worker_efficiency"]) == told.threads
    assert 0 < told.cpu_seconds <= summary["cpu_seconds"]
    assert told.memory_bytes > 0 and 0 < told.peak_memory_bytes <= summary["peak_memory_bytes"]
    assert told.getdents.calls >= 2 * told.directories and told.getdents.p50_us <= told.getdents.p99_us
    assert told.statx.calls >= told.entries - 1


def test_summary_is_the_scanners_own(tree):
    with pwalk.scan(tree) as scan:
        assert scan.summary is None
        for _ in scan:
            pass
        summary = scan.summary
    assert summary["entries"] == 5 and summary["bytes"] == 5012 and summary["complete"] is True
    assert scan.summary == summary


def test_several_roots_of_several_types(tree):
    with pwalk.scan(tree / "sub", os.fsencode(tree / "notes.txt"), str(tree / "sub")) as scan:
        paths = sorted(path for batch in scan for path in batch.paths())
    assert len(paths) == 5


def test_roots_that_look_like_options(tmp_path, monkeypatch):
    (tmp_path / "--json").mkdir()
    monkeypatch.chdir(tmp_path)
    with pwalk.scan("--json") as scan:
        assert [path for batch in scan for path in batch.paths()] == [os.fsencode(tmp_path / "--json")]


def test_options_and_config(tree):
    config = pwalk.Config(exclude="*.bin", max_depth=1)
    with pwalk.scan(tree, config=config, max_depth=5) as scan:
        names = {name for batch in scan for name in batch["name"]}
    assert b"large.bin" not in names and b"tool.py" in names
    assert config.max_depth == 1 and config.name is None  # left as it was


def test_two_scans_at_once(tree, wide_tree):
    with pwalk.scan(tree) as small, pwalk.scan(wide_tree) as large:
        assert small.name != large.name
        rows = [len(batch) for pair in zip(large, small) for batch in pair]
        rows += [len(batch) for scan in (small, large) for batch in scan]
        # zip() drops the batch of `large` that found no partner.
        assert small.complete and large.complete
    assert small.stats.rows + large.stats.rows == 5 + WIDE_TREE_ROWS


def test_leaving_early_ends_the_scanner(wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        next(scan)
        assert os.path.exists(f"/proc/{scan.pid}")
    assert not os.path.exists(f"/proc/{scan.pid}")
    assert scan.closed and not scan.complete
    with pytest.raises(ValueError, match="closed"):
        next(scan)


def test_an_exception_inside_ends_the_scanner(wide_tree):
    with pytest.raises(ZeroDivisionError):
        with pwalk.scan(wide_tree, ring_size="2M") as scan:
            1 / 0
    assert not os.path.exists(f"/proc/{scan.pid}")


def test_a_dropped_scan_ends_its_scanner(wide_tree):
    scan = pwalk.scan(wide_tree, ring_size="2M")
    pid = scan.pid
    del scan
    gc.collect()
    assert not os.path.exists(f"/proc/{pid}")


def test_nothing_is_left_in_the_runtime_directory(tree, runtime_directory):
    with pwalk.scan(tree) as scan:
        for _ in scan:
            pass
    assert list(runtime_directory.iterdir()) == []


KILLED_PARENT = """
import os, signal, sys, threading, pwalk
scan = pwalk.scan(sys.argv[1], ring_size="2M")
next(scan)
print(scan.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_parent_leaves_no_scanner(wide_tree, run_python):
    ended = run_python(KILLED_PARENT, wide_tree)
    assert ended.returncode == -signal.SIGKILL
    wait_until_gone(int(ended.stdout))


THREAD_THAT_ENDS = """
import sys, threading, pwalk
scans = []
thread = threading.Thread(target=lambda: scans.append(pwalk.scan(sys.argv[1], ring_size="2M")))
thread.start()
thread.join()
with scans[0] as scan:
    print(sum(map(len, scan)), scan.complete)
"""


def test_a_scanner_survives_the_thread_that_started_it(wide_tree, run_python):
    ended = run_python(THREAD_THAT_ENDS, wide_tree)
    assert ended.stdout.split() == [str(WIDE_TREE_ROWS), "True"], ended.stderr


EXIT_WITHOUT_CLOSING = """
import sys, pwalk
scan = pwalk.scan(sys.argv[1], ring_size="2M")
view = next(scan)["size"]
print(scan.pid)
"""


def test_interpreter_ends_with_a_live_scan_and_views(wide_tree, run_python):
    ended = run_python(EXIT_WITHOUT_CLOSING, wide_tree)
    assert ended.returncode == 0 and ended.stderr == ""
    assert not os.path.exists(f"/proc/{ended.stdout.strip()}")


def test_forked_child_leaves_the_scanner_alone(wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        first = next(scan)
        child = os.fork()
        if child == 0:
            scan.close()
            os._exit(0 if scan.summary is None else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert len(first) + sum(map(len, scan)) == WIDE_TREE_ROWS and scan.complete


def test_a_root_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        pwalk.scan(tmp_path / "nowhere")
    assert os.fsdecode(caught.value.filename) == str(tmp_path / "nowhere")
    with pytest.raises(TypeError, match="at least one root"):
        pwalk.scan()


def test_one_missing_root_of_two(tree, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="pwalk"):
        with pwalk.scan(tree, tmp_path / "nowhere") as scan:
            failed = [(batch.path(row), int(batch["error"][row])) for batch in scan for row in np.flatnonzero(batch["error"])]
    assert failed == [(os.fsencode(tmp_path / "nowhere"), errno.ENOENT)]
    assert scan.stats.rows == 6 and scan.stats.errors == scan.summary["errors"] == 1 and scan.complete
    assert any("nowhere" in record.getMessage() for record in caplog.records)


def test_what_the_scanner_refuses_is_told(tree):
    with pytest.raises(pwalk.ScannerError, match="exclude-from|no-such-file") as caught:
        pwalk.scan(tree, exclude_from=[str(tree / "no-such-file")])
    assert caught.value.returncode == 2


def test_a_name_that_is_taken(tree):
    with pwalk.scan(tree, name="taken"):
        with pytest.raises(pwalk.ScannerError, match="taken"):
            pwalk.scan(tree, name="taken")


def test_scanner_that_cannot_be_found(tree, monkeypatch):
    monkeypatch.setenv("PWALK_SCANNER", "/nowhere/pwalk-scanner")
    with pytest.raises(FileNotFoundError, match="PWALK_SCANNER") as caught:
        pwalk.scan(tree)
    assert caught.value.filename == "/nowhere/pwalk-scanner"


def test_progress_is_told_while_reading_and_at_the_end(wide_tree):
    told = []
    with pwalk.scan(wide_tree, progress=told.append) as scan:
        rows = sum(map(len, scan))
    assert told and told[-1].rows == rows == WIDE_TREE_ROWS
    assert all(isinstance(stats, pwalk.ConsumerStats) for stats in told)
    assert [stats.rows for stats in told] == sorted(stats.rows for stats in told)


def test_an_error_of_the_progress_function_comes_through(wide_tree):
    with pytest.raises(ZeroDivisionError):
        with pwalk.scan(wide_tree, progress=lambda stats: 1 / 0) as scan:
            list(scan)


def test_verified_and_stated_hash_agree(wide_tree):
    hashes = set()
    for verify in (False, True):
        with pwalk.scan(wide_tree, verify=verify) as scan:
            for _ in scan:
                pass
        hashes.add(scan.stats.content_hash)
    assert len(hashes) == 1 and hashes != {0}
