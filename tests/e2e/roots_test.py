"""Roots of every kind: rows as find has them, failures told, exit codes."""

import os
import subprocess

import pytest

from stage import found


@pytest.fixture
def tree(stage):
    below = stage.tree / "a" / "b"
    below.mkdir(parents=True)
    for path in (stage.tree / "x", below / "y", below / "z"):
        path.write_bytes(b"12345")
    return stage.tree


def paths(result):
    return sorted(result.lines)


def test_missing_root_alone_ends_at_once(stage):
    scanner = stage.scanner("/no/such/root").finish(5)
    assert scanner.code == 3
    assert scanner.err.splitlines()[0] == "pwalk-scanner: '/no/such/root': No such file or directory"
    assert stage.leftovers() == []


def test_missing_roots_are_told_and_the_others_go_on(stage, tree):
    scanner, reader = stage.scan("/no/such/root", tree)
    assert scanner.code == 1
    assert "pwalk-scanner: '/no/such/root': No such file or directory" in scanner.err
    assert reader.code == 1
    assert "pwalk: '/no/such/root': No such file or directory\n" in reader.err
    assert paths(reader) == sorted([b"/no/such/root", *found(tree)])


def test_file(stage, tree):
    scanner, reader = stage.scan(tree / "x", tail=("--format", "csv", "--columns", "path,type,size,depth,directory"))
    assert (scanner.code, reader.code) == (0, 0)
    assert reader.lines[1:] == [os.fsencode(f"{tree}/x,f,5,0,{tree}")]


def test_link_to_a_directory_is_followed(stage, tree):
    link = stage.base / "link"
    link.symlink_to(tree)
    scanner, reader = stage.scan(link, tail=("--format", "csv", "--columns", "path,type"))
    assert (scanner.code, reader.code) == (0, 0)
    assert sorted(line.split(b",")[0] for line in reader.lines[1:]) == sorted(found("-H", link))
    assert os.fsencode(f"{link},d") in reader.lines


def test_link_that_leads_nowhere_is_a_row(stage):
    link = stage.base / "link"
    link.symlink_to("nowhere")
    scanner, reader = stage.scan(link, tail=("--format", "csv", "--columns", "path,type,error"))
    assert (scanner.code, reader.code) == (0, 0)
    assert reader.lines[1:] == [os.fsencode(f"{link},l,0")]


def test_link_inside_is_not_followed(stage, tree):
    (tree / "a" / "up").symlink_to("..")
    scanner, reader = stage.scan(tree)
    assert (scanner.code, reader.code) == (0, 0)
    assert paths(reader) == sorted(found(tree))


def test_root_of_everything(stage):
    scanner, reader = stage.scan("/", options=("--max-depth", "1", "--no-ignore-snapshots"))
    assert (scanner.code, reader.code) == (0, 0)
    assert paths(reader) == sorted([b"/", *(b"/" + os.fsencode(name) for name in os.listdir("/"))])


def test_relative_with_dots_and_trailing_slashes(stage, tree):
    for given in ("a/", "./a", ".//a//", "a/b/../../a"):
        scanner = stage.scanner("--name", "stage", "--consumers", "1", given, cwd=tree)
        reader = stage.tail("stage", "--timeout", "30").finish()
        assert (scanner.finish().code, reader.code) == (0, 0), given
        shown = tree / given if ".." in given else tree / "a"  # later ".." are the kernel's to resolve
        assert paths(reader) == sorted(found(shown)), given


def test_dots_after_a_file_are_refused_as_the_kernel_refuses_them(stage, tree):
    scanner = stage.scanner("x/../a", cwd=tree).finish()
    assert scanner.code == 3
    assert "pwalk-scanner: 'x/../a': Not a directory" in scanner.err


def test_working_directory(stage, tree):
    scanner = stage.scanner("--name", "stage", "--consumers", "1", ".", cwd=tree)
    reader = stage.tail("stage", "--timeout", "30").finish()
    assert (scanner.finish().code, reader.code) == (0, 0)
    assert paths(reader) == sorted(found(tree))


def test_twice_and_nested_give_their_rows_twice(stage, tree):
    scanner, reader = stage.scan(tree, tree / "a", tree)
    assert (scanner.code, reader.code) == (0, 0)
    assert paths(reader) == sorted(2 * found(tree) + found(tree / "a"))


def test_names_that_look_like_options(stage, tree):
    (tree / "--json").mkdir()
    scanner = stage.scanner("--name", "stage", "--consumers", "1", "--", "--json", cwd=tree)
    reader = stage.tail("stage", "--timeout", "30").finish()
    assert (scanner.finish().code, reader.code) == (0, 0)
    assert reader.lines == [os.fsencode(tree / "--json")]


def test_excludes_and_snapshots_are_counted(stage, tree):
    (tree / ".snapshot" / "old").mkdir(parents=True)
    (tree / "a" / "skip.me").touch()
    summary = stage.scanner("--json", "--exclude", "*.me", tree).finish()
    assert summary.code == 0
    assert b'"skipped":2' in summary.out


def test_max_depth_and_one_file_system(stage, tree):
    scanner, reader = stage.scan(tree, options=("--max-depth", "1", "--one-file-system"))
    assert (scanner.code, reader.code) == (0, 0)
    assert paths(reader) == sorted(found(tree, "-maxdepth", "1", "-xdev"))


def test_loop_with_followed_links_is_a_flagged_row(stage, tree):
    (tree / "a" / "up").symlink_to("..")
    scanner, reader = stage.scan(tree, options=("--follow-links",), tail=("--format", "csv", "--columns", "path,flags"))
    assert (scanner.code, reader.code) == (0, 0)
    flags = dict(line.rsplit(b",", 1) for line in reader.lines[1:])
    assert int(flags[os.fsencode(tree / "a" / "up")]) & 16
    expected = subprocess.run(["find", "-L", tree, "-print0"], capture_output=True).stdout.split(b"\0")[:-1]
    assert set(flags) >= set(expected)
