"""The programs that come with a wheel, as its console scripts: each becomes the real program."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import NoReturn

__all__ = ["pwalk", "pwalk_scanner"]

_BIN = pathlib.Path(__file__).resolve().parent / "bin"


def pwalk() -> NoReturn:
    """Runs ``pwalk`` with this program's arguments."""
    _become("pwalk")


def pwalk_scanner() -> NoReturn:
    """Runs ``pwalk-scanner`` with this program's arguments."""
    _become("pwalk-scanner")


def _become(program: str) -> NoReturn:
    os.execv(_BIN / program, [program, *sys.argv[1:]])
