#!/usr/bin/env python3
"""Man pages and shell completions, from what the programs say of themselves: generate_docs.py BINARIES VERSION OUTPUT

`pwalk --dump-options=json`, `pwalk COMMAND --dump-options=json` and `pwalk-scanner --dump-options=json` print the one
definition of every option; below OUTPUT this writes man1/, bash/, zsh/ and fish/.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
from typing import Any, NamedTuple


FILES = ("FILE", "IMAGE")  # values that are paths; nothing else is completed by names of files


class Option(NamedTuple):
    names: tuple[str, ...]  # with their dashes
    value: str              # "" for a switch
    help: str
    heading: str
    words: tuple[str, ...]  # what is allowed, if it is a choice
    opposite: tuple[str, ...] = ()  # the switch that undoes it

    @property
    def all_names(self) -> tuple[str, ...]:
        return self.names + self.opposite


class Command(NamedTuple):
    name: str      # "pwalk ls"
    usage: str
    summary: str
    options: tuple[Option, ...]
    text: str      # find's whole help, which is not a list of options

    @property
    def page(self) -> str:
        return self.name.replace(" ", "-")


def ask(*words: str) -> Any:
    return json.loads(subprocess.run([*words, "--dump-options=json"], check=True, capture_output=True, text=True, timeout=60).stdout)


def option_of(said: dict[str, Any]) -> Option:
    names = (f"-{said['letter']}",) if said.get("letter") else ()
    value = said.get("value") or said.get("value_name") or ""
    if said.get("kind") == "bool":
        value = ""
    return Option((*names, f"--{said['name']}"), value, said.get("help", ""), said.get("heading") or said.get("group") or "Options",
                  tuple(said.get("words") or said.get("choices") or ()), tuple(f"--{name}" for name in [said.get("opposite")] if name))


def command_of(said: dict[str, Any]) -> Command:
    whole = said["summary"]
    summary = whole.splitlines()[1] if whole.startswith("usage:") else whole
    words = tuple(dict.fromkeys(re.findall(r"(?<![\w-])-[a-z][a-zA-Z0-9]+\b", whole))) if whole is not summary else ()
    options = tuple(map(option_of, said["options"])) or tuple(Option((word,), "", "", "Expression", ()) for word in words)
    return Command(said["program"], said["usage"], summary, options, whole if whole is not summary else "")


def programs(binaries: pathlib.Path) -> tuple[Command, list[Command], dict[str, str]]:
    """The scanner, pwalk's commands, and what each is for."""
    pwalk, scanner = str(binaries / "pwalk"), str(binaries / "pwalk-scanner")
    listed = {one["name"]: one["summary"] for one in ask(pwalk)["options"]}
    walker = Command("pwalk-scanner", "[options] PATH...", "Walks trees and publishes their entries in shared memory.",
                     tuple(map(option_of, ask(scanner))), "")
    return walker, [command_of(ask(pwalk, name)) for name in listed], listed


def roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.splitlines())


def man_page(command: Command, version: str, others: list[str]) -> str:
    lines = [f'.TH {command.page.upper()} 1 "" "pwalk {version}"', ".SH NAME",
             roff(f"{command.page} - {command.summary.rstrip('.')}"), ".SH SYNOPSIS", f".B {roff(command.name)}", roff(command.usage)]
    if command.text:
        lines += [".SH DESCRIPTION", ".nf", roff(command.text), ".fi"]
    else:
        for heading in dict.fromkeys(option.heading for option in command.options):
            lines.append(f'.SH "{roff(heading.upper())}"')
            for option in command.options:
                if option.heading == heading:
                    names = ", ".join(f"\\fB{roff(name)}\\fR" for name in option.all_names)
                    value = f" \\fI{roff(option.value)}\\fR" if option.value else ""
                    allowed = f" ({', '.join(option.words)})" if option.words else ""
                    lines += [".TP", names + value, roff(option.help + allowed) or "."]
    lines += [".SH \"EXIT STATUS\"", "0 complete; 1 complete with errors, or different; 2 wrong usage; 3 cut short."]
    lines += [".SH \"SEE ALSO\"", ", ".join(f"\\fB{roff(other)}\\fR(1)" for other in others if other != command.page)]
    return "\n".join(lines) + "\n"


def overview(commands: list[Command], summaries: dict[str, str], version: str) -> str:
    lines = [f'.TH PWALK 1 "" "pwalk {version}"', ".SH NAME", roff("pwalk - reads what pwalk-scanner publishes"), ".SH SYNOPSIS",
             ".B pwalk", "COMMAND [options]", ".SH COMMANDS"]
    for name, summary in summaries.items():
        lines += [".TP", f"\\fB{name}\\fR", roff(summary)]
    lines += [".SH \"SEE ALSO\"", ", ".join(f"\\fB{roff(command.page)}\\fR(1)" for command in commands) + ", \\fBpwalk\\-scanner\\fR(1)"]
    return "\n".join(lines) + "\n"


def shell_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def all_names(command: Command) -> str:
    return " ".join(name for option in command.options for name in option.all_names)


def bash(scanner: Command, commands: list[Command], summaries: dict[str, str]) -> str:
    """A function for each program. Values that are one of some words are completed too; `--x=word` comes as three words."""
    def choices(command: Command, indent: str) -> str:
        return "".join(f"{indent}{'|'.join(option.names)}) words={shell_quoted(' '.join(option.words) or ' ')} ;;\n"
                       for option in command.options if option.value and option.value not in FILES)

    cases = "".join(f"    {command.name.split()[-1]}) options={shell_quoted(all_names(command))}\n      case $previous in\n{choices(command, '        ')}"
                    "        *) ;;\n      esac ;;\n" for command in commands)
    return f"""# Completion of pwalk and pwalk-scanner; generated from the definition of their options.
_pwalk() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} options='' words=''
  _pwalk_value_after_equals
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W {shell_quoted(' '.join(summaries))} -- "$current")
    return
  fi
  case ${{COMP_WORDS[1]}} in
{cases}  esac
  _pwalk_reply
}}
_pwalk_scanner() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words=''
  _pwalk_value_after_equals
  local options={shell_quoted(all_names(scanner))}
  case $previous in
{choices(scanner, '    ')}    *) ;;
  esac
  _pwalk_reply
}}
_pwalk_value_after_equals() {{
  if [ "$current" = = ]; then current=''; elif [ "$previous" = = ]; then previous=${{COMP_WORDS[COMP_CWORD-2]}}; fi
}}
_pwalk_reply() {{
  if [ -n "$words" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  elif [ "${{current:0:1}}" = - ]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}}
complete -F _pwalk pwalk
complete -F _pwalk_scanner pwalk-scanner
"""


def zsh_option(option: Option) -> list[str]:
    told = re.sub(r"([\[\]:\\])", r"\\\1", option.help)
    action = f"({' '.join(option.words)})" if option.words else "_files" if option.value in FILES else " "
    value = f":{option.value.lower()}:{action}" if option.value else ""
    return [*(shell_quoted(f"*{name}{'=' if option.value and name.startswith('--') else ''}[{told}]{value}") for name in option.names),
            *(shell_quoted(f"*{name}[not {option.names[-1]}]") for name in option.opposite)]


def zsh(scanner: Command, commands: list[Command], summaries: dict[str, str]) -> str:
    def arguments(command: Command) -> str:
        words = [word for option in command.options for word in zsh_option(option)]
        return "_arguments -S " + " \\\n        ".join([*words, "'*:place:_files'"])

    told = " ".join(shell_quoted(f"{name}:{summary}") for name, summary in summaries.items())
    cases = "".join(f"    {command.name.split()[-1]})\n      {arguments(command)} ;;\n" for command in commands)
    return f"""#compdef pwalk pwalk-scanner
# Generated from the definition of the options.
_pwalk_commands() {{
  local -a commands=({told})
  _describe command commands
}}
if [[ $service == pwalk-scanner ]]; then
  {arguments(scanner)}
elif (( CURRENT == 2 )); then
  _pwalk_commands
else
  shift words; (( CURRENT-- ))
  case $words[1] in
{cases}  esac
fi
"""


def fish(scanner: Command, commands: list[Command], summaries: dict[str, str]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def line(program: str, option: Option, condition: str) -> str:
        def named(names: tuple[str, ...]) -> str:
            return "".join(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" if len(name) == 2 else f" -o {name[1:]}"
                           for name in names)

        value = ""
        if option.value:
            value = " -x -a " + quoted(" ".join(option.words)) if option.words else " -r -F" if option.value in FILES else " -x"
        text = f"complete -c {program}{condition}{named(option.names)}{value} -d {quoted(option.help)}\n"
        if option.opposite:
            text += f"complete -c {program}{condition}{named(option.opposite)} -d {quoted(f'not {option.names[-1]}')}\n"
        return text

    text = "# Generated from the definition of the options.\ncomplete -c pwalk -n __fish_use_subcommand -f\n"
    for name, summary in summaries.items():
        text += f"complete -c pwalk -n __fish_use_subcommand -a {name} -d {quoted(summary)}\n"
    for command in commands:
        condition = f" -n '__fish_seen_subcommand_from {command.name.split()[-1]}'"
        text += "".join(line("pwalk", option, condition) for option in command.options)
    return text + "".join(line("pwalk-scanner", option, "") for option in scanner.options)


def main() -> None:
    binaries, version, output = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    scanner, commands, summaries = programs(binaries)
    pages = ["pwalk", "pwalk-scanner", *(command.page for command in commands)]
    files = {"man1/pwalk.1": overview(commands, summaries, version), "bash/pwalk": bash(scanner, commands, summaries),
             "zsh/_pwalk": zsh(scanner, commands, summaries), "fish/pwalk.fish": fish(scanner, commands, summaries)}
    files |= {f"man1/{command.page}.1": man_page(command, version, pages) for command in (scanner, *commands)}
    for name, text in files.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(text)


main()
