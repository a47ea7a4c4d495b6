"""Waits: they release the GIL, end in time, and end at once for Ctrl-C, close and shutdown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import pwalk
from conftest import WAIT, WIDE_TREE_ROWS

AT_ONCE = 5.0  # seconds; a wait that ignores what should end it lasts until WAIT


@pytest.fixture
def silent(tree, start_scanner):
    """A scan whose next batch never comes: it waits for a second consumer."""
    start_scanner("--name", "silent", "--consumers", "2", tree)
    with pwalk.attach("silent", timeout=WAIT) as consumer:
        yield consumer


def test_read_times_out(silent):
    for timeout in (0, 0.01, 0.25):
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            silent.read(timeout)
        assert timeout * 0.8 <= time.monotonic() - before < AT_ONCE


def test_other_threads_run_during_a_wait(silent):
    counted = 0

    def read():
        with pytest.raises(TimeoutError):
            silent.read(0.5)

    reader = threading.Thread(target=read)
    reader.start()
    while reader.is_alive():
        counted += 1
    assert counted > 1000


def test_close_ends_the_wait_of_another_thread(silent):
    threading.Timer(0.2, silent.close).start()
    before = time.monotonic()
    with pytest.raises(ValueError, match="closed"):
        silent.read(WAIT)
    assert time.monotonic() - before < AT_ONCE


def test_threads_take_turns(wide_tree):
    with pwalk.scan(wide_tree) as scan:
        parts = []

        def read():
            parts.append(sum(map(len, scan)))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(parts) == WIDE_TREE_ROWS and scan.complete


def test_a_handler_that_does_not_raise_lets_the_wait_go_on(silent, monkeypatch):
    called = []
    before = signal.signal(signal.SIGALRM, lambda *_: called.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(TimeoutError):
            silent.read(0.6)
        assert called and time.monotonic() - called[0] > 0.3
    finally:
        signal.signal(signal.SIGALRM, before)


WAITING = {
    "batch": "with pwalk.attach('silent', timeout=60) as consumer:\n    print('ready', flush=True)\n    next(consumer)",
    "scan": "print('ready', flush=True)\npwalk.attach('nowhere', timeout=60)",
    "turn": """
import threading
consumer = pwalk.attach('silent', timeout=60)
threading.Thread(target=lambda: next(consumer), daemon=True).start()
print('ready', flush=True)
next(consumer)""",
}


@pytest.mark.parametrize("wait", WAITING)
def test_interrupt_ends_every_wait(wait, tree, start_scanner):
    start_scanner("--name", "silent", "--consumers", "9", tree)
    waiting = subprocess.Popen([sys.executable, "-c", "import pwalk\n" + WAITING[wait]],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert waiting.stdout.readline() == "ready\n"
        time.sleep(0.3)  # into the wait
        before = time.monotonic()
        waiting.send_signal(signal.SIGINT)
        _, told = waiting.communicate(timeout=WAIT)
    finally:
        waiting.kill()
    assert time.monotonic() - before < AT_ONCE
    assert waiting.returncode == -signal.SIGINT and told.rstrip().endswith("KeyboardInterrupt"), told


SHUTDOWN = """
import sys, threading, time, pwalk
scan = pwalk.scan(sys.argv[1], consumers=2)
threading.Thread(target=lambda: next(scan), daemon=True).start()
time.sleep(0.3)
"""


def test_interpreter_ends_while_a_thread_waits(tree, run_python):
    ended = run_python(SHUTDOWN, tree)
    assert "terminate" not in ended.stderr and "Fatal" not in ended.stderr
    assert ended.returncode == 0, ended.stderr


def test_forked_child_has_a_dead_handle(wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        first = next(scan)
        copied = first.copy()
        paths = copied.paths()
        child = os.fork()
        if child == 0:
            os._exit(judge_in_child(scan, first, copied, paths))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert first.paths() == paths
        assert len(first) + sum(map(len, scan)) == WIDE_TREE_ROWS and scan.complete


def judge_in_child(scan, first, copied, paths):
    """0 when everything of the parent's refuses, nothing breaks, and a copy works."""
    for number, use in enumerate([lambda: next(scan), lambda: first["size"], first.paths, first.copy], start=1):
        try:
            use()
        except pwalk.PwalkError as error:
            if "fork" not in str(error):
                return number
        else:
            return number
    if copied.paths() != paths:
        return 9
    scan.close()
    return 0


def test_forked_child_attaches_anew(tree, start_scanner):
    start_scanner("--name", "home", "--consumers", "2", tree)
    with pwalk.attach("home", timeout=WAIT) as consumer:
        child = os.fork()
        if child == 0:
            with pwalk.attach("home") as own:
                os._exit(0 if sum(map(len, own)) == 5 else 1)
        assert sum(map(len, consumer)) == 5
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
