"""The scanner's memory is bounded by its pool, not by the tree."""

import json

import pytest

from stage import Stage, make_files

LARGE = 1_000_000
POOL = ("--ring-size", "64M")


@pytest.fixture
def stage():
    place = Stage(LARGE)
    try:
        yield place
    finally:
        place.close()


def peak(stage, entries: int) -> int:
    tree = stage.base / f"tree-{entries}"
    tree.mkdir()
    make_files(tree, entries)
    scanner = stage.scanner("--name", "measured", "--consumers", "1", "--json", "--quiet", *POOL, tree)
    reader = stage.tail("measured", "--timeout", "30", "--format", "null")
    result = scanner.finish(300)
    assert (result.code, reader.finish().code) == (0, 0)
    summary = json.loads(result.out)
    assert summary["files"] == entries
    assert reader.out.count(b"\0") == summary["entries"]
    return summary["peak_memory_bytes"]


def test_a_hundred_times_the_tree_takes_no_more_memory(stage):
    small, large = peak(stage, 10_000), peak(stage, LARGE)
    assert abs(large - small) <= 0.1 * small, f"{small} bytes for 10,000 entries, {large} for 1,000,000"
