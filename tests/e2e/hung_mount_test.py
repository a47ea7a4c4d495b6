"""A root on a file system that never answers: the scanner can still be told to end.

A thread that waits for such a file system cannot be killed, so the process itself is gone only once the request is
aborted; what it says, and what its consumers learn, must not wait for that.
"""

import json
import os
import pathlib
import signal
import sys
import time

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fuse_mount import lying_fs, reason_missing

from stage import wait_for

MISSING = reason_missing("pwalk_lying_fs")
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


@pytest.fixture
def hung(stage):
    """A mount, a scanner one of whose workers waits for it, and a reader that has seen the rest."""
    with lying_fs("--fail", "opendir/honest=hang") as fs:
        scanner = stage.scanner("--name", "hung", "--consumers", "1", fs.path)
        reader = stage.tail("hung", "--timeout", "30")
        assert wait_for(lambda: fs.path.encode() in reader.out)
        yield fs, scanner, reader
        fs.abort()


def test_second_signal_ends_at_once(hung):
    fs, scanner, reader = hung
    scanner.signal(signal.SIGINT)
    time.sleep(0.5)
    assert "stopped" not in scanner.err, "what is under way gets its ten seconds"
    scanner.signal(signal.SIGINT)
    assert scanner.says("stopped by a signal", 2)
    assert reader.finish(5).code == 3
    fs.abort()
    assert scanner.finish().code == 3


def test_first_signal_waits_ten_seconds_and_no_more(hung):
    fs, scanner, reader = hung
    began = time.monotonic()
    scanner.signal(signal.SIGTERM)
    assert scanner.says("stopped by a signal", 15)
    assert time.monotonic() - began > 9
    assert reader.finish(5).code == 3
    fs.abort()
    assert scanner.finish().code == 3


@pytest.mark.parametrize("request_kind, place, operation", [
    ("opendir/honest=hang", "honest", "open"),
    ("readdir/honest=hang", "honest", "getdents"),
    ("lookup/inner=hang", "honest", "statx"),
    ("lookup/f00003=hang", "honest", "statx"),
])
def test_a_directory_that_hangs_is_given_up_and_the_rest_is_walked(stage, request_kind, place, operation):
    for number in range(50):
        (stage.tree / f"directory-{number}").mkdir()
    with lying_fs("--fail", request_kind, "--plus", "never") as fs:
        scanner = stage.scanner("--name", "hung", "--consumers", "1", "--hang-timeout", "2", "--json", fs.path, stage.tree)
        reader = stage.tail("hung", "--timeout", "30")
        assert scanner.says(f"'{fs.path}/{place}': no answer ({operation}), given up", 30)
        told = reader.finish(30)
        assert told.code == 3, "it did not see everything"
        assert f"{fs.path}/{place}" in told.err and os.strerror(110) in told.err
        assert set(os.fsencode(path) for path in [stage.tree, *stage.tree.iterdir()]) <= set(told.lines)
        assert wait_for(lambda: scanner.out.endswith(b"}\n")), "the summary does not wait for the mount"
        summary = json.loads(scanner.out)
        assert not summary["complete"] and summary["errors"] >= 1
        assert summary["hung"] == [{"path": f"{fs.path}/{place}", "operation": operation}]
        assert [root["complete"] for root in summary["per_root"]] == [False, True]
        fs.abort()
        assert scanner.finish().code == 3

