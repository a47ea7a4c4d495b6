"""EntryDataset: DataLoader's workers, forked and spawned, give each entry once."""

from __future__ import annotations

import collections
import os
import signal

import pytest

import pwalk
from conftest import WAIT, save_image

torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader, get_worker_info  # noqa: E402

from pwalk.torch import EntryDataset  # noqa: E402


@pytest.fixture(scope="module")
def large_image(wide_tree, tmp_path_factory):
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("PWALK_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime", numbered=True)))
    os.chmod(os.environ["PWALK_RUNTIME_DIR"], 0o700)
    yield save_image(tmp_path_factory.mktemp("image") / "wide.img", wide_tree, batch_size=1000)
    monkeypatch.undo()


@pytest.fixture(scope="module")
def everything(large_image):
    with pwalk.attach(large_image) as entries:
        return collections.Counter(path for batch in entries for path in batch.paths())


def paths_of(loader):
    return [path for batch in loader for path in batch["path"]]


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize("balance", ["rows", "bytes"])
def test_two_workers_give_each_entry_once(large_image, everything, start, balance):
    dataset = EntryDataset(large_image, columns=["path", "size"], balance=balance)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=start, timeout=60)
    assert collections.Counter(paths_of(loader)) == everything


def test_ranks_and_workers_share(large_image, everything):
    seen = collections.Counter()
    for rank in range(3):
        dataset = EntryDataset(large_image, columns=["path"], rank=rank, world=3)
        part = paths_of(DataLoader(dataset, batch_size=None, num_workers=2, timeout=60))
        assert part
        seen.update(part)
    assert seen == everything


def test_columns_are_tensors_and_lists(image):
    (batch,) = DataLoader(EntryDataset(image, columns=["name", "directory", "size", "mode", "type", "mtime"]), batch_size=None)
    with pwalk.attach(image) as entries:
        expected = next(entries)
    assert batch["name"] == expected["name"].tolist() and batch["directory"] == expected["directory"].tolist()
    for name, kind in (("size", torch.int64), ("mode", torch.int64), ("type", torch.uint8), ("mtime", torch.int64)):
        assert batch[name].dtype == kind and batch[name].tolist() == expected[name].tolist()
        batch[name][0] = 0  # the caller's own


def test_to_torch(image):
    with pwalk.attach(image) as entries:
        batch = next(entries)
        for name in ("size", "mode", "type", "mtime", "device"):
            copied, shared = batch[name].to_torch(), batch[name].to_torch(copy=False)
            assert copied.tolist() == shared.tolist() == batch[name].tolist()
            assert shared.data_ptr() == batch[name].__array_interface__["data"][0] != copied.data_ptr()


def test_the_same_seed_and_epoch_give_the_same_order(large_image, everything):
    def order(epoch, seed=1, window=5000):
        dataset = EntryDataset(large_image, columns=["path"], seed=seed, shuffle_window=window)
        dataset.set_epoch(epoch)
        return paths_of(dataset)

    first = order(0)
    assert first == order(0) and first != order(1) and first != order(0, seed=2) and first != order(0, window=0)
    assert collections.Counter(first) == collections.Counter(order(1)) == everything
    ordered = order(0, window=0)
    place = {path: number for number, path in enumerate(ordered)}
    assert max(abs(place[path] - number) for number, path in enumerate(first)) < 5000 + 1000  # a window and the batch that fills it


def test_persistent_workers_hear_of_the_epoch(large_image, everything):
    dataset = EntryDataset(large_image, columns=["path"], shuffle_window=5000)
    loader = DataLoader(dataset, batch_size=None, num_workers=1, persistent_workers=True, timeout=60)
    first = paths_of(loader)
    dataset.set_epoch(1)
    second = paths_of(loader)
    assert first != second and collections.Counter(first) == collections.Counter(second) == everything


def test_bytes_are_balanced(tmp_path):
    root = tmp_path / "uneven"
    for directory in range(20):
        (root / f"d{directory}").mkdir(parents=True)
        for file in range(20):
            with open(root / f"d{directory}" / f"f{file}", "wb") as handle:
                handle.truncate((1 << 20) * (1 + 10 * (directory % 5 == 0)))
    image = save_image(tmp_path / "uneven.img", root, batch_size=20, max_threads=1)
    sums = []
    for rank in range(2):
        dataset = EntryDataset(image, columns=["size", "type"], rank=rank, world=2, balance="bytes")
        sums.append(sum(int(batch["size"][batch["type"] == ord("f")].sum()) for batch in dataset))
    assert sum(sums) == 20 * (4 * 11 + 16) * (1 << 20)
    assert max(sums) - min(sums) <= 20 * 11 * (1 << 20)


class Killed(EntryDataset):
    def __iter__(self):
        if get_worker_info().id == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__iter__()


def test_a_killed_worker_makes_the_loader_raise(large_image):
    with pytest.raises(RuntimeError, match="killed|exited unexpectedly"):
        paths_of(DataLoader(Killed(large_image, columns=["path"]), batch_size=None, num_workers=2, timeout=60))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_two_workers_share_a_scan_that_runs(wide_tree, everything, start_scanner, start):
    """In a pool that is smaller than the stream."""
    scanner = start_scanner("--name=live", "--consumers=2", "--ring-size=2M", "--quiet", wide_tree)
    dataset = EntryDataset("live", columns=["path"], group="loaders", timeout=WAIT)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=start, timeout=WAIT)
    assert collections.Counter(paths_of(loader)) == everything
    assert scanner.wait(WAIT) == 0


def test_a_scan_that_runs(wide_tree, tree):
    with pwalk.scan(tree, name="live", consumers=2) as scan:
        dataset = EntryDataset("live", columns=["path"])
        reading = iter(dataset)
        assert next(reading)["path"]
        reading.close()
    with pwalk.scan(wide_tree, name="shared"):
        with pytest.raises(ValueError, match="group"):
            next(iter(EntryDataset("shared", world=2)))


def test_impossible_arguments(image):
    for wrong in ({"columns": "size"}, {"columns": []}, {"rank": 2, "world": 2}, {"balance": "files"}, {"shuffle_window": -1}):
        with pytest.raises(ValueError, match="allowed"):
            EntryDataset(image, **wrong)
    with pytest.raises(KeyError, match="no column 'sise'"):
        next(iter(EntryDataset(image, columns=["sise"])))
