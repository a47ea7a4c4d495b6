"""Who waits for whom, how long, and what is said meanwhile."""

import json
import signal
import time

import pytest

from stage import UNHURRIED, found, make_files, wait_for

SMALL_POOL = ("--ring-size", "2M", "--huge-pages", "off")
MORE_THAN_SMALL_POOL = 50_000


@pytest.fixture
def small(stage):
    make_files(stage.tree, 2000)
    return stage.tree


@pytest.fixture
def large(stage):
    """More than a small pool holds."""
    make_files(stage.tree, MORE_THAN_SMALL_POOL)
    return stage.tree


def test_full_pool_without_a_consumer_is_told_and_control_c_ends_it(stage, large):
    scanner = stage.scanner("--name", "alone", *SMALL_POOL, large)
    assert scanner.says("pool full and no consumer, the walk waits; attach with: pwalk tail alone\n")
    time.sleep(0.5)
    assert scanner.running
    began = time.monotonic()
    scanner.signal(signal.SIGINT)
    result = scanner.finish()
    assert time.monotonic() - began < 5
    assert result.code == 3
    assert result.err.count("attach with") == 1
    assert stage.leftovers() == []


def test_full_pool_gives_up_after_attach_timeout(stage, large):
    began = time.monotonic()
    result = stage.scanner("--attach-timeout", "1", *SMALL_POOL, large).finish()
    assert result.code == 3
    assert time.monotonic() - began >= 1
    assert "no consumer came" in result.err
    assert stage.leftovers() == []


def test_full_pool_goes_on_when_somebody_comes(stage, large):
    scanner = stage.scanner("--name", "late", *SMALL_POOL, large)
    assert scanner.says("attach with: pwalk tail late")
    reader = stage.tail("late").finish()
    assert (scanner.finish().code, reader.code) == (0, 0)
    assert sorted(reader.lines) == sorted(found(large))


def test_without_a_consumer_the_first_one_is_waited_for_after_the_walk(stage, small):
    scanner = stage.scanner("--name", "patient", small)
    assert scanner.says("walk ended, waiting for a consumer; attach with: pwalk tail patient")
    time.sleep(1)
    reader = stage.tail("patient").finish()
    assert (scanner.finish().code, reader.code) == (0, 0)
    assert sorted(reader.lines) == sorted(found(small))


def test_one_after_the_other_also_after_the_walk(stage, small):
    scanner = stage.scanner("--name", "again", "--linger", "3", small)
    expected = sorted(found(small))
    for _ in range(3):
        reader = stage.tail("again", "--timeout", "10").finish()
        assert reader.code == 0
        assert sorted(reader.lines) == expected
        time.sleep(1)
    assert scanner.finish().code == 0


def test_linger_that_nobody_needed_ends_well(stage, small):
    began = time.monotonic()
    assert stage.scanner("--linger", "0", small).finish().code == 0
    assert stage.scanner("--linger", "1", small).finish().code == 0
    assert time.monotonic() - began >= 1


def test_consumers_are_waited_for_before_the_walk(stage, small):
    scanner = stage.scanner("--name", "pair", "--consumers", "2", small)
    first = stage.tail("pair")
    assert scanner.says("waiting for 2 consumers")
    time.sleep(0.5)
    assert first.out == b""
    second = stage.tail("pair")
    assert [scanner.finish().code, first.finish().code, second.finish().code] == [0, 0, 0]
    assert sorted(first.finish().lines) == sorted(second.finish().lines) == sorted(found(small))


def test_too_few_consumers_until_attach_timeout(stage, small):
    scanner = stage.scanner("--name", "pair", "--consumers", "2", "--attach-timeout", "1", small)
    reader = stage.tail("pair").finish()
    assert scanner.finish().code == 3
    assert reader.code == 3
    assert "cut short" in reader.err
    assert reader.out == b""


def test_tail_waits_for_a_scan_to_appear(stage, small):
    reader = stage.tail("future")
    time.sleep(0.5)
    assert reader.running
    scanner = stage.scanner("--name", "future", "--consumers", "1", small)
    assert (scanner.finish().code, reader.finish().code) == (0, 0)


def test_tail_gives_up_waiting(stage):
    began = time.monotonic()
    result = stage.tail("never", "--timeout", "0.3").finish()
    assert result.code == 3
    assert time.monotonic() - began < 5
    assert len(result.err.splitlines()) == 1
    assert "never" in result.err


def test_tail_can_be_interrupted_while_it_waits(stage):
    reader = stage.tail("never")
    time.sleep(0.3)
    began = time.monotonic()
    reader.signal(signal.SIGINT)
    assert reader.finish().code == 3
    assert time.monotonic() - began < 1


def test_newcomer_after_reuse_misses_entries_and_is_told_how_many(stage, large):
    scanner = stage.scanner("--name", "gone", "--linger", "5", *SMALL_POOL, large)
    assert stage.tail("gone", "--timeout", "10").finish().code == 0
    late = stage.tail("gone").finish()
    assert late.code == 3
    assert late.out == b""
    assert len(late.err.splitlines()) == 1
    missed = [int(word) for word in late.err.replace(",", "").split() if word.isdigit()]
    assert missed and missed[0] > 0
    oldest = stage.tail("gone", "--start", "oldest").finish()
    assert oldest.code == 0
    assert len(oldest.lines) + missed[0] == len(found(large))
    assert str(missed[0]) in oldest.err
    assert scanner.finish().code == 0


def test_reader_that_leaves_in_the_middle_ends_the_walk(stage, large):
    scanner = stage.scanner("--name", "headed", "--consumers", "1", "--linger", "1", *SMALL_POOL, large)
    result = stage.shell('"$PWALK" tail headed --timeout 10 | head -n 3').finish()
    assert (result.err, len(result.lines)) == ("", 3)
    assert scanner.finish().code == 3
    assert stage.leftovers() == []


def test_reader_that_leaves_after_the_walk_ends_it_well(stage, small):
    scanner = stage.scanner("--name", "headed", "--consumers", "1", small)
    result = stage.shell('"$PWALK" tail headed --timeout 10 | head -n 3').finish()
    assert (result.err, len(result.lines)) == ("", 3)
    assert scanner.finish().code == 0


def test_json_needs_nobody(stage, large):
    result = stage.scanner("--json", "--quiet", *SMALL_POOL, large).finish()
    assert result.code == 0
    assert result.err == ""
    summary = json.loads(result.out)
    assert summary["complete"] is True
    assert summary["entries"] == len(found(large))
    assert summary["files"] == MORE_THAN_SMALL_POOL
    assert summary["roots"] == [str(large)]
    assert set(summary["latency_us"]) == {"open", "getdents", "statx"}
    assert summary["per_root"][0]["complete"] is True


def test_first_signal_lets_readers_finish(stage, large):
    scanner = stage.scanner("--name", "stopped", "--consumers", "1", *SMALL_POOL, *UNHURRIED, large)
    reader = stage.tail("stopped", "--timeout", "10")
    assert wait_for(lambda: len(reader.out) > 0)
    reader.signal(signal.SIGSTOP)
    time.sleep(0.5)
    scanner.signal(signal.SIGTERM)
    time.sleep(1)
    assert scanner.running, "a reader is still at it"
    reader.signal(signal.SIGCONT)
    assert (scanner.finish().code, reader.finish().code) == (3, 3)
    assert "cut short" in reader.finish().err


def test_second_signal_ends_at_once(stage, large):
    """While a reader is stopped, and was before the walk began, so that it holds back what does not fit in the pool."""
    scanner = stage.scanner("--name", "stopped", "--consumers", "2", *SMALL_POOL, large)
    reader = stage.tail("stopped", "--timeout", "10")
    assert wait_for(lambda: any(scan["consumers"] for scan in json.loads(stage.pwalk("scans", "--json").out)))
    reader.signal(signal.SIGSTOP)
    other = stage.tail("stopped", "--timeout", "10")
    assert wait_for(lambda: len(other.out) > 0)
    time.sleep(0.3)
    scanner.signal(signal.SIGINT)
    time.sleep(0.5)
    scanner.signal(signal.SIGINT)
    began = time.monotonic()
    assert scanner.finish().code == 3
    assert time.monotonic() - began < 2
    reader.signal(signal.SIGCONT)
    assert (reader.finish().code, other.finish().code) == (3, 3)


def test_sigusr1_prints_progress(stage, small):
    scanner = stage.scanner("--name", "asked", small)
    assert scanner.says("walk ended")
    scanner.signal(signal.SIGUSR1)
    assert scanner.says("2.00k entries") or scanner.says("asked  draining", 1)
    assert scanner.running
