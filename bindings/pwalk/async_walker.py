"""Walking in an asyncio program."""

from __future__ import annotations

import asyncio
import functools
import os
from typing import Any, AsyncIterator, Optional

from pwalk.config import Config
from pwalk.entry import Entry
from pwalk.scanner import Root, scan

__all__ = ["AsyncWalker"]


class AsyncWalker:
    """Walks trees without blocking an event loop.

    Parameters
    ----------
    config : Config, optional
        How to scan.

    Examples
    --------
    >>> import asyncio
    >>> async def names(top):
    ...     return sorted([entry.name async for entry in AsyncWalker().walk(top) if entry.is_file()])
    >>> asyncio.run(names(example_tree))
    ['large.bin', 'notes.txt', 'tool.py']
    """

    def __init__(self, config: Optional[Config] = None) -> None:
        self._config = config

    async def walk(self, *roots: Root, **options: Any) -> AsyncIterator[Entry[Any]]:
        """Every entry below the roots, and the roots themselves, while the scan runs.

        Ending the iteration early, or cancelling the task, ends the scan. To have that happen
        at once where the loop is left with ``break``, use `contextlib.aclosing`.

        Parameters
        ----------
        *roots : str, bytes or os.PathLike
            What to walk. With bytes, names and paths are bytes.
        **options
            Fields of `Config`; they go before those of the walker's.

        Yields
        ------
        Entry
            In any order.

        Raises
        ------
        OSError, ScannerError, ScannerDied
            See `pwalk.scan` and `Consumer`.
        """
        as_bytes = any(isinstance(os.fspath(root), bytes) for root in roots)
        loop = asyncio.get_running_loop()
        started = loop.run_in_executor(None, functools.partial(scan, *roots, config=self._config, **options))
        try:
            own = await asyncio.shield(started)
        except asyncio.CancelledError:
            started.add_done_callback(_close_result)
            raise
        try:
            async for batch in own:
                for entry in batch.entries(as_bytes=as_bytes):
                    yield entry
        finally:
            await asyncio.shield(loop.run_in_executor(None, own.close))


def _close_result(started: Any) -> None:
    """Ends a scan that nobody waits for any more."""
    if not started.cancelled() and started.exception() is None:
        started.result().close()
