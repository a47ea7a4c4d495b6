"""fsspec sees a scan as a file system, and says the same of it as of the real one."""

from __future__ import annotations

import datetime
import errno
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
    assert files.size(root + "/notes.txt") == 5
    for told, time in ((files.modified(root), os.stat(root).st_mtime), (files.created(root), os.stat(root).st_ctime)):
        assert abs(told.timestamp() - time) < 1e-6 and told.tzinfo == datetime.timezone.utc
    # Older versions of fsspec tell the local file system's times in UTC without saying so.
    assert files.modified(root).replace(tzinfo=None) == real.modified(root).replace(tzinfo=None)


def test_contents_come_from_the_real_file(tree, files):
    with files.open(str(tree / "notes.txt")) as file:
        assert file.read() == b"notes"
    with files.open(f"pwalk://{tree}/notes.txt", "r") as file:
        assert file.read() == "notes"
    assert files.cat_file(str(tree / "notes.txt")) == b"notes"
    with pytest.raises(OSError, match="only be read"):
        files.open(str(tree / "new"), "wb")


@pytest.mark.parametrize("change", [
    lambda files, root: files.mkdir(root + "/new"), lambda files, root: files.makedirs(root + "/new/new"),
    lambda files, root: files.rmdir(root + "/sub"), lambda files, root: files.rm(root + "/notes.txt"),
    lambda files, root: files.rm_file(root + "/notes.txt"), lambda files, root: files.mv(root + "/notes.txt", root + "/new"),
    lambda files, root: files.copy(root + "/notes.txt", root + "/new"), lambda files, root: files.touch(root + "/new"),
    lambda files, root: files.pipe(root + "/new", b"1"), lambda files, root: files.rm(root, recursive=True),
    lambda files, root: files.open(root + "/notes.txt", "ab"),
])
def test_nothing_is_changed_and_nothing_pretends_to(tree, files, change):
    before = sorted(tree.rglob("*"))
    with pytest.raises(OSError) as refused:
        change(files, str(tree))
    assert refused.value.errno == errno.EROFS and sorted(tree.rglob("*")) == before


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
