"""What the pages say exists: links, make targets, commands and their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cloud.cli.main import app as headquarters
from edge.panel.cli import app as box

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PROGRAMS = {"fieldtill": typer.main.get_command(box), "fieldtill-hq": typer.main.get_command(headquarters)}


def _commands(page: Path) -> list[list[str]]:
    """Every `fieldtill ...` line of the page's code blocks and inline code, as words."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|console|bash)?\n(.*?)^```", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", text)
    found = []
    for line in lines:
        line = re.sub(r"^(\$ |# |sudo |\S*/bin/(?=fieldtill))+", "", line.strip())
        if re.match(r"fieldtill(-hq)?( |$)", line):
            words = shlex.split(line.split(" | ")[0].split(" > ")[0].split(";")[0], comments=True)
            found.append(words)
    return found


def _check(words: list[str]) -> None:
    """Walk the words down the program's commands; raise for one that is not there."""
    command: Any = PROGRAMS[words[0]]
    options = {name for option in command.params for name in option.opts} | {"--help"}
    for word in words[1:]:
        if word.startswith("--"):
            assert word.split("=")[0] in options, f"{' '.join(words)}: no option {word}"
        elif word in getattr(command, "commands", {}):
            command = command.commands[word]
            options |= {name for option in command.params for name in option.opts} | {"--help"}
    says_something = not getattr(command, "commands", None) or command.invoke_without_command
    complete = says_something or len(words) == 1 or "--help" in words
    assert complete, f"{' '.join(words)}: what follows is not a command"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that is there."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    """`make X` in code is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.M):
        assert target in targets, f"{page.name} says `make {target}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """Every command shown is one, with options it has."""
    for words in _commands(page):
        _check(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_named_are_there(page: Path) -> None:
    """Whoever reads that something is tested finds the test under its name."""
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", page.read_text(encoding="utf-8")))
    if named:
        sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
        assert named <= set(re.findall(r"^(?:async )?def (test_[a-z0-9_]+)", sources, re.M)), page.name


@pytest.mark.parametrize("row", range(1, 7))
def test_the_crash_matrix_is_whole(row: int) -> None:
    """Six rows, as in the design, each with a test on the real daemon."""
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    matrix = page.split("## Crash matrix")[1].split("## ")[0]
    rows = [line for line in matrix.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 6
    assert re.search(rf"`test_rows?_[0-9_and]*{row}_", rows[row - 1]), rows[row - 1]
