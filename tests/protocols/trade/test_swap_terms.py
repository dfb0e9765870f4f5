"""Terms of swaps and rent: what a file says, what it costs to the fen, and which packs are whose."""

from __future__ import annotations

import re
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.door import Refused
from protocols.trade import pack_list, swap_terms, swap_terms_file
from protocols.trade.codec import NotCanonical, decode, encode
from protocols.trade.pack_list import PackEntry, PackList
from protocols.trade.records_pack import DEPOSIT, DEPOSIT_WAIVED
from protocols.trade.swap_terms import (
    FREE,
    SwapOffer,
    SwapTerms,
    deposits_for,
    hold_for,
    is_fleet,
    may_follow,
    model_of,
    price_late,
    price_rent,
    price_swap,
    rent_named,
    rented_until_s,
    rents_for,
    swap_named,
    together,
    ways_to_pay,
)
from protocols.trade.tariff import DAY_S, Offset

from .samples import SHANGHAI

DOC = Path(__file__).parents[3] / "docs" / "shop.md"
A, B = "BT3072020120000200521001", "BT3072030120000200521001"


def written() -> dict[str, Any]:
    """The file that docs/shop.md shows."""
    found = re.search(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return tomllib.loads(found[1])


def offsets_of(zone: str) -> list[Offset] | None:
    return {"Asia/Shanghai": SHANGHAI}.get(zone)


def read(data: dict[str, Any]) -> SwapTerms:
    return swap_terms_file.read(data, offsets_of, next_version=7, source="swaps.toml")


TERMS = read(written())


def test_the_file_of_the_docs() -> None:
    """It reads, holds, and comes back from its bytes; what is left out has its stated default."""
    assert swap_terms.disorder(TERMS) == []
    assert decode(encode(TERMS), SwapTerms) == TERMS
    assert (TERMS.version, TERMS.zone, TERMS.offsets) == (7, "Asia/Shanghai", SHANGHAI)
    assert TERMS.swaps[0] == SwapOffer("month-pass", "plan", "month-pass", 1, 0, 0, 0, 1200, 900)
    assert TERMS.rents[0].grace_s == 12 * 3600
    with pytest.raises(NotCanonical):
        decode(encode(TERMS) + b"\0", SwapTerms)


def test_every_fault_of_a_file_is_told() -> None:
    """Each with its path, in the file's own words."""
    data = written()
    data["swaps"][1] |= {"yuan": "free", "full_percent": 101}
    data["rents"][0]["days"] = 0
    data["models"][0]["codes"] = ["bt*"]
    with pytest.raises(Refused) as refused:
        read(data)
    assert {fault.path for fault in refused.value.faults} == {
        "swaps[1].yuan",
        "swaps[1].full_percent",
        "rents[0].days",
        "models[0].codes[0]",
    }
    data = written()
    data["swaps"][2] |= {"at_most_yuan": "0.50", "full_percent": 40}
    data["swaps"][0]["name"] = "single"
    data["models"][1]["fits"] = ["48V10"]
    data["models"][0]["codes"] = []
    with pytest.raises(Refused) as refused:
        read(data)
    assert {fault.path for fault in refused.value.faults} == {
        "swaps",
        "swaps[2].at_most_yuan",
        "swaps[2].full_percent",
        "models[1].fits",
        "models[0].codes",
    }
    data = written()
    data["swaps"][1]["yuan_per_kwh"] = "1"
    del data["swaps"][2]["at_most_yuan"]
    with pytest.raises(Refused) as refused:
        read(data)
    assert {fault.path for fault in refused.value.faults} == {"swaps[1].yuan_per_kwh", "swaps[2].at_most_yuan"}


@pytest.mark.parametrize(
    ("rule", "code", "fits"),
    [
        ("BT3072020*", A, True),
        ("BT3072020*", "BT3072020", True),
        ("BT3072020*", "BT307202", False),
        ("BT3072020*", "", False),
        ("BT?07202?1*", A, True),
        (A, A, True),
        (A, A + "0", False),
        ("?" * 24, A, True),
        ("?" * 23, A, False),
        ("*", A, False),
    ],
)
def test_which_codes_a_rule_means(rule: str, code: str, fits: bool) -> None:
    """`?` is one character, `*` any rest; an empty code is nobody's, and a bare `*` no rule of a file."""
    if rule == "*":
        with pytest.raises(Refused):
            read({"models": [{"name": "all", "codes": ["*"]}]})
        return
    model = msgspec.structs.replace(TERMS.models[0], rules=[rule])
    assert is_fleet(msgspec.structs.replace(TERMS, models=[model]), code) is fits


def test_packs_that_may_stand_in_for_one_another() -> None:
    """The own model, and those that it says fit; never a foreign pack."""
    assert (may_follow(TERMS, A, A), may_follow(TERMS, A, B), may_follow(TERMS, B, A)) == (True, True, False)
    assert not may_follow(TERMS, A, "XX")
    found = model_of(TERMS, B)
    assert found is not None
    assert found.name == "72V30"


def test_how_a_swap_is_paid() -> None:
    """Each plan in its order, then the first price."""
    assert [one.name for one in ways_to_pay(TERMS)] == ["month-pass", "single"]
    assert ways_to_pay(swap_terms.NO_SWAPS) == []


@pytest.mark.parametrize(
    ("offer", "energy_wh", "lines", "fen"),
    [
        ("month-pass", 900, [("swap", 1, 0, 0)], 0),
        ("single", 900, [("swap", 1, 350_000, 350)], 350),
        ("by-energy", 1_234, [("energy", 1_234, 120_000, 148)], 148),
        ("by-energy", 0, [("swap", 1, 100_000, 100)], 100),
        ("by-energy", -200, [("swap", 1, 100_000, 100)], 100),
        ("by-energy", None, [("swap", 1, 100_000, 100)], 100),
        ("by-energy", 9_000, [("swap", 1, 600_000, 600)], 600),
    ],
)
def test_what_a_swap_costs(offer: str, energy_wh: int | None, lines: list[tuple[str, int, int, int]], fen: int) -> None:
    """By the difference of energy, with its floor and its cap; a pack that is no fuller costs the floor."""
    found = swap_named(TERMS, offer)
    assert found is not None
    bill = price_swap(found, energy_wh)
    assert [(it.code, it.quantity, it.price_e3, it.amount_fen) for it in bill.lines] == lines
    assert bill.amount_fen == fen
    assert hold_for(found) >= (1 if found.kind == "plan" else fen)


@given(st.integers(-5_000, 50_000))
def test_a_hold_covers_any_swap(energy_wh: int) -> None:
    """Rounded once, half up, inside of floor and cap."""
    for offer in TERMS.swaps:
        bill = price_swap(offer, energy_wh)
        assert sum(line.amount_fen for line in bill.lines) == bill.amount_fen
        assert abs(bill.exact - bill.amount_fen) <= Fraction(1, 2)
        assert offer.kind == "plan" or bill.amount_fen <= hold_for(offer)


def test_rent_and_what_being_late_costs() -> None:
    """A term is one line; late days are those begun, once the grace is over."""
    rent = rent_named(TERMS, "month")
    assert rent is not None
    assert rents_for(TERMS, A) == [rent]
    assert rents_for(TERMS, "XX") == []
    assert price_rent(rent).amount_fen == 19_900
    until_s = rented_until_s(1_000, 1_060, rent)
    assert until_s == 1_060 + 30 * DAY_S
    late = [price_late(rent.grace_s, rent.late_e3, until_s, until_s + over_s) for over_s in (-5, 12 * 3600)]
    assert late == [FREE, FREE]
    bill = price_late(rent.grace_s, rent.late_e3, until_s, until_s + DAY_S + 1)
    assert [(it.code, it.quantity, it.amount_fen) for it in bill.lines] == [("late", 2, 1_000)]
    both = together([price_rent(rent), bill])
    assert (both.amount_fen, len(both.lines)) == (20_900, 2)


def test_which_deposit_is_asked() -> None:
    """A waiver before money; none for a model that asks none, or for a foreign pack."""
    assert deposits_for(TERMS, A) == [(DEPOSIT_WAIVED, 1), (DEPOSIT, 30_000)]
    assert deposits_for(TERMS, "XX") == []


def entry(code: str, **more: Any) -> PackEntry:
    made = {"number": 0, "hot": False, "rented_by": "", "until_s": 0, "grace_s": 0, "late_e3": 0, "inspect_by_s": 0}
    return PackEntry(code, **{**made, **more})


def test_the_list_of_packs() -> None:
    """Found by code; overdue only once its day has surely passed; sorted, each once."""
    packs = PackList(3, 0, [entry("A", hot=True), entry("C", inspect_by_s=1_000)])
    assert pack_list.is_hot(packs, "A")
    assert not pack_list.is_hot(packs, "B")
    assert [pack_list.is_overdue(packs, "C", lb_s) for lb_s in (0, 1_000, 1_001)] == [False, False, True]
    assert not pack_list.is_overdue(packs, "A", 10**10)
    assert pack_list.disorder(packs) == []
    assert pack_list.disorder(PackList(3, 0, [entry("C"), entry("A")]))
    assert decode(encode(packs), PackList) == packs
