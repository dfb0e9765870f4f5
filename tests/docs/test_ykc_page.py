"""What the page over YKC piles says is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from docs import generate
from drivers.port_board import order_number
from drivers.ports import ykc, ykc_bills, ykc_says, ykc_switchboard
from drivers.ports.ykc_config import PileConfig, YkcConfig
from protocols.door import admit
from protocols.fieldbus.ykc import KINDS, End
from protocols.trade.pile_bill import Wrong

TEXT = (Path(generate.__file__).parent / "ykc.md").read_text(encoding="utf-8")


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first heading this is."""
    part = TEXT.split(f"| {first} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in part.splitlines()[2:]]


def test_the_frames_are_those_of_the_driver() -> None:
    """Each message that it says or hears, by its kind, and from the right end."""
    sources = [Path(module.__file__ or "").read_text(encoding="utf-8") for module in (ykc, ykc_switchboard)]
    words = set(re.findall(r"[A-Za-z]+", "".join(sources)))
    used = {f"{kind:02X}": message.__name__ for kind, message in KINDS.items() if message.__name__ in words}
    rows = table("frame")
    said = {row[0]: row[1].strip("`") for row in rows}
    assert said == used
    for number, _, end, _ in rows:
        assert End.PILE.says(int(number, 16)) == (end == "pile")


def test_the_options_are_all_there() -> None:
    """Of both tables, but for the names."""
    rows = table("option")
    named = {(row[1].strip("`"), option) for row in rows for option in re.findall(r"`([a-z_]+)`", row[0])}
    plain = {("[[ykc]]", field) for field in YkcConfig.__struct_fields__ if field not in ("id", "pile")}
    plain |= {("[[ykc.pile]]", field) for field in PileConfig.__struct_fields__ if field != "id"}
    assert named == plain


def test_the_findings_are_those_of_the_code() -> None:
    """In their order."""
    assert [row[0].strip("`") for row in table("finding")] == [wrong.value for wrong in Wrong]


def test_the_example_is_a_config() -> None:
    """As it stands there."""
    block = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None

    class Site(msgspec.Struct, forbid_unknown_fields=True):
        ykc: tuple[YkcConfig, ...]

    admit(tomllib.loads(block[1]), Site, source="docs/ykc.md")


def test_numbers() -> None:
    """The order's digits, and the limits."""
    told = ykc_says.order_of(order_number(3, 7, 417), "32010200000001", 1)
    assert told in TEXT.replace("` `", "").replace("`\n`", "")
    assert f"more than {ykc_bills.WAITING_MAX} bills" in TEXT
    assert ykc_switchboard.NOISE_MAX == 1_024
