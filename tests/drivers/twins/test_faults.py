"""The plan of faults: counts, chances and the command line; and that the documentation names them all."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from drivers.twins.commands import AnyCommand
from drivers.twins.config import SiteConfig, check_site
from drivers.twins.faults import AT_ONCE, DEFAULT_AMOUNT, UNTIL_CLEARED, Fault, FaultKind, FaultPlan, parse_faults
from protocols import door

DOCS = Path(__file__).parents[3] / "docs"
DOC = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("twins.md", "cabinet-twins.md"))


def test_a_count_runs_down_and_ends() -> None:
    """Three answers are spoilt, the fourth is not."""
    plan = FaultPlan()
    plan.set(Fault(FaultKind.CRC, count=3))
    assert [bool(plan.take()) for _ in range(5)] == [True, True, True, False, False]


def test_without_a_count_it_stays_until_cleared() -> None:
    """`clear` says what it ended."""
    plan = FaultPlan()
    plan.set(Fault(FaultKind.DEAD))
    plan.set(Fault(FaultKind.METER_FROZEN))
    assert all(plan.take().keys() == {FaultKind.DEAD} for _ in range(10))
    assert plan.clear(FaultKind.DEAD) == [FaultKind.DEAD]
    assert plan.clear() == [FaultKind.METER_FROZEN]
    assert plan.active() == ()


def test_chance_replays_from_its_seed() -> None:
    """The same seed hits the same answers, about as many as asked for; another seed others."""

    def hits(seed: int) -> list[bool]:
        plan = FaultPlan(seed)
        plan.set(Fault(FaultKind.SHORT, chance_permille=300))
        return [bool(plan.take()) for _ in range(1000)]

    assert hits(1) == hits(1) != hits(2)
    assert 250 < sum(hits(1)) < 350


def test_faults_from_a_command_line() -> None:
    """KIND, KIND:COUNT, KIND:COUNT:AMOUNT, with * for until cleared."""
    assert parse_faults(["dead", "crc:2", "late:*:800", "late::900"]) == [
        Fault(FaultKind.DEAD),
        Fault(FaultKind.CRC, count=2),
        Fault(FaultKind.LATE, amount=800),
        Fault(FaultKind.LATE, amount=900),
    ]


@pytest.mark.parametrize("wrong", ["quake", "dead:0", "dead:x", "dead:1:-1", ""])
def test_a_wrong_fault_is_refused_with_the_list(wrong: str) -> None:
    """The message names every kind that there is."""
    with pytest.raises(ValueError, match="two-at-one-address"):
        parse_faults([wrong])


def test_the_documentation_lists_every_fault_with_its_default() -> None:
    """The table in docs/twins.md has exactly the kinds of the enum, in its order, and the defaults that hold."""
    table = DOC.partition("## Faults")[2].partition("## What")[0]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| *([^|]*?) *\|$", table, flags=re.MULTILINE))
    assert list(rows) == [kind.value for kind in FaultKind]
    for kind in FaultKind:
        told = re.search(r"\((\d+)", rows[kind.value])
        assert int(told[1] if told else 0) == DEFAULT_AMOUNT.get(kind, 0), kind
    assert not AT_ONCE & UNTIL_CLEARED


def test_the_documented_site_is_sound() -> None:
    """The TOML in docs/twins.md is admitted, and its profiles, units and points exist."""
    text = re.findall(r"```toml\n(.*?)```", DOC, flags=re.DOTALL)[0]
    checked = check_site(door.admit(tomllib.loads(text), SiteConfig, source="docs/twins.md"))
    assert checked.units == {"charger1": 1, "meter1": 11, "charger2": 255}


def test_the_documented_commands_are_commands() -> None:
    """Each command of the table decodes, and each of the union stands in it."""
    commands = re.findall(r"^\| `(\{.*?\})` \|", DOC, flags=re.MULTILINE)
    decoded = [msgspec.json.decode(text, type=AnyCommand) for text in commands]
    assert {type(command) for command in decoded} == set(AnyCommand.__args__)
    assert all(json.loads(text)["do"] for text in commands)
