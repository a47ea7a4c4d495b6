"""DuckDB through ctypes: a real engine that reads Arrow streams. Debian has none; npm's package holds its library."""

from __future__ import annotations

import ctypes
import os
import pathlib
import platform
import shutil
import subprocess
from ctypes import POINTER, byref, c_char_p, c_int, c_uint64, c_void_p

VERSION = "1.5.6-r.1"
_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, [ctypes.py_object, c_char_p]


class Missing(Exception):
    """Why there is no library."""


def find(place: pathlib.Path) -> pathlib.Path:
    """The library, installed below `place` by npm unless it is there already; $PWALK_LIBDUCKDB names another."""
    if named := os.environ.get("PWALK_LIBDUCKDB"):
        return pathlib.Path(named)
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise Missing(f"npm has no DuckDB for {platform.machine()}")
    package = f"@duckdb/node-bindings-linux-{machine}"
    library = place / "node_modules" / package / "libduckdb.so"
    if not library.exists():
        install(place, f"{package}@{VERSION}")
    return library


def install(place: pathlib.Path, *packages: str) -> None:
    """All that is wanted below `place`: npm removes what it is not asked for."""
    if shutil.which("npm") is None:
        raise Missing("npm is not installed")
    place.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", place, *packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        raise Missing(f"npm did not install {' '.join(packages)} in 120 s") from None
    if done.returncode:
        raise Missing(f"npm could not install {' '.join(packages)}: {done.stderr.strip().splitlines()[-1:]}")


class _Result(ctypes.Structure):
    _fields_ = [("columns", c_uint64), ("rows", c_uint64), ("changed", c_uint64), ("deprecated", c_void_p),
                ("error", c_char_p), ("internal", c_void_p)]


class Database:
    """An in-memory database with `threads` threads."""

    def __init__(self, library: pathlib.Path, threads: int) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.duckdb_value_varchar.restype = c_void_p
        self._library.duckdb_value_varchar.argtypes = [POINTER(_Result), c_uint64, c_uint64]
        self._library.duckdb_result_error.restype = c_char_p
        self._library.duckdb_column_count.restype = self._library.duckdb_row_count.restype = c_uint64
        self._library.duckdb_free.argtypes = [c_void_p]
        self._library.duckdb_arrow_scan.argtypes = [c_void_p, c_char_p, c_void_p]
        self._database, self._connection = c_void_p(), c_void_p()
        assert self._library.duckdb_open(None, byref(self._database)) == 0
        assert self._library.duckdb_connect(self._database, byref(self._connection)) == 0
        self.query(f"SET threads={threads}")
        # duckdb_arrow_scan tells the stream nothing of projections and filters, but believes that it did.
        self.query("SET disabled_optimizers='unused_columns,filter_pushdown'")

    def close(self) -> None:
        self._library.duckdb_disconnect(byref(self._connection))
        self._library.duckdb_close(byref(self._database))

    def scan(self, name: str, capsule: object) -> None:
        """Makes a view of an arrow_array_stream capsule, which must live until it was queried, once."""
        stream = _pointer(capsule, b"arrow_array_stream")
        assert self._library.duckdb_arrow_scan(self._connection, name.encode(), stream) == 0

    def query(self, text: str) -> list[tuple[str | None, ...]]:
        result = _Result()
        state: int = self._library.duckdb_query(self._connection, c_char_p(text.encode()), byref(result))
        try:
            if state:
                raise RuntimeError((self._library.duckdb_result_error(byref(result)) or b"").decode())
            columns = self._library.duckdb_column_count(byref(result))
            rows = self._library.duckdb_row_count(byref(result))
            return [tuple(self._value(result, column, row) for column in range(columns)) for row in range(rows)]
        finally:
            self._library.duckdb_destroy_result(byref(result))

    def _value(self, result: _Result, column: int, row: int) -> str | None:
        value = self._library.duckdb_value_varchar(byref(result), column, row)
        try:
            return ctypes.string_at(value).decode() if value else None
        finally:
            self._library.duckdb_free(value)
