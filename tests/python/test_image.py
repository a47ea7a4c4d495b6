"""An image read as if it were a scan."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import pwalk
from conftest import WIDE_TREE_ROWS, save_image


@pytest.fixture(scope="module")
def wide_image(wide_tree, tmp_path_factory):
    return save_image(tmp_path_factory.mktemp("images") / "wide.img", wide_tree)


def read_paths(consumer):
    return [path for batch in consumer for path in batch.paths()]


def test_an_image_is_a_stream(wide_image, wide_tree):
    with pwalk.attach(wide_image, verify=True) as consumer:
        batch = next(consumer)
        assert consumer.from_image and consumer.in_pool(batch["size"]) and not batch["size"].flags.writeable
        paths = batch.paths() + read_paths(consumer)
        assert consumer.complete and consumer.stats.rows == WIDE_TREE_ROWS == len(set(paths))
        assert consumer.stats.content_hash != 0
    assert len(np.unique(batch["inode"])) == len(batch), "views outlive the consumer"


def test_ranks_share_it(wide_image):
    shares = []
    for rank in range(3):
        with pwalk.attach(wide_image, rank=rank, world=3, columns=["size", "path"]) as consumer:
            for batch in consumer:
                assert "size" in batch.columns and "mtime" not in batch.columns
                shares += batch.paths()
            assert consumer.complete
    assert len(shares) == len(set(shares)) == WIDE_TREE_ROWS


def test_pickled_it_is_the_same_share_of_the_same_file(wide_image):
    with pwalk.attach(wide_image, rank=1, world=2, columns=["size"]) as consumer:
        again = pickle.loads(pickle.dumps(consumer))
        with again:
            first = next(again)
            assert first.paths() == next(consumer).paths() and "mtime" not in first.columns


def test_what_cannot_be_asked(wide_image, tmp_path):
    with pytest.raises(ValueError, match="rank 2 of world 2"):
        pwalk.attach(wide_image, rank=2, world=2)
    with pytest.raises(ValueError, match="no column 'sise'"):
        pwalk.attach(wide_image, columns=["sise"])
    damaged = tmp_path / "damaged.img"
    damaged.write_bytes(wide_image.read_bytes()[:-100])
    with pytest.raises(pwalk.ProtocolError, match="damaged.img"):
        pwalk.attach(damaged)
    with pytest.raises(FileNotFoundError):
        pwalk.attach(tmp_path / "no.img")
