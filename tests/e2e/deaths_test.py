"""kill -9 on either side: nobody else loses anything, and nothing stays behind."""

import signal
import time

import pytest

from stage import UNHURRIED, found, make_files, wait_for

SMALL_POOL = ("--ring-size", "2M", "--huge-pages", "off")


@pytest.fixture
def large(stage):
    make_files(stage.tree, 50_000)
    return stage.tree


def test_one_of_three_consumers(stage, large):
    scanner = stage.scanner("--name", "three", "--consumers", "3", *SMALL_POOL, *UNHURRIED, large)
    readers = [stage.tail("three", "--timeout", "30") for _ in range(3)]
    victim = readers.pop()
    assert wait_for(lambda: len(victim.out) > 0)
    victim.signal(signal.SIGSTOP)
    time.sleep(1)  # by now it holds the walk back
    assert all(reader.running for reader in readers)
    victim.signal(signal.SIGKILL)
    expected = sorted(found(large))
    for reader in readers:
        result = reader.finish()
        assert result.code == 0
        assert sorted(result.lines) == expected
    assert scanner.finish().code == 0


def test_scanner(stage, large):
    scanner = stage.scanner("--name", "mortal", "--consumers", "1", *SMALL_POOL, *UNHURRIED, large)
    reader = stage.tail("mortal", "--timeout", "30")
    assert wait_for(lambda: len(reader.out) > 0)
    reader.signal(signal.SIGSTOP)
    time.sleep(0.5)
    scanner.signal(signal.SIGKILL)
    scanner.finish()
    reader.signal(signal.SIGCONT)
    result = reader.finish()
    assert result.code == 3
    assert result.err.splitlines()[-1].startswith("pwalk tail: mortal: the scanner died")
    assert result.out.endswith(b"\n")
    assert set(result.lines) < set(found(large))
    assert len(set(result.lines)) == len(result.lines)


def test_what_a_dead_scanner_leaves_is_removed_and_its_name_is_free(stage, large):
    scanner = stage.scanner("--name", "mortal", *SMALL_POOL, large)
    assert scanner.says("attach with")
    scanner.signal(signal.SIGKILL)
    scanner.finish()
    assert stage.leftovers() == ["mortal"]
    listed = stage.pwalk("scans")
    assert listed.code == 0
    assert listed.err == "pwalk: removed what dead scans left: mortal\n"
    assert stage.leftovers() == []
    again = stage.scanner("--name", "mortal", "--linger", "0", "--ring-size", "64M", large).finish()
    assert again.code == 0


def test_name_of_a_dead_scan_is_taken_over_without_cleaning_up_first(stage, large):
    scanner = stage.scanner("--name", "mortal", *SMALL_POOL, large)
    assert scanner.says("attach with")
    scanner.signal(signal.SIGKILL)
    scanner.finish()
    again = stage.scanner("--name", "mortal", "--linger", "0", "--ring-size", "64M", large).finish()
    assert again.code == 0


def test_rm_of_a_dead_scan(stage, large):
    scanner = stage.scanner("--name", "mortal", *SMALL_POOL, large)
    assert scanner.says("attach with")
    scanner.signal(signal.SIGKILL)
    scanner.finish()
    assert stage.pwalk("rm", "mortal").code == 0
    assert stage.leftovers() == []


def test_rm_of_a_live_scan_is_refused(stage, large):
    scanner = stage.scanner("--name", "alive", *SMALL_POOL, large)
    assert scanner.says("attach with")
    refused = stage.pwalk("rm", "alive")
    assert refused.code == 3
    assert refused.err == "pwalk rm: 'alive' is alive; end its scanner first (Ctrl-C, or kill -TERM)\n"
    assert scanner.running


def test_name_of_a_live_scan_is_refused(stage, large):
    scanner = stage.scanner("--name", "alive", *SMALL_POOL, large)
    assert scanner.says("attach with")
    second = stage.scanner("--name", "alive", large).finish()
    assert second.code == 3
    assert len(second.err.splitlines()) == 1 and "alive" in second.err
    assert scanner.running
