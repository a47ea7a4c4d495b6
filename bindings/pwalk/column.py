"""One column of a batch: a read-only numpy array that other libraries can take too."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pwalk import _core

if TYPE_CHECKING:
    import numpy.typing as npt

    _Array = npt.NDArray[Any]
else:
    _Array = np.ndarray

__all__ = ["Column"]

_CPU: tuple[int, Literal[0]] = (1, 0)  # DLPack's kDLCPU, and the device's number


class Column(_Array):
    """A numpy array over a batch's memory, which is also a DLPack tensor; made by ``batch[name]``.

    It is read-only for good. What is computed from it is an ordinary `numpy.ndarray`.

    Examples
    --------
    >>> import pwalk
    >>> with pwalk.scan(example_tree) as scan:
    ...     sizes = next(scan)["size"]
    >>> type(sizes).__name__, type(sizes + 1).__name__, sizes.flags.writeable
    ('Column', 'ndarray', False)
    """

    def __array_wrap__(self, array: Any, context: Any = None) -> Any:
        plain = array.view(np.ndarray)
        return plain[()] if plain.ndim == 0 else plain

    def __dlpack_device__(self) -> tuple[int, Literal[0]]:
        """The CPU: ``(1, 0)``."""
        return _CPU

    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """The column as a DLPack tensor, for the ``from_dlpack`` of other libraries.

        A consumer that speaks version 1.0 or newer gets this very memory, marked as read-only. Older ones
        cannot be told that it must not be written: they get a copy.

        Parameters
        ----------
        stream : None
            There are none on a CPU.
        max_version : tuple of int, optional
            The newest version that the consumer speaks.
        dl_device : tuple of int, optional
            Where it is wanted; only the CPU is possible.
        copy : bool, optional
            True: always a copy. False: never. None: only where it has to be.

        Raises
        ------
        BufferError
            It cannot be had without a copy, or not on that device.
        ValueError
            A stream was given.
        """
        if stream is not None:
            raise ValueError("stream must be None: the memory is the CPU's")
        if dl_device is not None and tuple(dl_device) != _CPU:
            raise BufferError(f"device {tuple(dl_device)}: a column is on the CPU, {_CPU}")
        versioned = max_version is not None and tuple(max_version) >= (1, 0)
        shared = copy is not True and (versioned or self.flags.writeable)
        if copy is False and not shared:
            raise BufferError("this consumer cannot be told that the memory is read-only; copy=True would do")
        array = np.asarray(self) if shared else np.array(self)
        return _core.dlpack(array, versioned, array.flags.writeable)

    def to_torch(self, copy: bool = True) -> Any:
        """The column as a torch tensor.

        Parameters
        ----------
        copy : bool
            True: new memory, and exact where torch's integers allow it: uint32 becomes int64. False: this
            very memory, with unsigned integers taken as signed ones of the same width. **Writing to such a
            tensor ends the process** (SIGSEGV), and torch cannot be told to refuse it.

        Returns
        -------
        torch.Tensor
            uint8, int32 or int64; a uint64 above 2**63 - 1 shows as negative.

        Raises
        ------
        ModuleNotFoundError
            torch is not installed.
        """
        torch: Any = importlib.import_module("torch")  # only now: it takes a second, and few want it
        plain = np.asarray(self)
        if plain.dtype == np.uint64:
            plain = plain.view(np.int64)
        elif plain.dtype == np.uint32:
            plain = plain.astype(np.int64) if copy else plain.view(np.int32)
        if copy:
            return torch.from_numpy(np.array(plain))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
            return torch.from_numpy(plain)
