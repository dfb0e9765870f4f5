"""What the pages on packs and readers say is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from docs import generate
from drivers.packs import options
from drivers.packs.config import WIRES
from drivers.packs.registry import TONGUES
from drivers.readers.config import TRAITS, FormConfig
from drivers.readers.registry import DRIVERS
from protocols.door import check
from protocols.fieldbus.card_number import CardNumber, say

FOLDER = Path(generate.__file__).parent
PACKS = (FOLDER / "packs.md").read_text(encoding="utf-8")
READERS = (FOLDER / "readers.md").read_text(encoding="utf-8")
OPTIONS: dict[str, type[msgspec.Struct]] = {
    "greenway": options.GreenwayOptions, "jbd": options.JbdOptions, "jk4e57": options.Jk4e57Options,
    "daly": options.DalyOptions, "daly-modbus": options.DalyModbusOptions, "pace": options.PaceOptions,
    "seplos": options.SeplosOptions, "vmo": options.VmoOptions,
}  # fmt: skip
COMMON = {"cells", "charge_switch"}
SLEEPS = {"charger voltage": "charger", "any frame": "frame", "its activating frame": "frame", "never": "none"}


def table(text: str, heading: str) -> list[list[str]]:
    """The rows below a heading, "" for the page's first, without the heads and the rule."""
    part = text.split(f"## {heading}\n")[1].split("\n## ")[0] if heading else text.split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not set("".join(row)) <= {"-", " "}][1:]


def names(rows: list[list[str]]) -> list[str]:
    return [row[0].strip("`") for row in rows]


def test_every_pack_protocol_is_there() -> None:
    """Once, in the order of the code."""
    assert names(table(PACKS, "")) == names(table(PACKS, "On the wire")) == list(WIRES) == list(TONGUES)
    assert list(OPTIONS) == list(WIRES)


def test_the_wires_are_those_of_the_code() -> None:
    """Rates, addresses, patience, and what wakes a pack."""
    for name, _, bauds, address, timeout, tries, sleeps in table(PACKS, "On the wire"):
        wire = WIRES[name.strip("`")]  # type: ignore[index]  # another test has looked
        assert [int(baud) for baud in bauds.split(", ")] == list(wire.bauds)
        assert (
            (len(wire.addresses) == 1 and wire.address == 0) if address == "none" else int(address, 0) == wire.address
        )
        assert (int(timeout.removesuffix(" ms")), int(tries)) == (round(1000 * wire.timeout_s), wire.tries)
        assert SLEEPS[sleeps] == wire.wakes_by


def test_what_is_disputed_is_what_can_be_set() -> None:
    """Each option but the common ones has its row, with its values and the default first."""
    rows = {(name.strip("`"), option.strip("`")): values for name, option, values, _ in table(PACKS, "Disputed points")}
    there = {
        (protocol, field.name): field
        for protocol, struct in OPTIONS.items()
        for field in msgspec.structs.fields(struct)
        if field.name not in COMMON
    }
    assert set(rows) == set(there)
    for key, field in there.items():
        values = [value.strip("`") for value in re.split(r", | to ", rows[key])]
        choices = _choices(field.type)
        if choices:
            assert set(values) == {str(choice) for choice in choices}
        if field.default is not None and choices:
            assert values[0] == str(field.default), key


def _choices(kind: Any) -> list[Any]:
    kinds = [kind, *get_args(kind)]
    return [choice for one in kinds if get_origin(one) is Literal for choice in get_args(one)]


@pytest.mark.parametrize(("row", "option"), [("each cell", "cells"), ("charge switch", "charge_switch")])
def test_what_is_by_option_is_an_option(row: str, option: str) -> None:
    """And no other protocol has it."""
    (said,) = [cells[1:] for cells in table(PACKS, "What each says") if cells[0] == row]
    has = {name for name, struct in OPTIONS.items() if option in struct.__struct_fields__}
    assert {name for name, cell in zip(WIRES, said, strict=True) if cell == "by option"} == has


def test_every_kind_of_reader_is_there() -> None:
    """With its baud rate, where it can be, and whether a dead one shows."""
    rows = table(READERS, "")
    assert names(rows) == list(TRAITS) == list(DRIVERS)
    for name, _, link, baud, noticed in rows:
        traits = TRAITS[name.strip("`")]  # type: ignore[index]  # the line above has looked
        assert (int(baud) if baud else None) == traits.baud
        assert ("descriptor" in link) is not traits.talks
        assert noticed == ("by its port" if traits.beats is None else f"within {traits.beats:g} s")


def test_the_forms_print_what_the_page_says() -> None:
    """Each row, by the code."""
    tag = CardNumber(bytes.fromhex("01000734E0"))
    for form, printed in table(READERS, "One card, one customer"):
        data = tomllib.loads(f"form = {form.strip('`')}")["form"]
        config, faults = check(data, FormConfig)
        assert not faults
        assert config is not None
        assert say(tag, config.form) == printed.strip("`")


def test_the_options_have_no_hidden_fields() -> None:
    """What a struct has, a person can read of: each option is named on the page."""
    for struct in OPTIONS.values():
        for name in get_type_hints(struct):
            if name in struct.__struct_fields__:
                assert f"`{name}" in PACKS
