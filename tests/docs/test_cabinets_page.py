"""What the page over boards and cabinets says of each is so."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from docs import generate
from drivers.boards.config import WIRES, BoardConfig, Protocol
from drivers.boards.registry import channels_of
from drivers.boards.relay import RelayOptions
from drivers.boards.thermometer import ThermometerOptions
from drivers.boards.vmo import VmoOptions
from drivers.boards.xor import XorOptions
from drivers.boards.xunming import XunmingOptions
from edge.config import doubts, load
from edge.premises import build

TEXT = (Path(generate.__file__).parent / "cabinets-hardware.md").read_text(encoding="utf-8")
OPTIONS: dict[str, type[msgspec.Struct]] = {
    "xor": XorOptions,
    "xunming": XunmingOptions,
    "relay": RelayOptions,
    "vmo": VmoOptions,
    "thermometer": ThermometerOptions,
}


def table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head and its rule."""
    part = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows][2:]


def test_the_wires_are_those_of_the_code() -> None:
    """Every protocol once, with its baud rates and addresses, and with whom it may share a line."""
    rows = table("On the wire")
    assert [row[0].strip("`") for row in rows] == list(WIRES)
    for name, bauds, addresses, shares in rows:
        wire = WIRES[name.strip("`")]  # type: ignore[index]  # the line above has looked
        assert bauds == ", ".join(str(baud) for baud in wire.bauds)
        assert addresses == f"{wire.addresses[0]} to {wire.addresses[-1]}"
        assert ("Modbus" in shares) == (wire.family == "modbus")


def test_every_board_is_on_the_page() -> None:
    """In the order of the code."""
    assert [row[0].strip("`") for row in table("Which boards")] == list(WIRES)


def test_every_option_is_on_the_page_with_its_default() -> None:
    """Written as in a config; words where there is no value."""
    said = {(row[0].strip("`"), row[1].strip("`")): row[2].strip("`") for row in table("The options of each")}
    wanted = {
        (protocol, field.name): field.default
        for protocol, into in OPTIONS.items()
        for field in msgspec.structs.fields(into)
    }
    assert set(said) == set(wanted)
    for place, default in wanted.items():
        shown = f'"{default}"' if isinstance(default, str) else str(default).lower()
        assert said[place] == ("the board's own" if default is None else shown), place


@pytest.mark.parametrize("protocol", list(WIRES))
def test_how_many_locks(protocol: Protocol) -> None:
    """As its dialogue says without options."""
    row = next(row for row in table("Which boards") if row[0] == f"`{protocol}`")
    channels = channels_of(BoardConfig(id="b", protocol=protocol, line="l"))
    numbers = [int(number) for number in re.findall(r"\d+", row[2])]
    assert (len(channels.locks) in numbers) if numbers else not channels.locks


def test_the_config_on_the_page(tmp_path: Path) -> None:
    """What a reader copies loads and builds, without a doubt."""
    block = re.findall(r"```toml\n(.*?)```", TEXT, re.S)[0]
    (tmp_path / "config.toml").write_text(block)
    config = load(tmp_path / "config.toml")
    assert doubts(config) == []
    cabinet = build(config).cabinets["cab-1"]
    fifth = cabinet.wired[5]
    assert fifth.door_open is not None
    assert fifth.present is not None
    assert [str(wire.ref) for wire in (fifth.lock, fifth.door_open, fifth.present)] == [
        "locks-1/5",
        "doors/5",
        "doors/13",
    ]
