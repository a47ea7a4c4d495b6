"""The results filesystem: what os, glob and du say of a tree, with the tree gone."""

from __future__ import annotations

import errno
import glob
import os
import pathlib
import pickle
import shutil
import subprocess
import threading

import pytest

import pwalk
from conftest import save_image


@pytest.fixture
def results(image):
    with pwalk.open_results(image) as opened:
        yield opened


def normal(triples):
    return sorted((path, sorted(directories), sorted(files)) for path, directories, files in triples)


def test_answers_equal_those_of_os(tree, results):
    for path in (tree, str(tree), os.fsencode(tree)):
        assert sorted(results.listdir(path)) == sorted(os.listdir(path))
    for path in (tree / "notes.txt", tree / "sub", str(tree) + "/sub/../sub/tool.py"):
        found, expected = results.stat(path), os.lstat(path)
        fields = [name for name in dir(expected) if name.startswith("st_") and "blksize" not in name and "st_atime" not in name]
        assert [getattr(found, name) for name in fields] == [getattr(expected, name) for name in fields]
    assert results.exists(tree / "sub") and not results.exists(tree / "other")
    assert results.isdir(tree / "sub") and results.isfile(tree / "notes.txt") and not results.islink(tree)


def test_scandir_equals_os_scandir(tree, results):
    (tree / "link").symlink_to("notes.txt")
    with results.scandir(str(tree)) as entries, os.scandir(str(tree)) as expected:
        mine = {entry.name: entry for entry in entries}
        theirs = {entry.name: entry for entry in expected if entry.name != "link"}
    assert mine.keys() == theirs.keys()
    for name, entry in mine.items():
        assert (entry.path, entry.inode(), entry.is_dir(), entry.is_file(), entry.is_symlink(), os.fspath(entry)) == (
            theirs[name].path, theirs[name].inode(), theirs[name].is_dir(), theirs[name].is_file(), False, theirs[name].path)
        assert entry.stat().st_size == theirs[name].stat().st_size


@pytest.mark.parametrize("call", ["listdir", "scandir", "stat", "du", "find"])
@pytest.mark.parametrize("path, error, number", [
    ("nothing", FileNotFoundError, errno.ENOENT), ("notes.txt/below", NotADirectoryError, errno.ENOTDIR)])
def test_errors_are_those_of_os(tree, results, call, path, error, number):
    for given in (os.path.join(tree, path), os.fsencode(os.path.join(tree, path))):
        with pytest.raises(error) as caught:
            getattr(results, call)(given)
        assert caught.value.errno == number and caught.value.filename == given
        assert caught.value.strerror == os.strerror(number)


def test_a_file_is_no_directory(tree, results):
    with pytest.raises(NotADirectoryError):
        results.listdir(tree / "notes.txt")
    with pytest.raises(NotADirectoryError):
        results.stat(str(tree / "notes.txt") + "/")
    errors = []
    assert list(results.walk(tree / "notes.txt", onerror=errors.append)) == []
    assert [type(error) for error in errors] == [NotADirectoryError]
    with pytest.raises(FileNotFoundError):
        results.stat("")
    with pytest.raises(ValueError):
        results.stat("/with\0nul")


def test_relative_paths_are_below_the_working_directory(tree, results, monkeypatch):
    monkeypatch.chdir(tree)
    assert sorted(results.listdir(".")) == sorted(os.listdir("."))
    assert sorted(results.find("sub")) == ["sub", "sub/tool.py"]
    assert sorted(results.find("./sub/")) == ["./sub/", "./sub/tool.py"]
    assert list(results.walk("sub")) == [("sub", [], ["tool.py"])]
    assert results.glob("*.txt") == glob.glob("*.txt")
    assert results.glob(b"sub/*") == [b"sub/tool.py"]


@pytest.mark.parametrize("topdown", [True, False])
def test_walk_of_a_hostile_tree_equals_os_walk(hostile_tree, tmp_path, topdown):
    image = save_image(tmp_path / "hostile.img", hostile_tree, ignore_snapshots=False)
    with pwalk.open_results(image) as results:
        for top in (hostile_tree, os.fsdecode(hostile_tree)):
            found = list(results.walk(top, topdown=topdown))
            assert normal(found) == normal(os.walk(top, topdown=topdown))
            seen = {}
            for number, (path, directories, _) in enumerate(found):
                seen[path] = number
            for path, number in seen.items():
                above = seen.get(os.path.dirname(path))
                assert above is None or (above < number) == topdown


def test_walk_tells_links_to_directories_of_a_tree_that_is_gone(tree, tmp_path):
    inside, outside = tree / "links", tmp_path / "elsewhere"
    for place in (inside, outside, outside / "inner"):
        place.mkdir()
    for name, target in [("to-sub", "../sub"), ("to-elsewhere", outside), ("to-itself", "."), ("to-file", "../notes.txt"),
                         ("to-nothing", "nothing"), ("round", "round")]:
        (inside / name).symlink_to(target)
    expected = normal(os.walk(tree))
    with pwalk.open_results(save_image(tmp_path / "links.img", tree)) as told, pwalk.open_results(
            save_image(tmp_path / "untold.img", tree, resolve_links=False)) as untold:
        shutil.rmtree(tree)
        shutil.rmtree(outside)
        assert normal(told.walk(str(tree))) == expected
        [(_, directories, files)] = list(untold.walk(str(inside)))
        assert directories == [] and len(files) == 6
        pruned = [path for path, directories, _ in told.walk(str(tree)) if directories.clear() is None]
        assert pruned == [str(tree)]


def test_pruning_in_place(tree, results):
    visited = []
    for path, directories, _ in results.walk():
        visited.append(os.path.basename(path))
        directories[:] = [name for name in directories if name != "sub"]
    assert visited == ["tree"]


def test_find_and_du_of_a_hostile_tree_equal_the_programs(hostile_tree, tmp_path):
    image = save_image(tmp_path / "hostile.img", hostile_tree, ignore_snapshots=False)
    with pwalk.open_results(image) as results:
        listed = subprocess.run(["find", hostile_tree, "-print0"], capture_output=True).stdout.split(b"\0")[:-1]
        assert sorted(results.find(hostile_tree)) == sorted(listed)
        large = subprocess.run(["find", hostile_tree, "-type", "f", "-size", "+1000c", "-print0"], capture_output=True)
        assert sorted(results.find(hostile_tree, type="f", larger=1000)) == sorted(large.stdout.split(b"\0")[:-1])
        used = subprocess.run(["du", "-s", "-B1", hostile_tree], capture_output=True).stdout.split()[0]
        assert results.du(hostile_tree).allocated_bytes == int(used)


def test_find_by_every_condition(tree, results):
    os.utime(tree / "large.bin", ns=(0, 10**18))

    def names(**conditions):
        return sorted(os.path.basename(path) for path in results.find(**conditions))

    assert names(name="*.txt") == ["notes.txt"] and names(suffix=(".py", b".bin")) == ["large.bin", "tool.py"]
    assert names(smaller=6, type="f") == ["notes.txt"] and names(type="d") == ["sub", "tree"]
    assert names(owner=os.geteuid(), group=os.getegid(), type="fd") == ["large.bin", "notes.txt", "sub", "tool.py", "tree"]
    assert names(owner=12345) == [] and names(newer=0, older=1.5) == [] and names(older=2**62) == names()
    for impossible in ({"type": "x"}, {"larger": -1}, {"older": 1e300}):
        with pytest.raises((ValueError, OverflowError)):
            results.find(**impossible)


def test_glob_is_that_of_python(tree, results):
    for pattern in ("*", "*/*", "**", "**/*.py", "[ln]*", "sub/tool.py", "nothing", "*/nothing"):
        whole = os.path.join(tree, pattern)
        expected = {path.rstrip("/") for path in glob.glob(whole, recursive=True)}
        assert {path.rstrip("/") for path in results.glob(whole)} - {str(tree)} == expected - {str(tree)}, pattern


def test_glob_with_a_slash_at_the_end_is_that_of_python(tree, tmp_path, monkeypatch):
    (tree / "link").symlink_to("sub")
    (tree / "dangling").symlink_to("nothing")
    (tree / "sub" / "inner").mkdir()
    monkeypatch.chdir(tree)
    with pwalk.open_results(save_image(tmp_path / "slashes.img", tree)) as results:
        for pattern in ("*/", "s*/", "sub/", "sub/*/", "notes.txt/", "nothing/", "**/inner/", b"*/"):
            for asked in (pattern, os.path.join(os.fsencode(tree) if isinstance(pattern, bytes) else tree, pattern)):
                expected = [path for path in glob.glob(asked, recursive=True) if not os.path.dirname(path.rstrip(
                    "/" if isinstance(path, str) else b"/")).endswith("link" if isinstance(path, str) else b"link")]
                assert sorted(results.glob(asked)) == sorted(expected), asked


def test_what_has_no_path_is_not_found(tree, results, monkeypatch):
    monkeypatch.chdir(tree)
    for pattern in ("**", b"**", "", b"", "**/*.py", "sub/**"):
        expected = glob.glob(pattern, recursive=True)
        assert sorted(path.rstrip("/" if isinstance(path, str) else b"/") for path in results.glob(pattern)) == sorted(
            path.rstrip("/" if isinstance(path, str) else b"/") for path in expected), pattern
    for path in ("", b"", "sub\0", b"\0"):
        for ask in (results.exists, results.isdir, results.isfile, results.islink):
            assert ask(path) is False


def test_the_tree_may_be_gone(tree, results):
    shutil.rmtree(tree)
    assert len(list(results.find())) == 5 and results.stat(tree / "large.bin").st_size == 5000


def test_unreadable_directories_raise_what_the_scan_met(tmp_path):
    root = tmp_path / "guarded"
    (root / "closed").mkdir(parents=True)
    (root / "closed").chmod(0)
    arguments = [] if os.geteuid() else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    runtime = tmp_path / "runtime"
    place = tmp_path / "out"
    place.mkdir()
    place.chmod(0o777)
    for above in (tmp_path, *tmp_path.parents):
        if os.stat(above).st_uid == os.geteuid() and above != pathlib.Path("/"):
            above.chmod(above.stat().st_mode | 0o055)
    runtime.mkdir()
    runtime.chmod(0o700)
    if not os.geteuid():
        os.chown(runtime, 65534, 65534)
    image = place / "guarded.img"
    from pwalk.scanner_process import find_scanner

    subprocess.run([*arguments, find_scanner(), "--quiet", f"--save={image}", root],
                   env={**os.environ, "PWALK_RUNTIME_DIR": str(runtime)})
    with pwalk.open_results(image) as results:
        with pytest.raises(PermissionError) as caught:
            results.listdir(root / "closed")
        assert caught.value.filename == root / "closed" or caught.value.filename == str(root / "closed")
        errors = []
        assert [path for path, _, _ in results.walk(str(root), onerror=errors.append)] == [str(root)]
        assert [error.errno for error in errors] == [errno.EACCES]


def test_without_stat_only_the_kind_is_known(tree, tmp_path):
    image = save_image(tmp_path / "names.img", tree, no_stat=True)
    with pwalk.open_results(image) as results:
        status = results.stat(tree / "notes.txt")
        assert status.st_size is None and status.st_mtime is None and status.st_mode == 0o100000
        assert list(results.find(larger=0)) == [] and len(list(results.find(type="f"))) == 3


def test_several_roots_have_no_default(tree, tmp_path):
    image = save_image(tmp_path / "two.img", tree / "sub", tree / "notes.txt")
    with pwalk.open_results(image) as results:
        assert len(results.roots) == 2
        for call in (results.listdir, results.du, results.find, results.walk):
            with pytest.raises(ValueError, match="several roots"):
                call()
        assert results.stat(tree / "notes.txt").st_size == 5


def test_facts(tree, image, results):
    assert results.roots == [str(tree)] and results.file == str(image) and results.entries == 5
    assert results.complete and results.state == "complete" and results.errors == 0
    assert results.started_ns <= results.finished_ns and "size" in results.columns
    assert "complete, 5 entries" in repr(results)


def test_a_kept_scan_is_found_by_name_and_root(tree):
    with pwalk.scan(tree, name="kept", keep=True) as scan:
        for _ in scan:
            pass
    for word in ("kept", tree, None):
        with pwalk.open_results(word) as results:
            assert results.name == "kept" and len(results.listdir(tree)) == 3


def test_what_is_no_image_is_refused(tree, tmp_path, image):
    with pytest.raises(FileNotFoundError):
        pwalk.open_results("no-such-scan")
    with pytest.raises(pwalk.ProtocolError):
        pwalk.open_results(tree / "large.bin")
    with pytest.raises(ValueError, match="allowed"):
        pwalk.open_results("")
    with pytest.raises(ValueError, match="access 'fast': allowed are auto, map, copy"):
        pwalk.open_results(image, access="fast")
    cut = tmp_path / "cut.img"
    cut.write_bytes(image.read_bytes()[:-100])
    with pytest.raises(pwalk.ProtocolError):
        pwalk.open_results(cut)
    for access in ("map", "copy"):
        assert pwalk.open_results(image, access=access).entries == 5


def test_closed_pickled_and_forked(image, results):
    again = pickle.loads(pickle.dumps(results))
    assert again.entries == 5
    again.close()
    with pytest.raises(ValueError, match="closed"):
        again.listdir()
    child = os.fork()
    if child == 0:
        os._exit(len(results.listdir()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def test_many_threads_read_at_once(wide_tree, tmp_path):
    image = save_image(tmp_path / "wide.img", wide_tree)
    counts = []
    with pwalk.open_results(image) as results:
        search = results.find(type="f")

        def read():
            counts.append((sum(len(files) for _, _, files in results.walk()), results.du().inodes))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert sum(1 for _ in search) == 40_000
        for thread in threads:
            thread.join()
    assert counts == [(40_000, 40_041)] * 4
