"""A root on a file system that never answers: the scanner can still be told to end.

A thread that waits for such a file system cannot be killed, so the process itself is gone only once the request is
aborted; what it says, and what its consumers learn, must not wait for that.
"""

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
