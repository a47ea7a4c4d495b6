"""The completions for bash, zsh and fish: the shells can read them, and offer every option and word that the programs take.

Each shell is asked as it would be at a prompt: bash by the function it would call, zsh by a prompt of its own whose
offers are written down, fish by `complete -C`.
"""

import json
import os
import pathlib
import pty
import re
import subprocess
import time

import pytest

BUILD = pathlib.Path(os.environ["PWALK_BUILD_DIR"])
DOCS = BUILD / "tools" / "docs"
FILES = {"bash": DOCS / "bash" / "pwalk", "zsh": DOCS / "zsh" / "_pwalk", "fish": DOCS / "fish" / "pwalk.fish"}
PATIENCE = 60


def options_of(*program: str) -> list:
    said = subprocess.run([BUILD / "bin" / program[0], *program[1:], "--dump-options=json"], capture_output=True, check=True).stdout
    told = json.loads(said)
    return told if isinstance(told, list) else told["options"]


def run(*command, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def bash_offers(line: str) -> set[str]:
    """COMP_WORDBREAKS has the equals sign, so `--x=` comes as two words."""
    words = re.findall(r"=|[^ =]+", line) + ([""] if line.endswith(" ") else [])
    program = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; '
    function = "_pwalk_scanner" if words[0] == "pwalk-scanner" else "_pwalk"
    return set(run("bash", "-c", program + function + '; printf "%s\\n" "${COMPREPLY[@]}"', "-", FILES["bash"], *words).split())


def fish_offers(line: str) -> set[str]:
    offered = run("fish", "--no-config", "-c", f'source "{FILES["fish"]}"; complete -C "$argv"', line)
    return {each.split("\t")[0].split("=")[-1] for each in offered.splitlines()}


ZSH_SETUP = """
unsetopt beep; PROMPT=; fpath=({completions} $fpath); autoload -Uz compinit; compinit -u -D
compadd() {{
  if [[ " ${{(j: :)@[1,(i)(-|--)]}} " != *" -"[OAD]" "* ]]; then
    local -a offered; builtin compadd -O offered "$@"; print -rl -- $offered >>{offers}
  fi
  builtin compadd "$@"
}}
written-down() {{ print END >>{offers} }}
zle -N written-down; bindkey '^X' written-down
print READY >>{offers}
"""


class Zsh:
    """A zsh at a terminal. What it offers at a Tab goes to a file."""

    def __init__(self, place: pathlib.Path):
        self._offers = place / "offers"
        setup = place / "setup"
        setup.write_text(ZSH_SETUP.format(completions=FILES["zsh"].parent, offers=self._offers))
        self._offers.touch()
        self._master, terminal = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "HOME": str(place), "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}"}
        self._shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=terminal, stdout=terminal, stderr=terminal, cwd=place,
                                       env=environment, start_new_session=True)
        os.close(terminal)
        os.set_blocking(self._master, False)
        self._type(f". {setup}\n", "READY")

    def offers(self, line: str) -> set[str]:
        self._offers.write_text("")
        return set(self._type(f"\x15{line}\t\x18", "END"))

    def close(self) -> None:
        self._shell.kill()
        self._shell.wait(PATIENCE)
        os.close(self._master)

    def _type(self, keys: str, until: str) -> list[str]:
        os.write(self._master, keys.encode())
        deadline = time.monotonic() + PATIENCE
        while until not in (written := self._offers.read_text().splitlines()):
            assert time.monotonic() < deadline and self._shell.poll() is None, f"no {until} after {keys!r}"
            self._drain()
            time.sleep(0.01)
        return [line for line in written if line != until]

    def _drain(self) -> None:
        try:
            os.read(self._master, 1 << 16)
        except BlockingIOError:
            pass


@pytest.fixture(scope="module")
def zsh(tmp_path_factory):
    shell = Zsh(tmp_path_factory.mktemp("zsh"))
    yield shell
    shell.close()


@pytest.fixture(params=["bash", "zsh", "fish"])
def offers(request):
    """What a shell offers for the end of a line."""
    return request.getfixturevalue("zsh").offers if request.param == "zsh" else globals()[f"{request.param}_offers"]


@pytest.mark.parametrize("shell", FILES)
def test_shells_can_read_them(shell):
    run(shell, "-n", FILES[shell])


@pytest.mark.parametrize("program", [("pwalk-scanner",), ("pwalk", "tail"), ("pwalk", "du"), ("pwalk", "scans")])
def test_every_option_is_offered(offers, program):
    wanted = {f"--{option[key]}" for option in options_of(*program) for key in ("name", "opposite") if key in option}
    assert wanted
    assert wanted <= {word.rstrip("=") for word in offers(" ".join(program) + " --")}


def test_commands_are_offered(offers):
    commands = {command["name"] for command in options_of("pwalk")}
    assert {"tail", "find"} <= commands == offers("pwalk ")


@pytest.mark.parametrize("separator", [" ", "="])
def test_words_of_a_choice_are_offered(offers, separator):
    choices = {option["name"]: set(option["words"]) for option in options_of("pwalk-scanner") if "words" in option}
    for name in ("coherence", "profile", "on-slow"):
        assert offers(f"pwalk-scanner --{name}{separator}") == choices[name]
    assert offers(f"pwalk tail --format{separator}") == {"text", "csv", "jsonl", "null", "pwalk-csv", "arrow"}


def test_primaries_of_find_are_offered(offers):
    assert {"-name", "-newermt", "-printf"} <= offers("pwalk find -")


def test_files_are_offered_where_files_are_meant(offers, tmp_path, monkeypatch, request):
    place = tmp_path if "zsh" not in request.node.name else pathlib.Path(request.getfixturevalue("zsh")._offers.parent)
    (place / "old.img").touch()
    monkeypatch.chdir(place)
    assert any(word.startswith("old.img") for word in offers("pwalk-scanner --since ol"))
    assert not any(word.startswith("old.img") for word in offers("pwalk-scanner --max-depth ol"))
