"""Config: every option of the scanner, under the same word, with the same bounds."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import pickle
import subprocess

import numpy as np
import pytest

from pwalk import Config, ScannerError, scan
from pwalk.scanner_process import find_scanner


def test_options_are_those_of_the_scanner():
    told = subprocess.run([find_scanner(), "--dump-options=json"], capture_output=True, check=True).stdout
    described = {option["attribute"]: option for option in json.loads(told)}
    output = {name for name, option in described.items() if option["group"] == "Output"} | {"dump_options"}
    assert set(Config.options()) == set(described) - output
    defaults = Config()
    for name in Config.options():
        value = getattr(defaults, name)
        if isinstance(value, bool):
            assert described[name]["default"] == str(value).lower()
        elif isinstance(value, int) and described[name]["kind"] == "count":
            assert described[name]["default"] == str(value)
        else:
            assert value in (None, ()) or described[name]["default"] == str(value).removesuffix(".0")


def test_defaults_need_no_arguments():
    assert Config().to_arguments() == []
    assert repr(Config()) == "Config()"


@pytest.mark.parametrize("options, arguments", [
    ({"max_depth": 3}, ["--max-depth=3"]),
    ({"max_depth": np.int64(3)}, ["--max-depth=3"]),
    ({"max_depth": None}, []),
    ({"one_file_system": True, "ignore_snapshots": False}, ["--one-file-system", "--no-ignore-snapshots"]),
    ({"ring_size": "64M"}, ["--ring-size=64M"]),
    ({"ring_size": 64 << 20}, ["--ring-size=64M"]),
    ({"linger": 1}, ["--linger=1"]),
    ({"linger": 0.25}, ["--linger=0.25"]),
    ({"coherence": "lazy"}, ["--coherence=lazy"]),
    ({"coherence": None}, []),
    ({"exclude": "*.o"}, ["--exclude=*.o"]),
    ({"exclude": ["-rf", b"\xff"]}, ["--exclude=-rf", "--exclude=\udcff"]),
    ({"exclude_from": pathlib.Path("/a b")}, ["--exclude-from=/a b"]),
])
def test_arguments(options, arguments):
    assert Config(**options).to_arguments() == arguments


@pytest.mark.parametrize("options, error, told", [
    ({"max_dept": 3}, TypeError, "no option 'max_dept'; did you mean max_depth.* allowed are max_depth, "),
    ({"max_depth": -1}, ValueError, "max_depth: allowed is 0 to 4294967295"),
    ({"max_depth": 1 << 40}, ValueError, "max_depth: allowed is 0 to 4294967295"),
    ({"max_depth": 1 << 2000}, ValueError, "max_depth: allowed is 0 to 4294967295"),
    ({"max_depth": "3"}, TypeError, "max_depth: allowed is a whole number"),
    ({"max_depth": True}, TypeError, "max_depth: allowed is a whole number"),
    ({"max_depth": 3.0}, TypeError, "max_depth: allowed is a whole number"),
    ({"min_threads": 0}, ValueError, "min_threads: allowed is 1 to 1024"),
    ({"min_threads": None}, TypeError, "min_threads: allowed is a whole number"),
    ({"ring_size": "1M"}, ValueError, "ring_size: allowed is at least 2M"),
    ({"ring_size": "64Q"}, ValueError, "ring_size: '64Q': allowed are sizes such as"),
    ({"ring_size": -1}, ValueError, "ring_size: '-1': allowed are sizes such as"),
    ({"ring_size": 1.5}, TypeError, "ring_size: allowed is a number of bytes or text"),
    ({"linger": -1}, ValueError, "linger: '-1': allowed are seconds"),
    ({"linger": float("nan")}, ValueError, "linger: 'nan': allowed are seconds"),
    ({"linger": "1"}, TypeError, "linger: allowed is a number of seconds"),
    ({"coherence": "eager"}, ValueError, "coherence: 'eager': allowed are lazy, normal, force"),
    ({"huge_pages": None}, TypeError, "huge_pages: allowed is one of auto, require, off"),
    ({"one_file_system": 1}, TypeError, "one_file_system: allowed is True or False"),
    ({"exclude": 1}, TypeError, "exclude: allowed is text"),
    ({"exclude": [None]}, TypeError, "exclude: allowed is text"),
    ({"exclude": ""}, ValueError, "exclude: allowed is text that is not empty"),
    ({"exclude": "a\0b"}, ValueError, "null"),
])
def test_impossible_values_name_what_is_allowed(options, error, told):
    with pytest.raises(error, match=told):
        Config(**options)


def test_attributes_are_checked_and_set():
    config = Config()
    config.max_depth = 2
    assert config.max_depth == 2 and config.to_arguments() == ["--max-depth=2"]
    with pytest.raises(ValueError, match="allowed is 0 to"):
        config.max_depth = -2
    assert config.max_depth == 2
    with pytest.raises(AttributeError, match="did you mean max_depth"):
        config.max_dept = 2
    with pytest.raises(AttributeError):
        config.max_dept


def test_every_option_has_documentation():
    for name in Config.options():
        assert getattr(Config, name).__doc__, name


def test_equality_replacement_pickle_and_copy():
    config = Config(max_depth=3, exclude=["a", b"\xff"], ring_size="64M", coherence="force", linger=0.5)
    for same in (pickle.loads(pickle.dumps(config)), copy.copy(config), copy.deepcopy(config), eval(repr(config))):
        assert same == config and same is not config
    other = config.replace(max_depth=4)
    assert other != config and config.max_depth == 3 and other.exclude == config.exclude
    assert config != "Config"
    with pytest.raises(TypeError, match="unhashable"):
        hash(config)


def test_arguments_are_understood_by_the_scanner(tree):
    config = Config(max_depth=3, exclude=["-rf", os.fsdecode(b"\xff")], ring_size="64M", coherence="force", linger=0.5,
                    ignore_snapshots=False, batch_size=100, profile="nfs", max_threads=2)
    explained = subprocess.run([find_scanner(), *config.to_arguments(), "--explain", "--", tree], capture_output=True, text=True)
    assert explained.returncode == 0, explained.stderr


def test_effective_says_what_is_honoured_and_why(tree):
    decided = Config(max_threads=2, auto_tune=False, readahead_kb=64, ring_size="2M", huge_pages="off").effective(tree)
    assert decided["threads"].choice.startswith("2") and decided["directories"].choice == "getdents64 with 64 KiB"
    assert decided["pool"].choice == "2.00 MiB" and decided[f"root {tree}"].choice.startswith("profile ")
    assert Config(no_stat=True).effective(tree)["attributes"].reason == "no column needs a stat"
    assert Config(use_getdents=False).effective(tree)["directories"].choice.startswith("readdir")
    assert decided["pool"].reason  # how many blocks
    missing = Config().effective(tree / "nothing")[f"root {tree / 'nothing'}"]
    assert missing == ("not walked", "No such file or directory")
    assert Config().effective()  # the working directory
    with pytest.raises(ScannerError, match="exclude-from|no-such") as caught:
        Config(exclude_from="/no-such-file").effective(tree)
    assert caught.value.returncode == 2


def test_use_mmap_false_hands_out_copies(wide_tree):
    for lent in (True, False):
        config = Config(use_mmap=lent, batch_size=512)
        with scan(wide_tree, config=config) as opened:
            views = [opened.in_pool(batch["size"]) for batch in opened]
            assert views[0] == lent and (lent or not any(views)) and opened.complete
        assert config.effective(wide_tree)["batches read"].choice == ("where they lie" if lent else "from copies on the heap")


def test_buffer_size_mb_is_the_pool(tree):
    assert Config(buffer_size_mb=4).effective(tree)["pool"].choice == "4.00 MiB"
    with pytest.raises(ScannerError, match="two words"):
        scan(tree, buffer_size_mb=4, ring_size="4M")
