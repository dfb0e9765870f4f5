"""What the page over all pump protocols says of each is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from docs import generate
from drivers.line import Line
from drivers.line_config import LineConfig
from drivers.pump import PumpState, PumpTraits
from drivers.pumps.config import WIRES, NozzleConfig, Protocol, PumpConfig
from drivers.pumps.pts_config import ControllerConfig
from drivers.pumps.registry import build_controller, build_pump

TEXT = (Path(generate.__file__).parent / "pumps.md").read_text(encoding="utf-8")
PAGE_OF = {"yes": {True}, "no": {False}, "by option": {False, True}}


def table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without its rule."""
    part = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not set("".join(row)) <= {"-", " "}]


def traits(protocol: Protocol, options: dict[str, object]) -> PumpTraits:
    config = PumpConfig(
        id="p", number=1, protocol=protocol, address=WIRES[protocol].addresses[0], options=options,
        nozzles=(NozzleConfig(number=1, grade="92"),),
        line=None if protocol == "pts" else "l", controller="c" if protocol == "pts" else None,
    )  # fmt: skip
    if protocol == "pts":
        controller = ControllerConfig(id="c", host="127.0.0.1", tls=False, password_file="password")
        return build_pump(config, build_controller(controller)).traits
    return build_pump(config, Line(LineConfig(id="l", path="/dev/null"))).traits


def test_the_wires_are_those_of_the_code() -> None:
    """Rates and characters as `check` expects them; every protocol once."""
    rows = table("On the wire")[1:]
    assert [row[0].strip("`") for row in rows] == list(WIRES)
    for name, _, bauds, character, address, _ in rows:
        wire = WIRES[name.strip("`")]  # type: ignore[index]  # the line above has looked
        assert [int(baud) for baud in bauds.split(", ") if baud] == list(wire.bauds[: len(bauds.split(", "))])
        assert character == (wire.mode if wire.bauds else "")
        first, last = wire.addresses[0], wire.addresses[-1]
        assert address.startswith((f"{first} to {last}", f"0x{first:02X} and up"))


def test_the_states_are_those_of_the_code() -> None:
    """In the order of a sale."""
    assert [row[0].split("`")[1] for row in table("The states")[1:]] == [state.value for state in PumpState]


@pytest.mark.parametrize(
    ("row", "can", "options"),
    [
        (
            "order before the nozzle is lifted",
            lambda it: not it.lift_first,
            {"dart": {"lift_first": False}, "gilbarco": {}, "azt": {}, "sanki": {}, "pts": {}},
        ),
        (
            "pause and go on",
            lambda it: it.can_suspend,
            {"dart": {"suspend": "cd14"}, "gilbarco": {"can_resume": True}, "azt": {}, "sanki": {}, "pts": {}},
        ),
    ],
)
async def test_what_each_can_do(
    row: str, can: Callable[[PumpTraits], bool], options: dict[Protocol, dict[str, object]]
) -> None:
    """By its traits, as they are by default and with the option that the page means."""
    header, *rows = table("What each can do")
    said = dict(zip((cell.strip("`") for cell in header[1:]), next(it for it in rows if it[0] == row)[1:], strict=True))
    for protocol, more in options.items():
        seen = [traits(protocol, chosen) for chosen in ({}, more)]
        assert {can(it) for it in seen} == PAGE_OF[said[protocol]], protocol
