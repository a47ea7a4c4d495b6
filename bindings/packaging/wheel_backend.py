"""Builds pwalk's wheel and source archive for pip and build (PEP 517), with nothing but CMake.

`pip install .` configures and builds below build/wheel; `--config-settings build-dir=DIR` takes what is built
there already. The wheel holds the package and, in pwalk/bin, the programs.
"""

from __future__ import annotations

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile
from typing import Any, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("pwalk", "pwalk-scanner")


def version() -> str:
    """The one in CMakeLists.txt."""
    found = re.search(r"project\(pwalk VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())
    if found is None:
        raise SystemExit("CMakeLists.txt does not say project(pwalk VERSION ...)")
    return found[1]


def tag() -> str:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{python}-{python}-{re.sub('[-.]', '_', sysconfig.get_platform())}"


def project() -> dict[str, Any]:
    with open(ROOT / "pyproject.toml", "rb") as file:
        table: dict[str, Any] = tomllib.load(file)["project"]
    return table


def metadata() -> str:
    """METADATA, as the core metadata specification has it."""
    about = project()
    lines = ["Metadata-Version: 2.1", f"Name: {about['name']}", f"Version: {version()}",
             f"Summary: {about['description']}", f"License: {about['license']['text']}",
             f"Requires-Python: {about['requires-python']}", "Description-Content-Type: text/markdown"]
    lines += [f"Requires-Dist: {name}" for name in about["dependencies"]]
    lines += [f"Classifier: {classifier}" for classifier in about["classifiers"]]
    return "\n".join(lines) + "\n\n" + (ROOT / about["readme"]).read_text()


def entry_points() -> str:
    about = project()
    groups = {"console_scripts": about["scripts"], **about["entry-points"]}
    return "".join(f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
                   for group, points in groups.items())


def build(directory: pathlib.Path) -> None:
    configure = ["cmake", "-S", ROOT, "-B", directory, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DPWALK_WITH_TESTS=OFF",
                 "-DPWALK_WITH_BENCH=OFF", f"-DPython_EXECUTABLE={sys.executable}"]
    subprocess.run(configure, check=True)
    subprocess.run(["cmake", "--build", directory, "--parallel"], check=True)


def install(built: pathlib.Path, stage: pathlib.Path) -> None:
    """Puts the package and the programs below `stage`, stripped of debug information."""
    for component in ("python", "runtime"):
        subprocess.run(["cmake", "--install", built, "--prefix", stage, "--component", component, "--strip"], check=True)


def installed(stage: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    """(name in the wheel, file) of everything that was installed and belongs in it."""
    package = next(stage.rglob("pwalk/__init__.py")).parent
    for file in sorted(package.rglob("*")):
        if file.is_file():
            yield f"pwalk/{file.relative_to(package)}", file
    for program in PROGRAMS:
        yield f"pwalk/bin/{program}", stage / "bin" / program
    for library in stage.rglob("libpwalk_run.so"):  # what `pwalk run` preloads; it looks beside itself
        yield f"pwalk/bin/{library.name}", library


class Wheel:
    """A wheel under construction: files, and their hashes for RECORD."""

    def __init__(self, path: pathlib.Path) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._record: list[str] = []

    def add(self, name: str, content: bytes, mode: int = 0o644) -> None:
        entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # the same bytes for the same input
        entry.external_attr = (0o100000 | mode) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        self._archive.writestr(entry, content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        self._record.append(f"{name},sha256={digest},{len(content)}\n")

    def finish(self, information: str) -> None:
        record = f"{information}/RECORD"
        self._archive.writestr(record, "".join(self._record) + f"{record},,\n")
        self._archive.close()


def information() -> dict[str, str]:
    """What importlib.metadata reads of a dist-info directory, by file."""
    return {"METADATA": metadata(), "entry_points.txt": entry_points()}


def information_directory() -> str:
    return f"pwalk-{version()}.dist-info"


def write_information(directory: pathlib.Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in information().items():
        (directory / name).write_text(text)


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Without it pip would build everything only to hear what the package depends on."""
    write_information(pathlib.Path(metadata_directory) / information_directory())
    return information_directory()


def build_wheel(wheel_directory: str, config_settings: dict[str, Any] | None = None,
                metadata_directory: str | None = None) -> str:
    built = (config_settings or {}).get("build-dir")
    directory = pathlib.Path(built) if built else ROOT / "build" / "wheel"
    if not built:
        build(directory)
    name = f"pwalk-{version()}-{tag()}.whl"
    place_of_information = information_directory()
    wheel = Wheel(pathlib.Path(wheel_directory) / name)
    with tempfile.TemporaryDirectory() as stage:
        install(directory, pathlib.Path(stage))
        for place, file in installed(pathlib.Path(stage)):
            wheel.add(place, file.read_bytes(), file.stat().st_mode & 0o777)
    for file_name, text in information().items():
        wheel.add(f"{place_of_information}/{file_name}", text.encode())
    wheel.add(f"{place_of_information}/WHEEL",
              f"Wheel-Version: 1.0\nGenerator: pwalk\nRoot-Is-Purelib: false\nTag: {tag()}\n".encode())
    wheel.add(f"{place_of_information}/LICENSE", (ROOT / "LICENSE").read_bytes())
    wheel.finish(place_of_information)
    return name


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Everything that git tracks."""
    stem = f"pwalk-{version()}"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(os.path.join(sdist_directory, f"{stem}.tar.gz"), "w:gz") as archive:
        for name in listed.decode().split("\0")[:-1]:
            archive.add(ROOT / name, f"{stem}/{name}", recursive=False)
        add_text(archive, f"{stem}/PKG-INFO", metadata())
    return f"{stem}.tar.gz"


def add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        file.seek(0)
        archive.addfile(archive.gettarinfo(arcname=name, fileobj=file), file)
