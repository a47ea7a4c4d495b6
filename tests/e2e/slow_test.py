"""Consumers that hold back a full pool: named, waited for, or evicted."""

import json
import signal

import pytest

from stage import UNHURRIED, found, make_files, wait_for

SMALL_POOL = ("--ring-size", "2M", "--huge-pages", "off")
MORE_THAN_SMALL_POOL = 50_000


@pytest.fixture
def large(stage):
    make_files(stage.tree, MORE_THAN_SMALL_POOL)
    return stage.tree


def start_with_a_stopped_reader(stage, large, *options):
    """A scanner, and a `pwalk tail` that is stopped before the walk begins."""
    scanner = stage.scanner("--name", "held", "--consumers", "2", *SMALL_POOL, *options, large)
    stopped = stage.tail("held", "--timeout", "30")
    assert wait_for(lambda: len(consumers(stage)) == 1)
    stopped.signal(signal.SIGSTOP)
    return scanner, stopped


def consumers(stage):
    """Those from outside: the image's builder is one, too."""
    scans = json.loads(stage.pwalk("scans", "--json").out)
    return [consumer for consumer in (scans[0]["consumers"] if scans else []) if consumer["label"] != "image"]


def test_who_holds_the_scan_back_is_named_and_waited_for(stage, large):
    scanner, stopped = start_with_a_stopped_reader(stage, large, "--json")
    reader = stage.tail("held", "--timeout", "30")
    assert scanner.says(f"pool full: pwalk tail (pid {stopped.process.pid}, pwalk) holds back the scan for ")
    held = [consumer for consumer in consumers(stage) if consumer["holding_back"]]
    assert [(consumer["pid"], consumer["command"]) for consumer in held] == [(stopped.process.pid, "pwalk")]
    assert held[0]["holding_back_seconds"] > 1
    assert b"(pid " in stage.pwalk("scans").out
    stopped.signal(signal.SIGCONT)
    result = scanner.finish()
    assert (result.code, stopped.finish().code, reader.finish().code) == (0, 0, 0)
    slow = json.loads(result.out)["slow_consumers"]
    assert [(one["pid"], one["evicted"]) for one in slow] == [(stopped.process.pid, False)]
    assert slow[0]["seconds"] > 1


def test_one_that_is_stopped_is_evicted_and_the_others_lose_nothing(stage, large):
    scanner, stopped = start_with_a_stopped_reader(stage, large, "--json", "--on-slow", "evict", "--evict-after", "1")
    reader = stage.tail("held", "--timeout", "30")
    result, got = scanner.finish(), reader.finish()
    assert (result.code, got.code) == (0, 0)
    assert sorted(got.lines) == sorted(found(large))
    assert f"evicted pwalk tail (pid {stopped.process.pid}, pwalk), which held back the scan for " in result.err
    slow = json.loads(result.out)["slow_consumers"]
    assert [(one["pid"], one["evicted"]) for one in slow] == [(stopped.process.pid, True)]
    stopped.signal(signal.SIGCONT)
    evicted = stopped.finish()
    assert evicted.code == 3
    assert evicted.err == (
        "pwalk tail: evicted: the scan 'held' went on without this consumer, which was too slow\n"
    )
    assert stage.leftovers() == []


def test_one_that_creeps_is_evicted_and_one_that_reads_is_not(stage, large):
    scanner = stage.scanner("--name", "held", "--consumers", "2", *SMALL_POOL, "--on-slow", "evict",
                            "--evict-after", "1", large)
    creeping = stage.shell("$PWALK tail held --timeout 30 --format null | "
                           "while read -r -d '' line; do sleep 0.01; done")
    reader = stage.tail("held", "--timeout", "30")
    result, got = scanner.finish(), reader.finish()
    assert (result.code, got.code) == (0, 0)
    assert sorted(got.lines) == sorted(found(large))
    assert result.err.count("evicted pwalk tail") == 1
    creeping.destroy()


def test_tails_of_a_group_share_what_a_tail_without_one_reads_whole(stage, large):
    scanner = stage.scanner("--name", "shared", "--consumers", "3", "--json", *SMALL_POOL, large)
    members = [stage.tail("shared", "--timeout", "30", "--group", "loaders") for _ in range(2)]
    whole = stage.tail("shared", "--timeout", "30").finish()
    shared = [member.finish() for member in members]
    result = scanner.finish()
    assert [result.code, whole.code, *(one.code for one in shared)] == [0, 0, 0, 0]
    assert sorted(shared[0].lines + shared[1].lines) == sorted(whole.lines) == sorted(found(large))
    group = json.loads(result.out)["groups"][0]
    assert (group["name"], group["redeliveries"], group["poisoned_batches"]) == ("loaders", 0, 0)


def test_a_killed_tail_of_a_group_loses_nothing(stage, large):
    scanner = stage.scanner("--name", "shared", "--consumers", "2", "--ring-size", "8M", large)
    doomed = stage.tail("shared", "--timeout", "30", "--group", "loaders")
    assert wait_for(lambda: len(consumers(stage)) == 1)
    doomed.signal(signal.SIGSTOP)
    member = stage.tail("shared", "--timeout", "30", "--group", "loaders")
    assert wait_for(lambda: len(consumers(stage)) == 2 or not scanner.running)
    doomed.signal(signal.SIGKILL)
    got = member.finish()
    assert (scanner.finish().code, got.code) == (0, 0)
    assert set(got.lines) | set(doomed.finish().lines) == set(found(large))


def test_one_that_is_stopped_reads_on_in_the_image(stage, large):
    image = stage.base / "held.img"
    scanner, stopped = start_with_a_stopped_reader(stage, large, "--save", image)
    reader = stage.tail("held", "--timeout", "30")
    result, got = scanner.finish(), reader.finish()
    assert (result.code, got.code) == (0, 0)
    assert "reads on in the image" in result.err
    stopped.signal(signal.SIGCONT)
    late = stopped.finish()
    assert (late.code, late.err) == (0, "")
    assert sorted(late.lines) == sorted(found(large)) == sorted(got.lines)


def test_one_that_creeps_holds_nobody_back_and_loses_nothing(stage, large):
    image = stage.base / "held.img"
    scanner = stage.scanner("--name", "held", "--consumers", "1", *SMALL_POOL, "--save", image, large)
    creeping = stage.shell("$PWALK tail held --timeout 30 | (sleep 2; cat)")
    assert scanner.finish().code == 0
    late = creeping.finish()
    assert late.code == 0 and sorted(late.lines) == sorted(found(large))


def test_who_comes_late_is_served_from_the_image(stage, large):
    scanner = stage.scanner("--name", "held", "--consumers", "1", *SMALL_POOL, "--save", stage.base / "held.img",
                            "--on-slow", "wait", *UNHURRIED, large)
    stopped = stage.tail("held", "--timeout", "30")
    assert wait_for(lambda: consumers(stage))
    stopped.signal(signal.SIGSTOP)
    assert scanner.says("holds back the scan for ")
    late = [stage.tail("held"), stage.tail("held", "--format", "null")]
    assert wait_for(lambda: all(program.out for program in late))  # they are there before the scan may end
    stopped.signal(signal.SIGCONT)
    results = [program.finish() for program in (*late, stopped)]
    assert [result.code for result in (scanner.finish(), *results)] == [0, 0, 0, 0]
    assert sorted(results[0].lines) == sorted(found(large)) == sorted(results[1].out.split(b"\0")[:-1])


def test_on_slow_image_needs_an_image(stage):
    result = stage.scanner("--on-slow", "image", stage.tree).finish()
    assert result.code == 2 and len(result.err.splitlines()) == 1 and "--keep or --save" in result.err
