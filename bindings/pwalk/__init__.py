"""pwalk: a file system, walked once, read by any number of processes without a copy.

>>> import pwalk
>>> with pwalk.scan(example_tree) as scan:
...     large = sum(int((batch["size"] > 1000).sum()) for batch in scan)
"""

import logging

from pwalk._core import __version__
from pwalk.async_walker import AsyncWalker
from pwalk.batch import FLAGS, OPERATIONS, STRUCTURED, Batch, DirectoryRecord
from pwalk.column import Column
from pwalk.config import Config, Decision
from pwalk.consumer import ArrowStream, Consumer, ConsumerStats, OperationStats, ScanStats, attach
from pwalk.entry import Entry
from pwalk.errors import Evicted, MissedEntries, ProtocolError, PwalkError, ScannerDied, ScannerError
from pwalk.monitor import Monitor, MonitorStats
from pwalk.results import DiskUsage, ResultEntry, ResultsFilesystem, open_results
from pwalk.scanner import Scan, scan
from pwalk.walker import Walker, walk

__all__ = [
    "FLAGS",
    "OPERATIONS",
    "STRUCTURED",
    "ArrowStream",
    "AsyncWalker",
    "Batch",
    "Column",
    "Config",
    "Consumer",
    "ConsumerStats",
    "Decision",
    "DirectoryRecord",
    "DiskUsage",
    "Entry",
    "Evicted",
    "MissedEntries",
    "Monitor",
    "MonitorStats",
    "OperationStats",
    "ProtocolError",
    "PwalkError",
    "ResultEntry",
    "ResultsFilesystem",
    "Scan",
    "ScanStats",
    "ScannerDied",
    "ScannerError",
    "Walker",
    "__version__",
    "attach",
    "open_results",
    "scan",
    "walk",
]

logging.getLogger("pwalk").addHandler(logging.NullHandler())
