"""The examples in the documentation run, every public name has one, and the types hold."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pathlib
import pkgutil
import shutil
import subprocess
import sys

import pytest

import pwalk

MODULES = sorted(module.name for module in pkgutil.iter_modules(pwalk.__path__, "pwalk.") if module.name != "pwalk._core")


NEEDED = {"pwalk.fsspec": "fsspec", "pwalk.torch": "torch"}  # what modules build on that pwalk itself can do without


@pytest.mark.parametrize("name", ["pwalk", *MODULES])
def test_examples_run(name, tree, image):
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    module = importlib.import_module(name)
    options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    names = {"example_tree": tree, "example_image": image, "os": os}
    result = doctest.testmod(module, extraglobs=names, optionflags=options)
    assert result.failed == 0


def test_every_public_name_is_documented_with_an_example():
    for name in pwalk.__all__:
        thing = getattr(pwalk, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert ">>>" in (thing.__doc__ or ""), name


def test_every_public_method_is_documented():
    for name in pwalk.__all__:
        thing = getattr(pwalk, name)
        if inspect.isclass(thing) and thing.__module__.startswith("pwalk"):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                    assert value.__doc__, f"{name}.{member}"


@pytest.mark.skipif(shutil.which("mypy") is None, reason="mypy is not installed")
def test_types_hold(tmp_path):
    package = pathlib.Path(pwalk.__file__).parent
    user = tmp_path / "user.py"
    user.write_text(pathlib.Path(__file__).with_name("typed_user.txt").read_text())
    checked = subprocess.run(["mypy", "--strict", f"--python-executable={sys.executable}", "--cache-dir", tmp_path,
                              package, user], capture_output=True, text=True, cwd=package.parent)
    assert checked.returncode == 0, checked.stdout
