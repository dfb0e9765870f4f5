"""Tables of a shop front in the terminal: every column in line, whatever stands in it, and colours for nobody else."""

from __future__ import annotations

import io
from collections.abc import Callable

from edge.panel import show_port, show_swap
from edge.panel.messages_swap import PackView
from edge.panel.paper import Paper, width
from tests.edge.panel.test_status_of_a_shop import CHARGING, SWAP, cabinet, port, slot


def printed(show: Callable[[Paper], None], *, colours: bool = False) -> list[str]:
    out = io.StringIO()
    show(Paper(out, colours=colours))
    return out.getvalue().splitlines()


SLOTS = [
    slot(1, "pack", code="BT3072020120000200521001", soc_permille=965, voltage_mv=82_900, charging=False),
    slot(2, "unsure", door="open", may_charge=False),
    slot(12, "pack", code="备用电池", soc_permille=1_000, voltage_mv=8_300, charging=True),
    slot(13, "empty", state="off", why="锁坏了", charging=None),
]


def test_slots() -> None:
    """A Chinese word takes two columns for each character, and the next column begins where the others do."""
    lines = printed(lambda paper: show_swap.cabinets(paper, [cabinet(*SLOTS, errors=["locks-1: silent"])]))
    assert lines == [
        "SLOT      DOOR  HOLDS   CODE                      CHARGE  VOLTAGE  STATE       CHARGER",
        "cab-1 1   shut  pack    BT3072020120000200521001    96 %   82.9 V  on          off",
        "cab-1 2   open  unsure                                 -        -  on          off, may not",
        "cab-1 12  shut  pack    备用电池                   100 %    8.3 V  on          on",
        "cab-1 13  shut  empty                                  -        -  off 锁坏了  -",
        "cab-1: locks-1: silent",
    ]
    assert len({width(line[: line.rindex("o")]) for line in (lines[1], lines[3])}) == 1


def test_who_is_at_a_cabinet() -> None:
    """Below the slots, and in a list of its own."""
    lines = printed(lambda paper: show_swap.cabinets(paper, [cabinet(*SLOTS[:1], swap=SWAP)]))
    assert lines[-1] == "cab-1: session hz-1/1/17, swap, given slot 3, ann"
    assert printed(lambda paper: show_swap.swaps(paper, [SWAP])) == [
        "SESSION    CABINET  KIND  ACCOUNT  OFFER     STEP   SLOT  CASE  HOLDS       SINCE",
        "hz-1/1/17  cab-1    swap  ann      swaps-30  given     3        1 swaps-30  6.0 s",
    ]


def test_packs() -> None:
    """Where each is now, or was last."""
    packs = [PackView("BT1", "slot", "cab-1", 4, "", 13), PackView("BT22", "unknown", "cab-1", 12, "", 120)]
    assert printed(lambda paper: show_swap.packs(paper, packs)) == [
        "CODE  WHERE    SLOT, NOW OR LAST  ACCOUNT  RECORD",
        "BT1   slot     cab-1 4            -            13",
        "BT22  unknown  cab-1 12           -           120",
    ]


def test_ports() -> None:
    """What each does, for whom, and what it has come to; no column about lockers where there are none."""
    listed = [port("rack.3", "charging", session=CHARGING), port("rack.10", "fault", reason="0F"), port("pile.1", None)]
    assert printed(lambda paper: show_port.ports(paper, listed)) == [
        "PORT     PRICE  STATE     SESSION",
        "rack.3   bikes  charging  running, 240 W, ¥0.30 of ¥5.00",
        "rack.10  bikes  fault 0F",
        "pile.1   bikes  silent",
    ]


def test_colours_change_no_column() -> None:
    """They are told apart by colour on a terminal, and stand where they stood."""

    def show(paper: Paper) -> None:
        show_swap.cabinets(paper, [cabinet(*SLOTS)])

    plain, coloured = printed(show), printed(show, colours=True)
    assert plain != coloured
    assert [width(line) for line in plain] == [width(line) for line in coloured]
