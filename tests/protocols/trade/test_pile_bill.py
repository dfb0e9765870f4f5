"""A pile's own bill beside the tariff: what is found, and what rounding explains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.ykc_money import Price, PriceModel
from protocols.trade.pile_bill import Wrong, check

CHINA_MIN = 480
PRICES = (Price(100_000, 30_000), Price(90_000, 30_000), Price(60_000, 30_000), Price(30_000, 30_000))
MODEL = PriceModel(
    "0100", PRICES, 0, (3,) * 14 + (2,) * 2 + (1,) * 6 + (2,) * 4 + (1,) * 10 + (0,) * 4 + (2,) * 4 + (3,) * 4
)
TEN_MS = 1_795_228_200_000  # 2026-11-21, 10:30 in China
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Part:
    period: int
    energy_wh: int
    amount_fen: int


@dataclass(frozen=True)
class Said:
    """The facts' bill: 4 kWh in the peak, 3.376 in the flat hours."""

    energy_wh: int | None = 7_376
    amount_fen: int | None = 784
    parts: tuple[Part, ...] = (Part(1, 4_000, 480), Part(2, 3_376, 304))
    register_wh: tuple[int, int] | None = (123_456_789, 123_464_165)
    began_ms: int | None = TEN_MS
    ended_ms: int | None = TEN_MS + HOUR_MS * 5 // 4 + 30_000


def found(said: Said, **changes: Any) -> list[Wrong]:
    plain: dict[str, Any] = {"model": MODEL, "utc_offset_min": CHINA_MIN}
    return [one.what for one in check(said, **{**plain, **changes})]


def test_the_facts_bill_is_right() -> None:
    """With and without what we saw of it."""
    assert found(Said()) == []
    assert found(Said(), model=None) == []
    assert found(Said(), seen_ms=(TEN_MS + 20_000, TEN_MS + HOUR_MS * 5 // 4), power_w_max=7_000) == []


WRONG: list[tuple[str, dict[str, Any], dict[str, Any], list[Wrong]]] = [
    ("register goes back", {"register_wh": (100, 99)}, {}, [Wrong.REGISTER_BACK]),
    ("register says more", {"register_wh": (123_456_789, 123_464_665)}, {}, [Wrong.REGISTER]),
    ("one Wh of rounding", {"register_wh": (123_456_789, 123_464_166)}, {}, []),
    ("no register", {"register_wh": None}, {}, []),
    ("parts are less", {"parts": (Part(1, 4_000, 480),)}, {}, [Wrong.PARTS, Wrong.SUM, Wrong.AMOUNT]),
    ("no parts at all", {"parts": (), "amount_fen": 0}, {}, [Wrong.PARTS]),
    ("no beginning", {"began_ms": None}, {}, [Wrong.TIMES]),
    ("ended before it began", {"ended_ms": TEN_MS - 1}, {}, [Wrong.TIMES]),
    ("clock an hour slow", {}, {"seen_ms": (TEN_MS + HOUR_MS, None)}, [Wrong.CLOCK]),
    ("clock two minutes slow", {}, {"seen_ms": (TEN_MS + 120_000, None)}, []),
    ("more than the gun gives", {}, {"power_w_max": 3_500}, [Wrong.POWER]),
    ("night price by day", {"parts": (Part(1, 4_000, 480), Part(3, 3_376, 203)), "amount_fen": 683}, {},
     [Wrong.PERIOD]),
    ("a part too dear", {"parts": (Part(1, 4_000, 480), Part(2, 3_376, 354)), "amount_fen": 834}, {},
     [Wrong.PRICE, Wrong.AMOUNT]),
    ("a fen of rounding", {"parts": (Part(1, 4_000, 480), Part(2, 3_376, 305)), "amount_fen": 785}, {}, []),
    ("the sum is not the parts'", {"amount_fen": 1_084}, {}, [Wrong.SUM, Wrong.AMOUNT]),
    ("a period that there is not", {"parts": (Part(1, 4_000, 480), Part(9, 3_376, 304))}, {},
     [Wrong.PERIOD, Wrong.PERIOD]),
    ("nothing flowed", {"energy_wh": 0, "amount_fen": 0, "parts": (), "register_wh": (5, 5)}, {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told", "wrong"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_findings(changes: dict[str, Any], told: dict[str, Any], wrong: list[Wrong]) -> None:
    """Each by its name, and nothing else."""
    assert found(replace(Said(), **changes), **told) == wrong


def test_every_finding_has_a_row() -> None:
    """Those that there are."""
    assert {one for row in WRONG for one in row[3]} == set(Wrong)


def test_words_for_a_person() -> None:
    """What was expected, and what came."""
    (one,) = check(replace(Said(), amount_fen=None, parts=(Part(1, 4_000, 480), Part(2, 3_376, 354))), MODEL, CHINA_MIN)
    assert one.expected == "302 to 306 fen for 3376 Wh in flat"
    assert one.got == "354 fen"


@given(st.lists(st.integers(0, 2_000_000), min_size=4, max_size=4), st.integers(0, 10**10))
def test_a_bill_that_is_right_to_its_digits_has_no_findings(slots_dwh: list[int], start_dwh: int) -> None:
    """Whatever was rounded away on its way here."""
    total_dwh, so_far, parts = sum(slots_dwh), 0, []
    amounts_e2 = []
    for slot, dwh in enumerate(slots_dwh):
        before = so_far // 10
        so_far += dwh
        amount_e2 = (MODEL.prices[slot].price_e3 * dwh + 50_000) // 100_000
        amounts_e2.append(amount_e2)
        if dwh or amount_e2:
            parts.append(Part(slot, so_far // 10 - before, -(-amount_e2 // 100)))
    said = Said(
        energy_wh=total_dwh // 10,
        amount_fen=-(-sum(amounts_e2) // 100),
        parts=tuple(parts),
        register_wh=(start_dwh // 10, (start_dwh + total_dwh) // 10),
        began_ms=TEN_MS,
        ended_ms=TEN_MS + 24 * HOUR_MS,
    )
    assert found(said) == []
