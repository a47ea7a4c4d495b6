"""The wheel: complete by itself, honest about its content, and enough to scan."""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest

import pwalk
from conftest import WAIT

ROOT = pathlib.Path(__file__).resolve().parents[2]
BACKEND = """
import sys
sys.path.insert(0, sys.argv[1])
import wheel_backend
if sys.argv[2] == "wheel":
    wheel_backend.build_wheel(sys.argv[3], {"build-dir": sys.argv[4]})
else:
    wheel_backend.build_sdist(sys.argv[3])
"""


def build(kind, place):
    """The wheel of what this very test runs against, or the source archive."""
    built = pathlib.Path(pwalk.__file__).parents[2]
    command = [sys.executable, "-c", BACKEND, ROOT / "bindings" / "packaging", kind, place, built]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 0, done.stderr
    (path,) = place.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    path = build("wheel", tmp_path_factory.mktemp("dist"))
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture
def unpacked(wheel, tmp_path):
    """What an installer makes of it."""
    place = tmp_path / "site"
    for entry in wheel.infolist():
        path = pathlib.Path(wheel.extract(entry, place))
        path.chmod(entry.external_attr >> 16 & 0o777)
    return place


def run(place, *arguments, **environment):
    path = {"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin", "PWALK_RUNTIME_DIR": os.environ["PWALK_RUNTIME_DIR"]}
    return subprocess.run([sys.executable, *arguments], env=path | environment, capture_output=True, text=True, timeout=WAIT)


def test_record_holds_every_file_with_its_hash(wheel):
    (record,) = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD")]
    rows = {name: digest for name, digest, _size in csv.reader(io.StringIO(wheel.read(record).decode()))}
    assert set(rows) == set(wheel.namelist()) and rows.pop(record) == ""
    for name, digest in rows.items():
        found = base64.urlsafe_b64encode(hashlib.sha256(wheel.read(name)).digest()).rstrip(b"=").decode()
        assert digest == f"sha256={found}", name


def test_version_is_that_of_the_project(wheel):
    (version,) = re.findall(r"^project\(pwalk VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text(), re.M)
    metadata = wheel.read(f"pwalk-{version}.dist-info/METADATA").decode()
    assert f"\nVersion: {version}\n" in metadata and pwalk.__version__ == version


def test_wheel_scans_without_anything_else(unpacked, tree):
    program = "import pwalk, sys\nwith pwalk.scan(sys.argv[1]) as scan: print(sum(map(len, scan)), pwalk.__file__)"
    done = run(unpacked, "-c", program, tree)
    assert done.stdout.split() == ["5", str(unpacked / "pwalk" / "__init__.py")], done.stderr


def test_console_scripts_become_the_programs(unpacked):
    points = configparser.ConfigParser()
    points.read(next(unpacked.glob("*.dist-info")) / "entry_points.txt")
    assert dict(points["fsspec.specs"]) == {"pwalk": "pwalk.fsspec:PwalkFileSystem"}
    for name, place in points["console_scripts"].items():
        module, function = place.split(":")
        done = run(unpacked, "-c", f"from {module} import {function}\n{function}()", "--version")
        assert done.returncode == 0 and pwalk.__version__ in done.stdout, (name, done.stderr)


def test_pip_builds_and_installs_it_offline(tmp_path, tree):
    """In an isolated build, and where network namespaces may be made without a network; of what is built already."""
    built = pathlib.Path(pwalk.__file__).parents[2]
    offline = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*offline, "true"], capture_output=True).returncode != 0:
        offline = []
    place = tmp_path / "site"
    command = [*offline, sys.executable, "-m", "pip", "--isolated", "--no-cache-dir", "--disable-pip-version-check", "install", "--no-index",
               "--no-deps", "--target", place, f"--config-settings=build-dir={built}", ROOT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5 * WAIT)
    assert done.returncode == 0, done.stderr
    program = "import pwalk, sys\nwith pwalk.scan(sys.argv[1]) as scan: print(sum(map(len, scan)), pwalk.__file__)"
    assert run(place, "-c", program, tree).stdout.split() == ["5", str(place / "pwalk" / "__init__.py")]
    assert {"pwalk", "pwalk-scanner"} <= {file.name for file in (place / "bin").iterdir()}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_source_archive_holds_what_git_tracks(tmp_path):
    with tarfile.open(build("source", tmp_path)) as archive:
        stems = {name.split("/", 1)[0] for name in archive.getnames()}
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert len(stems) == 1 and {"PKG-INFO", "pyproject.toml", "CMakeLists.txt", "bindings/packaging/wheel_backend.py"} <= names
