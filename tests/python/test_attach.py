"""Finding a scan, sharing it, and how its stream begins and ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest

import pwalk
from conftest import WAIT, WIDE_TREE_ROWS
from pwalk.scanner_process import find_scanner


def test_by_name_by_root_and_as_the_only_one(tree, start_scanner):
    start_scanner("--name", "home", "--consumers", "4", tree)
    ways = ["home", str(tree), tree, None]
    consumers = [pwalk.attach("home", timeout=WAIT)] + [pwalk.attach(way) for way in ways[1:]]
    for consumer in consumers:
        with consumer:
            assert consumer.name == "home"
            assert sum(map(len, consumer)) == 5
            assert consumer.complete


def test_consumers_attached_together_see_the_same(wide_tree, start_scanner):
    scanner = start_scanner("--name", "wide", "--consumers", "3", wide_tree)
    results = []

    def read():
        with pwalk.attach("wide", timeout=WAIT, verify=True) as consumer:
            paths = sorted(path for batch in consumer for path in batch.paths())
        results.append((paths, consumer.stats.content_hash, consumer.stats.file_bytes, consumer.complete))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3 and results[0] == results[1] == results[2]
    assert len(results[0][0]) == len(set(results[0][0])) == WIDE_TREE_ROWS and results[0][3]
    assert scanner.wait(WAIT) == 0


def test_one_after_the_other(tree, start_scanner):
    scanner = start_scanner("--name", "home", "--consumers", "1", "--linger", str(WAIT), tree)
    for _ in range(2):
        with pwalk.attach("home", timeout=WAIT) as consumer:
            assert sum(map(len, consumer)) == 5 and consumer.complete
    scanner.send_signal(signal.SIGTERM)
    scanner.wait(WAIT)


def test_no_such_scan_names_those_there_are(tree, start_scanner):
    start_scanner("--name", "home", "--consumers", "2", tree)
    with pwalk.attach("home", timeout=WAIT):
        with pytest.raises(FileNotFoundError, match="home") as caught:
            pwalk.attach("hom")
    assert caught.value.errno == 2 and caught.value.filename == "hom"


def test_no_scan_at_all():
    with pytest.raises(FileNotFoundError):
        pwalk.attach()


def test_scan_that_does_not_appear_in_time():
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        pwalk.attach("home", timeout=0.3)
    assert time.monotonic() - before > 0.2


def test_several_scans_and_none_named(tree):
    with pwalk.scan(tree, name="one"), pwalk.scan(tree, name="two"):
        with pytest.raises(ValueError, match="one.*two"):
            pwalk.attach()


@pytest.mark.parametrize("arguments, error, told", [
    ({"start": "last"}, ValueError, "allowed are first, oldest, now"),
    ({"timeout": -1}, ValueError, "number of seconds"),
    ({"timeout": float("nan")}, ValueError, "number of seconds"),
    ({"timeout": "1"}, TypeError, ""),
    ({"scan": ""}, ValueError, "allowed are a name"),
    ({"scan": 3}, TypeError, ""),
    ({"scan": "a\0b"}, ValueError, ""),
])
def test_impossible_arguments_are_refused(arguments, error, told):
    with pytest.raises(error, match=told):
        pwalk.attach(**{"scan": "home", **arguments})


def test_scanner_killed_after_everything_published_was_read(wide_tree, start_scanner):
    scanner = start_scanner("--name", "wide", "--consumers", "1", "--ring-size", "2M", wide_tree)
    consumer = pwalk.attach("wide", timeout=WAIT)
    rows = len(next(consumer))
    scanner.kill()
    scanner.wait()
    with pytest.raises(pwalk.ScannerDied, match="wide"):
        for batch in consumer:
            rows += len(batch)
    assert 0 < rows < WIDE_TREE_ROWS and rows == consumer.stats.rows
    assert not consumer.complete
    with pytest.raises(pwalk.ScannerDied):
        next(consumer)
    consumer.close()


def test_scanner_that_is_stopped_cuts_the_stream_short(wide_tree, start_scanner):
    scanner = start_scanner("--name", "wide", "--consumers", "1", "--ring-size", "2M", wide_tree)
    with pwalk.attach("wide", timeout=WAIT) as consumer:
        rows = len(next(consumer))
        scanner.send_signal(signal.SIGTERM)
        rows += sum(map(len, consumer))
        assert not consumer.complete and 0 < rows < WIDE_TREE_ROWS
    assert scanner.wait(WAIT) == 3


def read_past_the_pool(name):
    """Attaches and reads until the pool must have been used again for what came later."""
    consumer = pwalk.attach(name, timeout=WAIT)
    while consumer.stats.rows < WIDE_TREE_ROWS * 3 // 4:
        next(consumer)
    return consumer


def test_newcomer_that_missed_the_beginning(wide_tree, start_scanner):
    start_scanner("--name", "wide", "--consumers", "1", "--ring-size", "2M", wide_tree)
    with read_past_the_pool("wide") as first:
        with pytest.raises(pwalk.MissedEntries) as caught:
            pwalk.attach("wide")
        assert 0 < caught.value.count < WIDE_TREE_ROWS
        with pwalk.attach("wide", start="oldest") as late:
            missed = late.stats.missed_rows
            assert missed > 0
            drained = threading.Thread(target=lambda: [None for _ in first])
            drained.start()
            assert missed + sum(map(len, late)) == WIDE_TREE_ROWS
            drained.join()
            assert late.complete and first.complete


def test_start_now_passes_over_what_is_there(wide_tree, start_scanner):
    start_scanner("--name", "wide", "--consumers", "1", "--ring-size", "2M", wide_tree)
    with read_past_the_pool("wide") as first, pwalk.attach("wide", start="now") as late:
        drained = threading.Thread(target=lambda: [None for _ in first])
        drained.start()
        assert sum(map(len, late)) + late.stats.missed_rows == WIDE_TREE_ROWS
        drained.join()


def test_label_is_what_others_see(tree):
    program = os.path.join(os.path.dirname(find_scanner()), "pwalk")
    with pwalk.scan(tree, name="home", consumers=2):
        with pwalk.attach("home", label="a-label-of-its-own"):
            told = subprocess.run([program, "scans"], capture_output=True, text=True, timeout=WAIT)
    assert told.returncode == 0 and "home" in told.stdout


def test_close_is_final_and_may_be_repeated(tree):
    with pwalk.scan(tree) as scan:
        consumer = pwalk.attach(scan.name)
        consumer.close()
        consumer.close()
        assert consumer.closed and "closed" in repr(consumer)
        with pytest.raises(ValueError, match="closed"):
            next(consumer)


def test_subclass(tree):
    class Counting(pwalk.Consumer):
        rows = 0

        def __next__(self):
            batch = super().__next__()
            self.rows += len(batch)
            return batch

    with pwalk.scan(tree) as scan:
        with Counting(pwalk.attach(scan.name)._handle) as counting:
            for _ in counting:
                pass
    assert counting.rows == 5


SPAWNED = """
import multiprocessing, sys, pwalk

def count(consumer):
    with consumer:
        return sum(map(len, consumer)), consumer.complete

if __name__ == "__main__":
    with pwalk.attach(sys.argv[1], timeout=60) as consumer:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            counting = pool.apply_async(count, [consumer])
            print(*count(consumer), *counting.get(60))
"""


def test_unpickled_in_a_spawned_worker_it_attaches_again(tree, start_scanner, tmp_path):
    start_scanner("--name", "home", "--consumers", "2", tree)
    program = tmp_path / "program.py"
    program.write_text(SPAWNED)
    done = subprocess.run([sys.executable, program, "home"], capture_output=True, text=True, timeout=WAIT)
    assert done.stdout.split() == ["5", "True", "5", "True"], done.stderr


def test_an_evicted_consumer_keeps_what_it_took_and_sees_nothing_else(wide_tree, start_scanner):
    start_scanner("--name", "evicting", "--consumers", "2", "--ring-size", "2M", "--huge-pages", "off",
                  "--on-slow", "evict", "--evict-after", "0.5", wide_tree)
    slow = pwalk.attach("evicting", timeout=WAIT)
    with pwalk.attach("evicting", timeout=WAIT) as reader:
        batch = slow.read(WAIT)
        view, before = batch["inode"], batch["inode"].copy()
        assert slow.in_pool(view)
        assert sum(len(each) for each in reader) == WIDE_TREE_ROWS
        assert reader.complete
    assert (view == before).all()
    with pytest.raises(pwalk.Evicted, match="'evicting' went on without this consumer"):
        slow.read(WAIT)
    assert not slow.complete
    assert slow.stats.rows == len(before)
    assert (view == before).all()


MEMBER = """
import os, sys, pwalk
with pwalk.attach("shared", timeout=60, group="loaders") as member:
    for batch in member:
        for path in batch.paths():
            print(int(batch.redelivered), os.fsdecode(path))
        if sys.argv[1] == "dies":
            sys.stdout.flush()
            os.kill(os.getpid(), 9)
    assert member.complete
"""


def members(count, *fates):
    """Processes that read as members of a group, and the files they print to."""
    fates = (*fates, *("reads" for _ in range(count - len(fates))))
    # Into files: a member that waits for its pipe to be read would keep its batch from the others.
    outputs = [tempfile.TemporaryFile("w+") for _ in fates]
    return [(subprocess.Popen([sys.executable, "-c", MEMBER, fate], stdout=output), output)
            for fate, output in zip(fates, outputs)]


def lines_of(processes):
    lines = []
    for process, output in processes:
        process.wait(WAIT)
        output.seek(0)
        lines += [tuple(line.split(" ", 1)) for line in output.read().splitlines()]
        output.close()
    return lines


def test_a_group_shares_a_scan_that_others_read_whole(wide_tree, start_scanner):
    start_scanner("--name", "shared", "--consumers", "4", "--ring-size", "8M", wide_tree)
    started = members(3)
    with pwalk.attach("shared", timeout=WAIT) as whole:
        paths = sorted(os.fsdecode(path) for batch in whole for path in batch.paths())
    lines = lines_of(started)
    assert sorted(path for _, path in lines) == paths
    assert {mark for mark, _ in lines} == {"0"}


def test_what_a_member_had_when_it_died_comes_again_marked(wide_tree, start_scanner):
    start_scanner("--name", "shared", "--consumers", "3", "--ring-size", "8M", wide_tree)
    dead, *alive = members(3, "dies")
    before, after = lines_of([dead]), lines_of(alive)
    assert dead[0].returncode == -9
    assert len(after) == len({path for _, path in after}) == WIDE_TREE_ROWS
    assert {path for mark, path in after if mark == "1"} == {path for _, path in before} != set()


def test_a_lone_member_keeps_everything_and_sees_the_end(wide_tree, start_scanner):
    start_scanner("--name", "shared", "--consumers", "1", "--ring-size", "64M", "--huge-pages", "off", wide_tree)
    with pwalk.attach("shared", timeout=WAIT, group="hoarders") as member:
        assert sum(map(len, list(member))) == WIDE_TREE_ROWS
        assert member.complete and member.stats.redelivered == 0


def test_a_member_that_keeps_more_than_the_pool_is_told_so_and_can_go_on(wide_tree, start_scanner):
    start_scanner("--name", "shared", "--consumers", "1", "--ring-size", "2M", "--huge-pages", "off", "--group-lease", "1", wide_tree)
    with pwalk.attach("shared", timeout=WAIT, group="hoarders") as member:
        kept = []
        with pytest.raises(OSError, match="drop some first, or give the scan a larger --ring-size") as told:
            for batch in member:
                kept.append(batch)
        assert told.value.errno == errno.EDEADLK
        rows = sum(map(len, kept))
        assert 0 < rows < WIDE_TREE_ROWS
        del batch
        kept.clear()
        assert rows + sum(len(batch) for batch in member) == WIDE_TREE_ROWS
        assert member.complete and member.stats.redelivered == 0


def test_ranks_of_a_running_scan_share_it(wide_tree, start_scanner):
    start_scanner("--name", "dealt", "--consumers", "3", "--ring-size", "64M", wide_tree)
    parts = [pwalk.attach("dealt", timeout=WAIT, rank=rank, world=3) for rank in range(3)]
    rows = [sum(map(len, part)) for part in parts]
    assert sum(rows) == WIDE_TREE_ROWS and all(rows)
    assert all(part.complete for part in parts)


def test_a_group_that_cannot_be_is_refused(tree, start_scanner):
    start_scanner("--name", "shared", tree)
    pwalk.attach("shared", timeout=WAIT).close()
    for wrong in ({"group": ""}, {"group": "g" * 64}, {"group": "a\0b"}, {"group": "g", "rank": 0, "world": 2}):
        with pytest.raises(ValueError):
            pwalk.attach("shared", timeout=1, **wrong)
