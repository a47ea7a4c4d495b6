"""How to scan: every option of the scanner, under the same word."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any, Callable, NamedTuple

from pwalk import _core

__all__ = ["Config", "Decision"]

_SPECS: dict[str, tuple[str, str]] = {name: (kind, help) for name, kind, help in _core.option_specs()}


class Decision(NamedTuple):
    """What was decided of one subject, and why; see `Config.effective`.

    Attributes
    ----------
    choice : str
        What will be done.
    reason : str
        Why, and what could not be had; may be empty.

    Examples
    --------
    >>> Config().effective(example_tree)["batches"]
    Decision(choice='4096 rows or 50 ms', reason='')
    """

    choice: str
    reason: str


class Config:
    """Options of a scan.

    Parameters
    ----------
    **options
        Any of the attributes below, under its own name. What is not given keeps its default.

    Raises
    ------
    TypeError
        There is no such option, or its value has the wrong type; the message names what is allowed.
    ValueError
        The value cannot be; the message names what is allowed.

    Notes
    -----
    Sizes are bytes, or text such as ``"64M"``; times are seconds. None stands for the default that
    depends on the file system or the machine.

    Examples
    --------
    >>> config = Config(max_depth=3, exclude=["*.o", "build/**"])
    >>> config.to_arguments()
    ['--max-depth=3', '--exclude=*.o', '--exclude=build/**']
    >>> config.one_file_system
    False
    >>> Config(max_dept=3)
    Traceback (most recent call last):
        ...
    TypeError: Config has no option 'max_dept'; did you mean max_depth? ...
    """

    __slots__ = ("_values",)
    _values: _core.ConfigValues

    def __init__(self, **options: Any) -> None:
        object.__setattr__(self, "_values", _core.ConfigValues())
        self._update(options)

    def _update(self, options: dict[str, Any]) -> None:
        for name, value in options.items():
            if name not in _SPECS:
                raise TypeError(_unknown(name))
            self._values.set(name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _SPECS:
            raise AttributeError(_unknown(name))
        self._values.set(name, value)

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Names of all options, in the order of ``pwalk-scanner --help``.

        Examples
        --------
        >>> Config.options()[:2]
        ('max_depth', 'one_file_system')
        """
        return tuple(_SPECS)

    def replace(self, **changes: Any) -> Config:
        """A copy with some options changed.

        Examples
        --------
        >>> Config(max_depth=3).replace(max_depth=4).max_depth
        4
        """
        copied = type(self)()
        object.__setattr__(copied, "_values", _core.ConfigValues(self._values))
        copied._update(changes)
        return copied

    def to_arguments(self) -> list[str]:
        """What differs from the defaults, as arguments of ``pwalk-scanner``; bytes that are no UTF-8 as surrogate escapes."""
        return self._values.to_arguments()

    def effective(self, *roots: str | bytes | os.PathLike[Any]) -> dict[str, Decision]:
        """What a scan of these roots would do on this machine now, and why: what of the options can be
        honoured, and what of it cannot. Nothing is walked.

        Parameters
        ----------
        *roots : str, bytes or os.PathLike
            What would be scanned. Default: the working directory.

        Returns
        -------
        dict of str to Decision
            By subject, the lines of ``pwalk-scanner --explain``: ``"threads"``, ``"attributes"``, ``"directories"``,
            ``"pool"``, ``"pages"``, ``"root /path"`` and so on.

        Raises
        ------
        ScannerError
            The scanner refuses these options; the message is its own.
        OSError
            It cannot be found or started.

        Examples
        --------
        >>> decided = Config(use_statx=False, max_threads=1).effective(example_tree)
        >>> decided["attributes"].choice
        'fstatat; btime and mount_id stay unknown'
        >>> decided["threads"].choice[0]
        '1'
        """
        from pwalk.errors import ScannerError
        from pwalk.scanner_process import find_scanner

        places = [os.fsencode(root) for root in roots] or [b"."]
        command = [find_scanner(), *self.to_arguments(), "--explain", "--json", "--", *places]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            complaints = done.stderr.decode(errors="backslashreplace").strip().splitlines()
            raise ScannerError(complaints[-1] if complaints else f"the scanner ended with {done.returncode}", done.returncode)
        told = json.loads(done.stdout)["decisions"]
        return {each["subject"]: Decision(each["choice"], each["reason"]) for each in told}

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Config) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        defaults = Config()
        changed = (name for name in _SPECS if getattr(self, name) != getattr(defaults, name))
        return f"Config({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"

    def __reduce__(self) -> tuple[Callable[..., Config], tuple[dict[str, Any]]]:
        return _rebuild, ({name: getattr(self, name) for name in _SPECS},)


def _rebuild(options: dict[str, Any]) -> Config:
    return Config(**options)


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, _SPECS, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"Config has no option {name!r}; {hint}allowed are {', '.join(_SPECS)}"


def _option(name: str, kind: str, help: str) -> property:
    def get(self: Config) -> Any:
        return self._values.get(name)

    def set(self: Config, value: Any) -> None:
        self._values.set(name, value)

    return property(get, set, doc=f"{kind}: {help}")


for _name, (_kind, _help) in _SPECS.items():
    setattr(Config, _name, _option(_name, _kind, _help))
