"""Event loops and select: nothing blocks, nothing is lost, everything ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading

import pytest

import pwalk
from conftest import WAIT, WIDE_TREE_ROWS


@pytest.fixture
def silent(tree, start_scanner):
    """A scan whose next batch never comes: it waits for a second consumer."""
    start_scanner("--name", "silent", "--consumers", "2", tree)
    with pwalk.attach("silent", timeout=WAIT) as consumer:
        yield consumer


def descriptors():
    return set(os.listdir("/proc/self/fd"))


def test_async_for_reads_everything(wide_tree):
    async def read(scan):
        return sum([len(batch) async for batch in scan])

    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        assert asyncio.run(read(scan)) == WIDE_TREE_ROWS and scan.complete


def test_two_scans_in_one_loop(wide_tree, tree):
    async def read(scan):
        return sum([len(batch) async for batch in scan])

    async def both(one, other):
        return await asyncio.gather(read(one), read(other))

    with pwalk.scan(wide_tree) as one, pwalk.scan(tree) as other:
        assert asyncio.run(both(one, other)) == [WIDE_TREE_ROWS, 5]


def test_two_tasks_share_one_consumer(wide_tree):
    async def read(scan):
        return sum([len(batch) async for batch in scan])

    async def both(scan):
        return await asyncio.gather(read(scan), read(scan))

    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        assert sum(asyncio.run(both(scan))) == WIDE_TREE_ROWS


def test_the_loop_runs_during_a_wait(silent):
    async def count():
        ticks = 0
        waiting = asyncio.ensure_future(silent.__anext__())
        while ticks < 100:
            await asyncio.sleep(0.001)
            ticks += 1
        assert not waiting.done()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        return ticks

    before = None
    for _ in range(2):
        assert asyncio.run(count()) == 100
        before, after = after if before else descriptors(), descriptors()
    assert before == after


def test_cancelling_loses_nothing(wide_tree):
    async def read(scan):
        rows = 0
        while True:
            waiting = asyncio.ensure_future(scan.__anext__())
            await asyncio.sleep(0)
            waiting.cancel()
            try:
                rows += len(await waiting)
            except asyncio.CancelledError:
                pass
            except StopAsyncIteration:
                return rows
            try:
                rows += len(await scan.__anext__())
            except StopAsyncIteration:
                return rows

    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        assert asyncio.run(read(scan)) == WIDE_TREE_ROWS


def test_descriptor_is_readable_when_read_would_not_wait(tree):
    with pwalk.scan(tree) as scan:
        rows = 0
        while True:
            ready, _, _ = select.select([scan], [], [], WAIT)
            assert ready == [scan]
            batch = scan.read(timeout=0)
            if batch is None:
                break
            rows += len(batch)
        assert rows == 5 and scan.complete
        assert select.select([scan], [], [], 0)[0] == [scan]  # the end is there for good
        assert scan.fileno() == scan.fileno()


def test_descriptor_is_not_readable_before(silent):
    assert select.select([silent], [], [], 0.3)[0] == []
    with pytest.raises(TimeoutError):
        silent.read(timeout=0.01)


def test_close_ends_a_select_of_another_thread(silent):
    descriptor = silent.fileno()
    threading.Timer(0.2, silent.close).start()
    assert select.select([descriptor], [], [], WAIT)[0] == [descriptor]
    with pytest.raises(ValueError, match="closed"):
        silent.read()
    with pytest.raises(ValueError, match="closed"):
        silent.fileno()


def test_reading_ahead_mixes_with_plain_iteration(wide_tree):
    with pwalk.scan(wide_tree, ring_size="2M") as scan:
        rows = len(next(scan))
        scan.fileno()
        rows += sum(map(len, scan))
        assert rows == WIDE_TREE_ROWS == scan.stats.rows and scan.complete


def test_a_scanner_that_dies_is_told_after_the_last_batch(wide_tree, start_scanner):
    scanner = start_scanner("--name", "wide", "--consumers", "1", "--ring-size", "2M", wide_tree)

    async def read(consumer):
        rows = 0
        async for batch in consumer:
            if not rows:
                scanner.kill()
                scanner.wait()
            rows += len(batch)

    with pwalk.attach("wide", timeout=WAIT) as consumer:
        with pytest.raises(pwalk.ScannerDied):
            asyncio.run(read(consumer))


FORKED = """
import os, sys, pwalk
scan = pwalk.scan(sys.argv[1])
scan.fileno()
child = os.fork()
if child == 0:
    try:
        scan.fileno()
    except pwalk.PwalkError:
        pass
    del scan
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print(sum(map(len, scan)))
"""


def test_a_forked_child_of_a_reader_ahead_is_harmless(tree, run_python):
    ended = run_python(FORKED, tree)
    assert ended.returncode == 0 and ended.stdout.strip() == "5", ended.stderr


def test_interpreter_ends_while_reading_ahead(tree, start_scanner, run_python):
    start_scanner("--name", "silent", "--consumers", "2", tree)
    ended = run_python("import pwalk\nconsumer = pwalk.attach('silent', timeout=60)\nconsumer.fileno()")
    assert ended.returncode == 0 and ended.stderr == ""


def test_walker_yields_every_entry(tree):
    async def walk(root):
        return sorted([entry.path async for entry in pwalk.AsyncWalker(pwalk.Config(exclude="*.bin")).walk(root)])

    expected = sorted(str(path) for path in [tree, *tree.rglob("*")] if path.suffix != ".bin")
    assert asyncio.run(walk(tree)) == expected
    assert asyncio.run(walk(os.fsencode(tree))) == [os.fsencode(path) for path in expected]


def test_walker_yields_while_the_scan_runs_and_ends_it_when_left(wide_tree):
    async def first_of(walker):
        async with contextlib.aclosing(walker.walk(wide_tree, name="left", ring_size="2M")) as entries:
            async for entry in entries:
                running = pwalk.attach("left", start="oldest")
                running.close()
                return entry.path

    assert asyncio.run(first_of(pwalk.AsyncWalker())).startswith(str(wide_tree))
    with pytest.raises(FileNotFoundError):
        pwalk.attach("left", start="oldest")


def test_cancelling_a_walk_ends_its_scan(wide_tree):
    async def walk():
        async for _ in pwalk.AsyncWalker().walk(wide_tree, name="cancelled", ring_size="2M"):
            await asyncio.sleep(3600)

    async def cancelled():
        task = asyncio.ensure_future(walk())
        while True:
            await asyncio.sleep(0.01)
            with contextlib.suppress(FileNotFoundError, pwalk.MissedEntries):
                pwalk.attach("cancelled").close()
                break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    with pytest.raises(FileNotFoundError):
        pwalk.attach("cancelled", start="oldest")


def test_walker_tells_what_cannot_be_walked(tmp_path):
    async def walk():
        return [entry async for entry in pwalk.AsyncWalker().walk(tmp_path / "nowhere")]

    with pytest.raises(FileNotFoundError):
        asyncio.run(walk())
