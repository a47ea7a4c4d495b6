"""Reads Arrow's C structs through ctypes: an importer of the tests' own, since Debian has no Arrow library."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, CFUNCTYPE, c_char_p, c_int, c_int64, c_void_p
from typing import Any, Iterator

import numpy as np


class ArrowSchema(ctypes.Structure):
    pass


class ArrowArray(ctypes.Structure):
    pass


class ArrowArrayStream(ctypes.Structure):
    pass


ArrowSchema._fields_ = [
    ("format", c_char_p), ("name", c_char_p), ("metadata", c_char_p), ("flags", c_int64), ("n_children", c_int64),
    ("children", POINTER(POINTER(ArrowSchema))), ("dictionary", POINTER(ArrowSchema)),
    ("release", CFUNCTYPE(None, POINTER(ArrowSchema))), ("private_data", c_void_p)]
ArrowArray._fields_ = [
    ("length", c_int64), ("null_count", c_int64), ("offset", c_int64), ("n_buffers", c_int64), ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)), ("children", POINTER(POINTER(ArrowArray))), ("dictionary", POINTER(ArrowArray)),
    ("release", CFUNCTYPE(None, POINTER(ArrowArray))), ("private_data", c_void_p)]
ArrowArrayStream._fields_ = [
    ("get_schema", CFUNCTYPE(c_int, POINTER(ArrowArrayStream), POINTER(ArrowSchema))),
    ("get_next", CFUNCTYPE(c_int, POINTER(ArrowArrayStream), POINTER(ArrowArray))),
    ("get_last_error", CFUNCTYPE(c_char_p, POINTER(ArrowArrayStream))),
    ("release", CFUNCTYPE(None, POINTER(ArrowArrayStream))), ("private_data", c_void_p)]

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, [ctypes.py_object, c_char_p]

DTYPES = {b"C": "u1", b"I": "u4", b"L": "u8", b"l": "i8", b"s": "i2", b"tsn:UTC": "i8"}


def struct_in(capsule: object, kind: type) -> Any:
    """The struct in a capsule; keep the capsule alive meanwhile."""
    names = {ArrowSchema: b"arrow_schema", ArrowArray: b"arrow_array", ArrowArrayStream: b"arrow_array_stream"}
    return kind.from_address(_pointer(capsule, names[kind]))


def release(struct: Any) -> None:
    struct.release(ctypes.byref(struct))


def children(struct: Any) -> list[Any]:
    return [struct.children[i].contents for i in range(struct.n_children)]


def names(schema: ArrowSchema) -> list[str]:
    return [child.name.decode() for child in children(schema)]


def move(source: ArrowArray) -> ArrowArray:
    """What a consumer does that wants one child and not the whole."""
    target = ArrowArray()
    ctypes.memmove(ctypes.byref(target), ctypes.byref(source), ctypes.sizeof(ArrowArray))
    ctypes.memset(ctypes.addressof(source) + ArrowArray.release.offset, 0, ctypes.sizeof(c_void_p))
    return target


def valid(array: ArrowArray) -> np.ndarray:
    if not array.buffers[0]:
        return np.ones(array.length, dtype=bool)
    bitmap = np.frombuffer(ctypes.string_at(array.buffers[0], (array.length + 7) // 8), dtype=np.uint8)
    return np.unpackbits(bitmap, count=array.length, bitorder="little").astype(bool)


def values(schema: ArrowSchema, array: ArrowArray) -> list[Any]:
    """A leaf as a list, None where it is null."""
    assert array.offset == 0
    if schema.dictionary:
        words = values(schema.dictionary.contents, array.dictionary.contents)
        found = [words[index] for index in fixed(schema, array)]
    elif schema.format in (b"z", b"u"):
        found = text(schema, array)
    else:
        found = fixed(schema, array).tolist()
    return [value if known else None for value, known in zip(found, valid(array))]


def fixed(schema: ArrowSchema, array: ArrowArray) -> np.ndarray:
    dtype = np.dtype(DTYPES[schema.format])
    return np.frombuffer(ctypes.string_at(array.buffers[1], array.length * dtype.itemsize), dtype=dtype)


def text(schema: ArrowSchema, array: ArrowArray) -> list[Any]:
    offsets = np.frombuffer(ctypes.string_at(array.buffers[1], (array.length + 1) * 4), dtype=np.int32)
    data = ctypes.string_at(array.buffers[2], int(offsets[-1]))
    found = [data[start:end] for start, end in zip(offsets, offsets[1:])]
    return [value.decode() for value in found] if schema.format == b"u" else found


def table(schema: ArrowSchema, array: ArrowArray) -> dict[str, list[Any]]:
    assert array.length >= 0 and array.n_buffers == 1 and schema.format == b"+s"
    return {part.name.decode(): values(part, column) for part, column in zip(children(schema), children(array))}


class StreamError(Exception):
    def __init__(self, code: int, told: bytes | None) -> None:
        super().__init__(code, told)
        self.code = code
        self.told = (told or b"").decode()


class Stream:
    """An imported stream; releases what it read, in the end itself."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule
        self.struct = struct_in(capsule, ArrowArrayStream)

    def schema(self) -> ArrowSchema:
        schema = ArrowSchema()
        self._ask(self.struct.get_schema(ctypes.byref(self.struct), ctypes.byref(schema)))
        return schema

    def arrays(self) -> Iterator[ArrowArray]:
        """To be released by the caller."""
        while True:
            array = ArrowArray()
            self._ask(self.struct.get_next(ctypes.byref(self.struct), ctypes.byref(array)))
            if not array.release:
                return
            yield array

    def _ask(self, code: int) -> None:
        if code:
            raise StreamError(code, self.struct.get_last_error(ctypes.byref(self.struct)))
