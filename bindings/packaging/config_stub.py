"""Writes the type stub of pwalk.Config from the definition of the options: config_stub.py OUTPUT."""

import pathlib
import sys

from pwalk import _core

HEAD = '''"""Generated from the definition of the options; see config.py."""

import os
from typing import Any, Callable, Iterable, Literal, NamedTuple

class Decision(NamedTuple):
    choice: str
    reason: str

class Config:
'''
METHODS = '''
    def __init__(self, *, {parameters}) -> None: ...
    @classmethod
    def options(cls) -> tuple[str, ...]: ...
    def replace(self, **changes: Any) -> Config: ...
    def to_arguments(self) -> list[str]: ...
    def effective(self, *roots: str | bytes | os.PathLike[Any]) -> dict[str, Decision]: ...
    def __eq__(self, other: object) -> bool: ...
    def __reduce__(self) -> tuple[Callable[..., Config], tuple[dict[str, Any]]]: ...
'''


def main() -> None:
    specs = _core.option_specs()
    attributes = "".join(f"    {name}: {kind}  # {help}\n" for name, kind, help in specs)
    parameters = ", ".join(f"{name}: {kind} = ..." for name, kind, _ in specs)
    pathlib.Path(sys.argv[1]).write_text(HEAD + attributes + METHODS.format(parameters=parameters))


main()
