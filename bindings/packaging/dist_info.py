"""Writes what importlib.metadata finds of a package that no pip installed: dist_info.py DIRECTORY."""

import pathlib
import sys

import wheel_backend


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "METADATA").write_text(wheel_backend.metadata())
    (directory / "entry_points.txt").write_text(wheel_backend.entry_points())


main()
