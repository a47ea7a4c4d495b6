"""What the tests of the Python package share: a runtime directory of their own, trees, and scanners."""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import Callable, Iterator

import pytest

import pwalk

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))
from hostile_tree import HostileTree
from pwalk.scanner_process import find_scanner

WAIT = 60  # seconds no healthy test comes near; reached only by one that hangs


@pytest.fixture(autouse=True)
def runtime_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """Each test has scans of its own only."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="pwt.", dir="/dev/shm"))
    monkeypatch.setenv("PWALK_RUNTIME_DIR", str(path))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Of a randomised test; PWALK_TEST_SEED replays one. pytest shows the line when the test fails."""
    number = int(os.environ.get("PWALK_TEST_SEED") or random.randrange(1 << 32))
    print(f"{request.node.name}: PWALK_TEST_SEED={number}")
    return number


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    """Five entries: the root, `sub`, and three files."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "large.bin").write_bytes(bytes(5000))
    (root / "notes.txt").write_bytes(b"notes")
    (root / "sub" / "tool.py").write_bytes(b"tool = ")
    return root


def save_image(file: pathlib.Path, *roots: str | bytes | os.PathLike[str], **options: object) -> pathlib.Path:
    """Scans the roots into an image file; nobody else reads the scan."""
    arguments = pwalk.Config(save=os.fspath(file), **options).to_arguments()
    command = [find_scanner(), "--quiet", *map(os.fsencode, arguments), "--", *map(os.fsencode, roots)]
    subprocess.run(command, check=False, timeout=WAIT)
    assert file.exists()
    return file


@pytest.fixture
def image(tree: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """Of `tree`."""
    return save_image(tmp_path / "tree.img", tree)


@pytest.fixture(scope="session")
def wide_tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """40,000 empty files: many batches, and more than the smallest pool holds."""
    root = tmp_path_factory.mktemp("wide")
    for directory in range(40):
        place = root / f"directory-{directory:03}"
        place.mkdir()
        for file in range(1000):
            (place / f"a-name-long-enough-to-fill-the-pool-{file:05}").touch()
    return root


WIDE_TREE_ROWS = 1 + 40 + 40 * 1000


@pytest.fixture
def hostile_tree(seed: int, tmp_path: pathlib.Path) -> bytes:
    """A seeded tree of the oracle's kind whose paths stay below PATH_MAX, so that os.walk can follow."""
    for attempt in range(100):
        place = os.path.join(os.fsencode(tmp_path), b"hostile-%d" % attempt)
        os.mkdir(place)
        tree = HostileTree(seed + attempt, root=os.geteuid() == 0, still=False)
        tree.build(place)
        if not tree.made["path beyond PATH_MAX"] and not tree.made["chain of 600 or more"]:
            return place
    raise AssertionError("no tree without long paths in 100 seeds")


@pytest.fixture
def start_scanner() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts pwalk-scanner with these arguments; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str | os.PathLike[str]) -> subprocess.Popen[bytes]:
        command = [find_scanner(), *map(os.fspath, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program in a Python of its own, with these arguments."""

    def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "faulthandler", "-c", program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT)

    return run
