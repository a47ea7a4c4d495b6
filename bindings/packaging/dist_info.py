"""Writes what importlib.metadata finds of a package that no pip installed: dist_info.py DIRECTORY."""

import pathlib
import sys

import wheel_backend


wheel_backend.write_information(pathlib.Path(sys.argv[1]))
