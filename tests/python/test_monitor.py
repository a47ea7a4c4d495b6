"""Monitor: what scans do and cost while they run, of this process and of others."""

from __future__ import annotations

import os
import signal
import time

import pytest

import pwalk
from conftest import WAIT, WIDE_TREE_ROWS


def until(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_scans_of_this_process_are_summed(tree, wide_tree):
    monitor = pwalk.Monitor()
    monitor.start()
    with pwalk.scan(tree) as scan:
        for _ in scan:
            pass
    assert sum(len(files) for _, _, files in pwalk.walk(str(wide_tree))) == 40_000
    told = monitor.stop()
    assert (told.entries, told.files, told.directories) == (5 + WIDE_TREE_ROWS, 40_003, 2 + 41)
    assert told.file_bytes == 5012 and told.errors == 0
    assert told.files_per_second == pytest.approx(told.files / told.seconds)
    assert told.entries_per_second == pytest.approx(told.entries / told.seconds)
    assert told.mb_per_second == pytest.approx(5012 / 1e6 / told.seconds)
    assert told.cpu_percent > 0 and told.memory_mb > 1 and 0 < told.thread_efficiency <= 1
    assert monitor.stats == told


def test_figures_are_live_and_those_before_the_start_do_not_count(wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M", max_threads=1) as scan:
        next(scan)
        until(lambda: scan.scan_stats is not None and scan.scan_stats.files > 0)
        monitor = pwalk.Monitor()
        monitor.start()
        before = monitor.stats
        assert before.files < 40_000
        for _ in scan:
            pass
        until(lambda: monitor.stats.files > before.files)
    told = monitor.stop()
    assert 0 < told.files < 40_000


def test_another_process_is_watched_by_name_or_root(wide_tree, start_scanner):
    for wanted in ("watched", wide_tree):
        monitor = pwalk.Monitor(wanted)
        monitor.start()
        assert monitor.stats.files == 0
        scanner = start_scanner("--quiet", "--name=watched", wide_tree)
        until(lambda: monitor.stats.files == 40_000)  # it waits for a consumer, and we are none
        assert scanner.poll() is None
        assert monitor.stats.memory_mb > 1 and monitor.stats.cpu_percent > 0
        scanner.send_signal(signal.SIGTERM)
        scanner.wait(WAIT)
        assert monitor.stop().entries == WIDE_TREE_ROWS


def test_what_cannot_be(tree):
    monitor = pwalk.Monitor()
    with pytest.raises(RuntimeError, match="not started"):
        monitor.stats
    with pytest.raises(RuntimeError, match="does not watch"):
        monitor.stop()
    monitor.start()
    with pytest.raises(RuntimeError, match="already"):
        monitor.start()
    monitor.stop()
    with monitor:
        assert repr(monitor) == "<pwalk.Monitor watching>"
    assert monitor.stats.files == 0


def test_a_forgotten_monitor_ends_its_thread(tree):
    import gc
    import threading

    monitor = pwalk.Monitor("nobody")
    monitor.start()
    thread = monitor._looking
    del monitor
    gc.collect()
    thread.join(WAIT)
    assert not thread.is_alive()
