"""--filter-names, --require-filter and --kernel-latency as a user sees them."""

import json
import os
import pathlib
import subprocess

import pytest

SCANNER = pathlib.Path(os.environ["PWALK_BUILD_DIR"], "bin", "pwalk-scanner")


@pytest.fixture
def tree(tmp_path):
    for place in ["plain/below", "secret/below", "plain/secret"]:
        (tmp_path / "root" / place).mkdir(parents=True)
    (tmp_path / "root" / "plain" / "below" / "secret").write_text("a file of that name")
    return tmp_path / "root"


@pytest.fixture
def scan(tree, tmp_path):
    def run(*flags, path=tree):
        environment = {**os.environ, "PWALK_RUNTIME_DIR": str(tmp_path / "run")}
        (tmp_path / "run").mkdir(mode=0o700, exist_ok=True)
        return subprocess.run([SCANNER, "--json", "--quiet", "--ring-size", "2M", *flags, path], env=environment,
                              capture_output=True, text=True, timeout=60)
    return run


def is_attached(explanation, program):
    decisions = json.loads(explanation)["decisions"]
    return any(decision["subject"] == program and "attached" in decision["choice"] for decision in decisions)


def test_directories_of_these_names_are_left_out_and_counted(scan):
    run = scan("--filter-names", "secret,other")
    summary = json.loads(run.stdout)
    assert run.returncode == 0
    assert (summary["directories"], summary["files"], summary["skipped"]) == (3, 1, 2)


def test_a_kernel_that_refuses_is_one_line_and_a_required_filter_is_the_end(scan, tree):
    explained = scan("--filter-names", "secret", "--explain").stdout
    optional, required = scan("--filter-names", "secret"), scan("--filter-names", "secret", "--require-filter")
    if is_attached(explained, "kernel filter"):
        assert optional.stderr == "" and json.loads(required.stdout)["refused_opens"] == 0
        refused = scan("--filter-names", "secret", path=tree / "secret")  # a root is not left out, but it is refused
        assert json.loads(refused.stdout)["refused_opens"] == 1 and refused.returncode == 1
    else:
        assert optional.returncode == 0 and len(optional.stderr.splitlines()) == 1
        assert required.returncode == 3 and len(required.stderr.splitlines()) == 1 and required.stdout == ""


def test_latency_measured_in_the_kernel(scan):
    explained = scan("--kernel-latency", "--explain").stdout
    summary = json.loads(scan("--kernel-latency").stdout)
    assert ("kernel_latency_us" in summary) == is_attached(explained, "kernel latency")
    if "kernel_latency_us" in summary:
        assert summary["kernel_latency_us"]["getdents"]["count"] >= summary["directories"]
        assert summary["kernel_latency_us"]["stat"]["count"] >= summary["entries"]
