"""fsspec sees a scan as a file system, and says the same of it as of the real one."""

from __future__ import annotations

import os
import shutil

import pytest

import pwalk

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def files(image):
    return fsspec.filesystem("pwalk", scan=str(image))


@pytest.fixture
def real():
    return fsspec.filesystem("file")


def test_the_entry_point_is_found(files):
    from pwalk.fsspec import PwalkFileSystem

    assert isinstance(files, PwalkFileSystem)


def test_answers_equal_those_of_the_local_file_system(tree, files, real):
    root = str(tree)
    assert files.ls(root, detail=False) == sorted(real.ls(root, detail=False))
    assert files.find(root) == real.find(root) and files.find(root, withdirs=True) == real.find(root, withdirs=True)
    assert files.glob(root + "/**") == real.glob(root + "/**")
    assert files.glob(root + "/*/*.py") == real.glob(root + "/*/*.py")
    assert files.du(root) == real.du(root) == 5012

    def normal(walked):
        return sorted((path, sorted(directories), sorted(names)) for path, directories, names in walked)

    assert normal(files.walk(root)) == normal(real.walk(root))
    for path in (root, root + "/notes.txt"):
        mine, theirs = files.info(path), real.info(path)
        assert {key: mine[key] for key in ("name", "size", "type", "mtime", "mode", "uid", "gid", "ino", "nlink")} == {
            key: theirs[key] for key in ("name", "size", "type", "mtime", "mode", "uid", "gid", "ino", "nlink")}
        assert files.exists(path) and files.isdir(path) == real.isdir(path) and files.isfile(path) == real.isfile(path)
    assert files.size(root + "/notes.txt") == 5 and files.modified(root) == os.stat(root).st_mtime


def test_contents_come_from_the_real_file(tree, files):
    with files.open(str(tree / "notes.txt")) as file:
        assert file.read() == b"notes"
    with files.open(f"pwalk://{tree}/notes.txt", "r") as file:
        assert file.read() == "notes"
    assert files.cat_file(str(tree / "notes.txt")) == b"notes"
    with pytest.raises(OSError, match="only be read"):
        files.open(str(tree / "new"), "wb")


def test_metadata_needs_no_tree(tree, files):
    shutil.rmtree(tree)
    assert len(files.find(str(tree))) == 3
    with pytest.raises(FileNotFoundError):
        files.open(str(tree / "notes.txt"))


def test_what_is_missing_raises_as_usual(tree, files):
    for call in (files.info, files.ls):
        with pytest.raises(FileNotFoundError):
            call(str(tree / "nothing"))
    assert not files.exists(str(tree / "nothing"))
    with pytest.raises(FileNotFoundError):
        fsspec.filesystem("pwalk", scan="no-such-scan")
