"""The examples in the documentation run, every public name has one, and the types hold."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import os
import pathlib
import pkgutil
import re
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


def members():
    """(class, name, the thing) of what public classes have that is public."""
    classes = [thing for name in pwalk.__all__ if inspect.isclass(thing := getattr(pwalk, name))]
    for module, name in (("pwalk.fsspec", "PwalkFileSystem"), ("pwalk.torch", "EntryDataset")):
        if importlib.util.find_spec(NEEDED[module]):
            classes.append(getattr(importlib.import_module(module), name))
    for owner in classes:
        for name, value in vars(owner).items():
            if not name.startswith("_") and (callable(value) or isinstance(value, (property, classmethod, staticmethod))):
                yield owner, name, value


def examples_in(module):
    """The lines of a module's examples."""
    text = pathlib.Path(pwalk.__file__).with_name(module.split(".")[-1] + ".py").read_text()
    return "\n".join(line for line in text.splitlines() if line.strip().startswith((">>> ", "... ")))


def test_every_public_member_is_documented():
    for owner, name, value in members():
        assert value.__doc__, f"{owner.__name__}.{name}"


def test_every_public_member_is_used_in_an_example():
    for owner, name, value in members():
        if owner is pwalk.Config and name in pwalk.Config.options():
            continue
        examples = examples_in(owner.__module__) + examples_in("pwalk.torch")
        assert ">>> " in (value.__doc__ or "") or re.search(rf"\.{name}\b", examples), f"{owner.__name__}.{name}"


@pytest.mark.skipif(shutil.which("mypy") is None, reason="mypy is not installed")
def test_types_hold(tmp_path):
    package = pathlib.Path(pwalk.__file__).parent
    user = tmp_path / "user.py"
    user.write_text(pathlib.Path(__file__).with_name("typed_user.txt").read_text())
    checked = subprocess.run(["mypy", "--strict", f"--python-executable={sys.executable}", "--cache-dir", tmp_path,
                              package, user], capture_output=True, text=True, cwd=package.parent)
    assert checked.returncode == 0, checked.stdout
