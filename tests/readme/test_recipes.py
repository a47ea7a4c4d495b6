"""The README's recipes are run as they stand there, with a tree of our own in place of /home and /data."""

import os
import pathlib
import re
import subprocess
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
README = (HERE.parents[1] / "README.md").read_text()
BUILD = pathlib.Path(os.environ["PWALK_BUILD_DIR"])
PATIENCE = 60


def block_with(language: str, mark: str) -> str:
    """The one block of the README in `language` that has `mark` in it."""
    found = [block for block in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if mark in block]
    assert len(found) == 1, f"{len(found)} {language} blocks of the README have {mark!r}"
    return found[0]


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "a tree"
    (root / "inner").mkdir(parents=True)
    for number in range(20):
        (root / "inner" / f"image-{number}.tiff").write_bytes(b"x" * (number * 1000))
    (root / "with\nnewline").write_text("")
    return root


@pytest.fixture
def environment(tmp_path):
    with tempfile.TemporaryDirectory(prefix="pwalk-readme-", dir="/dev/shm") as runtime:
        yield os.environ | {"PWALK_RUNTIME_DIR": runtime, "PYTHONPATH": str(BUILD / "python"),
                            "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}"}


def run(command: list, tree: pathlib.Path, environment: dict) -> str:
    done = subprocess.run(command, cwd=tree.parent, env=environment, capture_output=True, text=True, timeout=PATIENCE,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_shell(text: str, tree: pathlib.Path, environment: dict) -> str:
    for stand_in in ("/home", "/data"):
        text = re.sub(rf" {stand_in}(?=[ \n])", f" '{tree}'", text)
    assert str(tree) in text or ".img" in text
    return run(["bash", "-e", "-c", text + "\nwait"], tree, environment)


def test_every_recipe_is_run():
    """By a test of this file; what installs and builds is another test's."""
    marks = re.findall(r'block_with\("(\w+)", "([^"]+)"\)', pathlib.Path(__file__).read_text())
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL):
        assert "tools/demo.sh" in block or any(language == of and mark in block for of, mark in marks), block


def test_a_group_shares_the_work(tree, environment):
    run_shell(block_with("sh", "--group workers"), tree, environment)
    summed = [line for part in ("part-1", "part-2") for line in (tree.parent / part).read_text().splitlines()]
    # A name with a newline is shown escaped, on a line that begins with a backslash.
    assert len([line for line in summed if ".tiff" in line]) == 20
    assert len([line for line in summed if "newline" in line]) == 1


def test_tail_prints_the_tree(tree, environment):
    printed = run_shell(block_with("sh", "tail home"), tree, environment)
    assert sorted(line for line in printed.splitlines() if line.endswith(".tiff")) == sorted(
        str(path) for path in tree.rglob("*.tiff"))


def test_links_and_nothing_else(tree, environment):
    (tree / "link").symlink_to("inner")
    printed = run_shell(block_with("sh", "--max-ops-per-second"), tree, environment)
    assert f'{{"path":"{tree}/link","type":"l","target":"inner"}}' in printed.splitlines()


def test_pipeline_and_table_read_one_scan(tree, environment):
    run_shell(block_with("sh", "tail data --format null"), tree, environment)
    listing = (tree.parent / "listing").read_text()
    assert listing.count(".tiff") == 20
    table = (tree.parent / "data.csv").read_bytes()
    assert table.startswith(b"path,type,inode,")
    assert table.count(b".tiff") == 20


def test_programs_read_the_image(tree, environment):
    (tree / "old.tmp").write_bytes(b"")
    printed = run_shell(block_with("sh", "pwalk run"), tree, environment)
    assert f"{tree}/old.tmp\n" in printed
    assert printed.endswith(f"\t{tree}\n")


def test_a_kept_image_is_found_by_where_one_is(tree, environment):
    printed = run_shell(block_with("sh", "pwalk du -sh ."), tree, environment)
    assert printed.splitlines()[0].endswith(f"\t{tree}")
    assert sum(line.endswith(".tiff") for line in printed.splitlines()) == 20


def test_usage_per_owner(tree, environment):
    program = block_with("python", "most_common").replace('"/home"', repr(str(tree)))
    assert str(tree) in program
    printed = run(["/usr/bin/python3", "-c", program], tree, environment)
    assert printed.split()[-2:] == ["GiB", str(os.geteuid())]


def test_manifest(tree, environment):
    scanner = subprocess.Popen(["pwalk-scanner", "--quiet", "--name", "data", tree], env=environment)
    try:
        run(["/usr/bin/python3", "-c", block_with("python", "manifest.tsv")], tree, environment)
        assert scanner.wait(PATIENCE) == 0
    finally:
        scanner.kill()
        scanner.wait()
    lines = (tree.parent / "manifest.tsv").read_bytes().splitlines()
    assert sorted(lines) == sorted(b"%d\t%s" % (path.stat().st_size, os.fsencode(path))
                                   for path in tree.rglob("*.tiff") if path.stat().st_size > 0)


def test_a_saved_image_is_asked_by_path(tree, environment, saved):
    (tree / "with\nnewline").unlink()
    program = block_with("python", "pwalk.open_results").replace('"/home"', repr(str(tree)))
    printed = run(["/usr/bin/python3", "-c", program.replace(".tmp", ".tiff").replace("1 << 30", "15000")], tree, environment)
    assert sorted(printed.splitlines()[1:]) == [str(tree / "inner" / f"image-{number}.tiff") for number in range(16, 20)]


def test_walk(tree, environment):
    program = block_with("python", "cache").replace('"/data"', repr(str(tree))).replace('"cache"', '"inner"')
    assert run(["/usr/bin/python3", "-c", program], tree, environment) == f"{tree} 1\n"


@pytest.fixture
def saved(tree, environment):
    run(["pwalk-scanner", "--quiet", "--save", "home.img", tree], tree, environment)


def test_pandas(tree, environment, saved):
    pytest.importorskip("pandas")
    printed = run(["/usr/bin/python3", "-c", block_with("python", "import pandas")], tree, environment)
    assert f"{os.geteuid()} " in printed and "190000" in printed


def test_dask(tree, environment, saved):
    pytest.importorskip("dask")
    printed = run(["/usr/bin/python3", "-c", block_with("python", "import dask")], tree, environment)
    used = subprocess.run(["du", "-s", "-B1", tree], capture_output=True, text=True, check=True).stdout.split()[0]
    assert printed.split() == [used]


def test_torch(tree, environment, saved):
    pytest.importorskip("torch")
    printed = run(["/usr/bin/python3", "-c", block_with("python", "EntryDataset")], tree, environment)
    assert sum(int(line.split()[0]) for line in printed.splitlines()) == 2 * 23


def test_export(tree, environment, saved):
    """Parquet is written by DuckDB's library: e2e_export has it, here it is missing."""
    lines = block_with("sh", "pwalk export").splitlines(True)
    (parquet,) = [line for line in lines if ".parquet" in line]
    run_shell("".join(line for line in lines if line != parquet), tree, environment)
    file = (tree.parent / "home.arrow").read_bytes()
    assert file.startswith(b"ARROW1") and file.endswith(b"ARROW1") and b"image-7.tiff" in file
    assert (tree.parent / "big.csv").read_text().startswith("path,size,mtime\n")
    refused = subprocess.run(["bash", "-c", parquet], cwd=tree.parent, env=environment | {"PWALK_LIBDUCKDB": "/nowhere/libduckdb.so"},
                             capture_output=True, text=True, timeout=PATIENCE)
    assert refused.returncode == 3 and "PWALK_LIBDUCKDB" in refused.stderr


def save(image: str, tree: pathlib.Path, environment: dict) -> None:
    run(["pwalk-scanner", "--quiet", "--save", image, tree], tree, environment)


def test_diff(tree, environment):
    save("monday.img", tree, environment)
    (tree / "inner" / "image-3.tiff").rename(tree / "inner" / "image-three.tiff")
    (tree / "new").touch()
    save("tuesday.img", tree, environment)
    recipe = block_with("sh", "pwalk diff")
    assert "monday.img" in recipe
    done = subprocess.run(["bash", "-c", recipe], cwd=tree.parent, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1 and not done.stderr
    told = sorted(line.split()[0] for line in done.stdout.splitlines() if "image-three" in line or line.endswith("new"))
    assert told == ["added", "moved"], done.stdout


def test_only_what_changed(tree, environment):
    save("monday.img", tree, environment)
    (tree / "inner" / "image-20.tiff").write_bytes(b"x")
    run_shell(block_with("sh", "--since monday.img"), tree, environment)
    changes = (tree.parent / "changes.jsonl").read_text()
    assert "image-20.tiff" in changes and "image-1.tiff" not in changes
    assert str(tree / "inner" / "image-1.tiff") in run(["pwalk", "find", "tuesday.img"], tree, environment).splitlines()


def test_monitor(tree, environment):
    program = block_with("python", "pwalk.Monitor").replace('"/data"', repr(str(tree)))
    assert " files/s, " in run(["/usr/bin/python3", "-c", program], tree, environment)
