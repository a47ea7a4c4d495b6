"""Entries one by one: what os.scandir would have said, without asking again."""

from __future__ import annotations

import os
import stat

import pytest

import pwalk


@pytest.fixture
def odd(tmp_path):
    """A root with a file, a directory, a FIFO, and links to a file, to a directory, to nothing."""
    root = tmp_path / "odd"
    (root / "directory").mkdir(parents=True)
    (root / "file").write_bytes(b"content")
    os.utime(root / "file", ns=(1_234_567_890_123_456_789, -987_654_321))
    os.mkfifo(root / "fifo")
    for name, target in (("to-file", "file"), ("to-directory", "directory"), ("to-nothing", "nothing")):
        (root / name).symlink_to(target)
    return root


def entries_of(root, **options):
    with pwalk.scan(root, **options) as scan:
        return {entry.name: entry for batch in scan for entry in batch.entries()}


def test_kinds_are_those_of_scandir(odd):
    entries = entries_of(odd)
    for expected in os.scandir(odd):
        entry = entries[expected.name]
        assert entry.path == expected.path == os.fspath(entry) and entry.inode() == expected.inode()
        assert entry.is_symlink() == expected.is_symlink()
        for follow in (False, True):
            assert entry.is_dir(follow_symlinks=follow) == expected.is_dir(follow_symlinks=follow), (entry, follow)
            assert entry.is_file(follow_symlinks=follow) == expected.is_file(follow_symlinks=follow), (entry, follow)


FIELDS = [name for name in dir(os.stat_result) if name.startswith("st_")]


def test_status_has_every_field_of_lstat(odd):
    for name, entry in entries_of(odd).items():
        if name in ("odd", "directory", "file"):  # looking at a link or a directory changes its atime
            fields = [field for field in FIELDS if "blksize" not in field and not field.startswith("st_atime")]
            found, expected = entry.stat(follow_symlinks=False), os.lstat(entry.path)
            assert {field: getattr(found, field) for field in fields} == {field: getattr(expected, field) for field in fields}
            assert found.st_blksize is None
    file = entries_of(odd)["file"].stat()
    assert file.st_atime_ns == 1_234_567_890_123_456_789 and file.st_atime == os.lstat(odd / "file").st_atime
    assert file.st_mtime_ns == -987_654_321 and file[8] == -1


def test_links_are_followed_as_by_os_stat(odd):
    entries = entries_of(odd)
    assert entries["to-file"].stat().st_ino == os.stat(odd / "file").st_ino
    assert stat.S_ISLNK(entries["to-file"].stat(follow_symlinks=False).st_mode)
    with pytest.raises(FileNotFoundError):
        entries["to-nothing"].stat()
    assert not entries["to-nothing"].is_file() and not entries["to-nothing"].is_dir()


def test_the_scans_answer_stands_when_the_file_has_gone(odd):
    entries = entries_of(odd)
    (odd / "file").unlink()
    assert entries["file"].stat().st_size == 7 and entries["file"].is_file()


def test_what_was_not_fetched_is_asked(odd):
    for entry in entries_of(odd, no_stat=True).values():
        assert entry.inode() == os.lstat(entry.path).st_ino
        assert entry.stat(follow_symlinks=False).st_size == os.lstat(entry.path).st_size


def test_an_entry_with_an_error_raises_it(odd, tmp_path):
    with pwalk.scan(odd, tmp_path / "nowhere") as scan:
        (entry,) = [entry for batch in scan for entry in batch.entries() if entry.name == "nowhere"]
    with pytest.raises(FileNotFoundError) as caught:
        entry.stat()
    assert caught.value.filename == os.fspath(tmp_path / "nowhere")
    assert not entry.is_dir() and not entry.is_file()


def test_names_are_str_with_surrogates_or_bytes(tmp_path):
    name = b"odd\xff"
    (tmp_path / os.fsdecode(name)).touch()
    with pwalk.scan(tmp_path, max_threads=1) as scan:
        batch = next(scan)
        row = batch.where(type="f")
        (as_text,), (as_bytes,) = batch.entries(row), batch.entries(row, as_bytes=True)
    assert as_text.name == os.fsdecode(name) and os.fsencode(as_text.path) == as_bytes.path
    assert as_bytes.name == name and as_bytes.stat() == as_text.stat()


def test_rows_are_chosen_by_number_or_mask(odd):
    with pwalk.scan(odd, max_threads=1) as scan:
        batch = next(scan)
        everything = [entry.path for entry in batch.entries()]
        assert [entry.path for entry in batch.entries([2, 0])] == [everything[2], everything[0]]
        assert [entry.name for entry in batch.entries(batch["type"] == ord("p"))] == ["fifo"]
        with pytest.raises(IndexError):
            list(batch.entries([len(batch)]))


def test_entries_withhold_nothing_from_the_scanner(odd):
    with pwalk.scan(odd, max_threads=1) as scan:
        batch = next(scan)
        entries = list(batch.entries())
        batch.release()
        assert [entry.stat(follow_symlinks=False).st_ino for entry in entries] == [entry.inode() for entry in entries]
