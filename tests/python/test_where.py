"""Selecting rows: the same as asking each entry in turn."""

from __future__ import annotations

import datetime
import grp
import os
import pwd
import time

import numpy as np
import pytest

import pwalk

NOW = 1_700_000_000


@pytest.fixture
def batch(tmp_path):
    for number in range(50):
        path = tmp_path / f"{number}{('.py', '.txt', '', '.tar.gz')[number % 4]}"
        path.write_bytes(bytes(number * 10))
        os.utime(path, (NOW, NOW + number))
    (tmp_path / "link.py").symlink_to("nowhere")
    with pwalk.scan(tmp_path, max_threads=1) as scan:
        batches = list(scan)
    assert len(batches) == 1
    return batches[0]


def asked_in_turn(batch, meets):
    return [row for row in range(len(batch)) if meets(row)]


def test_no_condition_is_every_row(batch):
    assert batch.where().tolist() == list(range(len(batch)))
    assert batch.where().dtype == np.intp


@pytest.mark.parametrize("suffix", [".py", b".py", (".py", ".gz"), [b""], ".none", ["x" * 300], []])
def test_suffix(batch, suffix):
    ends = [suffix] if isinstance(suffix, (str, bytes)) else suffix
    expected = asked_in_turn(batch, lambda row: any(batch["name"][row].endswith(os.fsencode(end)) for end in ends))
    assert batch.where(suffix=suffix).tolist() == expected


@pytest.mark.parametrize("bound", [0, 100, 101, 1 << 62, (1 << 64) - 1])
def test_size(batch, bound):
    assert batch.where(larger=bound).tolist() == asked_in_turn(batch, lambda row: int(batch["size"][row]) > bound)
    assert batch.where(smaller=bound).tolist() == asked_in_turn(batch, lambda row: int(batch["size"][row]) < bound)


@pytest.mark.parametrize("types", ["f", "l", "d", "fl", "s?"])
def test_type(batch, types):
    assert batch.where(type=types).tolist() == asked_in_turn(batch, lambda row: chr(batch["type"][row]) in types)


MOMENT = NOW + 20


@pytest.mark.parametrize("moment", [
    MOMENT * 10**9,
    float(MOMENT),
    datetime.datetime.fromtimestamp(MOMENT),
    datetime.datetime.fromtimestamp(MOMENT, datetime.timezone(datetime.timedelta(hours=5))),
    np.datetime64(MOMENT, "s"),
], ids=["ns", "seconds", "local", "aware", "datetime64"])
def test_times(batch, moment):
    older = batch.where(older=moment, type="f")
    newer = batch.where(newer=moment, type="f")
    assert (batch["mtime"][older] < MOMENT * 10**9).all() and len(older) == 20
    assert (batch["mtime"][newer] > MOMENT * 10**9).all() and len(newer) == 29


def test_timedelta_counts_back_from_now(batch):
    since = datetime.timedelta(seconds=time.time() - MOMENT)
    assert len(batch.where(older=since, type="f")) in (20, 21)


def test_owner_and_group(batch):
    uid, gid = os.geteuid(), int(batch["gid"][0])
    for owner in (uid, pwd.getpwuid(uid).pw_name):
        assert len(batch.where(owner=owner)) == len(batch)
    assert len(batch.where(owner=uid + 1)) == 0
    for group in (gid, grp.getgrgid(gid).gr_name):
        assert len(batch.where(group=group)) == len(batch)


def test_conditions_are_joined_by_and(batch):
    both = batch.where(suffix=".py", larger=100)
    assert both.tolist() == sorted(set(batch.where(suffix=".py").tolist()) & set(batch.where(larger=100).tolist()))
    assert len(both) > 0


@pytest.mark.parametrize("condition, error, allowed", [
    ({"larger": -1}, ValueError, "allowed is 0 to 18446744073709551615"),
    ({"smaller": 1 << 64}, ValueError, "allowed is 0 to 18446744073709551615"),
    ({"larger": "1G"}, TypeError, ""),
    ({"owner": -1}, ValueError, "allowed is 0 to 4294967295"),
    ({"owner": "no such user"}, KeyError, "no such user"),
    ({"type": "x"}, ValueError, "letters f d l b c p s"),
    ({"type": ""}, ValueError, "letters f d l b c p s"),
    ({"older": 1 << 63}, ValueError, "int64 nanoseconds"),
    ({"older": "yesterday"}, TypeError, ""),
    ({"suffix": [1]}, TypeError, ""),
    ({"bigger": 1}, TypeError, "bigger"),
])
def test_impossible_conditions_are_refused(batch, condition, error, allowed):
    with pytest.raises(error, match=allowed):
        batch.where(**condition)
