"""Columns as DLPack tensors: the pool's own memory for those who can be told that it is read-only."""

from __future__ import annotations

import ctypes
import gc

import numpy as np
import pytest

import pwalk

_capsule = ctypes.pythonapi.PyCapsule_GetPointer
_capsule.restype, _capsule.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_rename = ctypes.pythonapi.PyCapsule_SetName
_rename.restype, _rename.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                ("dimensions", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("byte_offset", ctypes.c_uint64)]


class Versioned(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                ("deleter", ctypes.CFUNCTYPE(None, ctypes.c_void_p)), ("flags", ctypes.c_uint64), ("tensor", Tensor)]


def versioned(capsule):
    return Versioned.from_address(_capsule(capsule, b"dltensor_versioned"))


@pytest.fixture
def scan(wide_tree):
    with pwalk.scan(wide_tree, max_threads=1) as opened:
        yield opened


def test_the_versioned_tensor_is_the_pools_memory_marked_read_only(scan):
    batch = next(scan)
    for name, code, bits in (("size", 1, 64), ("mtime", 0, 64), ("mode", 1, 32), ("type", 1, 8)):
        column = batch[name]
        capsule = column.__dlpack__(max_version=(1, 1))
        managed = versioned(capsule)
        tensor = managed.tensor
        assert (managed.major, managed.minor, managed.flags) == (1, 0, 1)
        assert tensor.data == column.__array_interface__["data"][0] and scan.in_pool(column)
        assert (tensor.device_type, tensor.device_id, tensor.dimensions, tensor.byte_offset) == (1, 0, 1, 0)
        assert (tensor.code, tensor.bits, tensor.lanes) == (code, bits, 1)
        assert tensor.shape[0] == len(batch) and tensor.strides[0] * column.itemsize == column.strides[0]
    assert batch["size"].__dlpack_device__() == (1, 0)


def test_slices_are_tensors_too(scan):
    part = next(scan)["inode"][10:100:3]
    tensor = versioned(part.__dlpack__(max_version=(1, 0))).tensor
    assert tensor.shape[0] == 30 and tensor.strides[0] == 3 and tensor.data == part.__array_interface__["data"][0]


def test_a_tensor_keeps_the_batch_until_it_is_given_back(scan):
    batch = next(scan)
    capsule = batch["size"].__dlpack__(max_version=(1, 0))
    with pytest.raises(BufferError):
        batch.release()
    del capsule  # nobody took the tensor
    gc.collect()
    capsule = batch["size"].__dlpack__(max_version=(1, 0))
    managed = versioned(capsule)
    assert _rename(capsule, b"used_dltensor_versioned") == 0  # taken over
    del capsule
    with pytest.raises(BufferError):
        batch.release()
    managed.deleter(ctypes.addressof(managed))
    batch.release()


def test_who_cannot_be_told_gets_a_copy(scan):
    column = next(scan)["inode"]
    taken = np.from_dlpack(column)
    assert (taken == column).all() and not np.shares_memory(taken, column)
    assert np.from_dlpack(column.copy()).sum() == column.sum()
    with pytest.raises(BufferError):
        column.__dlpack__(copy=False)
    managed = versioned(column.__dlpack__(max_version=(1, 0), copy=True))
    assert managed.flags == 2 and managed.tensor.data != column.__array_interface__["data"][0]


def test_impossible_requests(scan):
    column = next(scan)["size"]
    with pytest.raises(ValueError):
        column.__dlpack__(stream=1)
    with pytest.raises(BufferError, match="device"):
        column.__dlpack__(dl_device=(2, 0))
    assert column.__dlpack__(max_version=(1, 0), dl_device=(1, 0), copy=False)


def test_what_is_computed_is_ordinary(scan):
    column = next(scan)["size"]
    assert isinstance(column, np.ndarray) and type(column) is pwalk.Column
    assert type(column + 1) is np.ndarray and type(column > 0) is np.ndarray
    assert isinstance(column.sum(), np.uint64) and isinstance(column[0], np.uint64)
    with pytest.raises(ValueError):
        column.flags.writeable = True
    with pytest.raises(ValueError):
        column[0] = 1
