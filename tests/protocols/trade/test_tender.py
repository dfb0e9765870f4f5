"""Several payers, one bill: every fen is paid once, by whoever may pay it, in the stated order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.trade.codec import decode, encode
from protocols.trade.records import CNY, BillLine, Hold
from protocols.trade.tender import (
    LINES,
    MONEY_ALONE,
    Tender,
    Tenders,
    all_worth_fen,
    covers,
    disorder,
    draw,
    owed_by,
    tender_of,
)

POINTS = Tender("POINTS", [], 1, 10, True)  # ten of them are a fen
SUN = Tender("SUN", ["energy"], 1, 1, True)  # pays energy alone
FREE_START = Tender("START", ["session"], 500, 1, False)
COUPON = Tender("COUPON", [], 1_000, 1, False)  # 10.00, once
TENDERS = Tenders(1, [COUPON, POINTS, FREE_START, SUN])

ALICE, GUEST = Hold("alice", CNY, 6_000), Hold("guest-7", CNY, 4_000)


def paid(owed: Mapping[str, int], *holds: Hold) -> tuple[list[int], list[int], int]:
    drawn = draw(owed, holds, TENDERS)
    return [one.units for one in drawn.captures], [one.paid_fen for one in drawn.captures], drawn.overrun_fen


def test_60_stored_and_40_just_paid_add_up_for_every_stopping_fen() -> None:
    """Every bill from 0 to beyond 100.00: stored value first, then what was just paid, then overrun; no fen twice."""
    for amount_fen in range(10_101):
        drawn = draw({"energy": amount_fen}, [ALICE, GUEST], MONEY_ALONE)
        alice, guest = (one.units for one in drawn.captures)
        assert alice == min(amount_fen, 6_000)
        assert guest == min(amount_fen - alice, 4_000)
        assert drawn.overrun_fen == amount_fen - alice - guest == max(0, amount_fen - 10_000)
        released, refund = 6_000 - alice, 4_000 - guest
        assert alice + guest + released + refund == 10_000
        assert released == 0 or guest == 0, "the second payer pays only what the first could not"


@pytest.mark.parametrize(
    ("what", "owed", "holds", "units", "overrun_fen"),
    [
        ("an asset for energy leaves the service fee to money", {"energy": 700, "service": 300},
         [Hold("a", "SUN", 900), Hold("a", CNY, 900)], [700, 300], 0),
        ("money that comes first leaves energy to what can pay nothing else", {"energy": 700, "service": 300},
         [Hold("a", CNY, 600), Hold("a", "SUN", 900)], [600, 400], 0),
        ("what nobody may pay is overrun", {"energy": 700, "service": 300}, [Hold("a", "SUN", 900)], [700], 300),
        ("points pay at their rate", {"energy": 25}, [Hold("a", "POINTS", 200), Hold("a", CNY, 100)], [200, 5], 0),
        ("a point that is begun is used", {"energy": 3}, [Hold("a", "POINTS", 35)], [30], 0),
        ("a coupon is taken whole when the bill comes to its worth", {"energy": 1_200},
         [Hold("a", "COUPON", 1), Hold("a", CNY, 500)], [1, 200], 0),
        ("and not at all when others can pay less than that", {"energy": 400},
         [Hold("a", "COUPON", 1), Hold("a", CNY, 500)], [0, 400], 0),
        ("but whole when they cannot", {"energy": 600}, [Hold("a", "COUPON", 1), Hold("a", CNY, 500)], [1, 0], 0),
        ("of two coupons one is enough", {"energy": 900},
         [Hold("a", "COUPON", 1), Hold("a", "COUPON", 1)], [0, 1], 0),
        ("a free start pays the start, if it costs as much", {"energy": 100, "session": 500},
         [Hold("a", "START", 1), Hold("a", CNY, 999)], [1, 100], 0),
        ("what no document knows pays nothing", {"energy": 10},
         [Hold("a", "SHELLS", 99), Hold("a", CNY, 99)], [0, 10], 0),
        ("nothing owed, nothing taken", {"energy": 0}, [Hold("a", "COUPON", 1), Hold("a", CNY, 9)], [0, 0], 0),
        ("the order is the customer's", {"energy": 500}, [Hold("b", CNY, 300), Hold("a", CNY, 300)], [300, 200], 0),
    ],
)  # fmt: skip
def test_who_pays(what: str, owed: dict[str, int], holds: list[Hold], units: list[int], overrun_fen: int) -> None:
    """One line for each rule."""
    got_units, paid_fen, got_overrun_fen = paid(owed, *holds)
    assert (got_units, got_overrun_fen) == (units, overrun_fen), what
    assert sum(paid_fen) + got_overrun_fen == sum(owed.values())


def test_a_bill_is_owed_by_code() -> None:
    """Lines of one code are one sum, whatever their periods."""
    lines = [BillLine("energy", 0, 10, 1, 7), BillLine("energy", 1, 10, 1, 5), BillLine("session", 0, 1, 1, 3)]
    assert owed_by(lines) == {"energy": 12, "session": 3}


def test_documents_say_what_cannot_be_in_force() -> None:
    """Money stands above the document; assets stand in it once; lines have their names."""
    assert disorder(TENDERS) == []
    assert decode(encode(TENDERS), Tenders) == TENDERS
    wrong = Tenders(1, [SUN, SUN, Tender(CNY, [], 2, 1, True), Tender("X", ["energie"], 1, 1, True)])
    assert [fault.path for fault in disorder(wrong)] == ["tenders", "tenders[2].asset", "tenders[3].lines"]


# --- for all of them -------------------------------------------------------------------------------------------------

fen = st.integers(0, 2_000)
SOME = LINES[:5]
"""What the oracle tries in every order: more codes would take it hours, and are no different."""
owed_amounts = st.dictionaries(st.sampled_from(SOME), fen, min_size=1)
some_holds = st.lists(
    st.builds(Hold, st.sampled_from(["a", "b"]), st.sampled_from([CNY, "POINTS", "SUN"]), fen)
    | st.builds(Hold, st.sampled_from(["a", "b"]), st.sampled_from(["COUPON", "START", "SHELLS"]), st.integers(1, 2)),
    max_size=6,
)  # fmt: skip


@given(owed_amounts, some_holds)
def test_every_fen_is_paid_once(owed: dict[str, int], holds: list[Hold]) -> None:
    """Captures and overrun add up to the bill; nobody pays more than was held, nor for lines that are not theirs."""
    drawn = draw(owed, holds, TENDERS)
    assert sum(one.paid_fen for one in drawn.captures) + drawn.overrun_fen == sum(owed.values())
    for hold, one in zip(holds, drawn.captures, strict=True):
        tender = tender_of(hold.asset, TENDERS)
        assert 0 <= one.units <= hold.amount
        if tender is None:
            assert one.units == 0
            continue
        assert one.paid_fen * tender.fen_den <= one.units * tender.fen_num, "no fen without a unit for it"
        assert tender.divisible or one.units in (0, hold.amount)
    for size in range(1, len(SOME) + 1):
        for codes in product(SOME, repeat=size):
            limited = [
                one.paid_fen
                for hold, one in zip(holds, drawn.captures, strict=True)
                if (tender := tender_of(hold.asset, TENDERS)) and tender.lines and set(tender.lines) <= set(codes)
            ]
            assert sum(limited) <= sum(owed.get(code, 0) for code in set(codes))


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(SOME), st.integers(0, 6), min_size=1), some_holds)
def test_no_other_order_leaves_less_unpaid(owed: dict[str, int], holds: list[Hold]) -> None:
    """The stated order decides who pays, never how much remains unpaid."""
    overrun_fen = draw(owed, holds, TENDERS).overrun_fen
    assert overrun_fen == draw(owed, holds[::-1], TENDERS).overrun_fen
    assert overrun_fen == draw(owed, sorted(holds, key=lambda hold: hold.asset), TENDERS).overrun_fen


@given(owed_amounts, some_holds, st.data())
def test_what_is_covered_is_never_overrun(owed: dict[str, int], holds: list[Hold], data: st.DataObject) -> None:
    """Whatever bill comes of what was known before, a hold that covered it pays it."""
    least = {code: data.draw(st.integers(0, amount)) for code, amount in owed.items()}
    most = {code: amount + data.draw(fen) for code, amount in owed.items()}
    total_fen = sum(owed.values()) + data.draw(fen)
    if covers(total_fen, least, most, holds, TENDERS):
        assert draw(owed, holds, TENDERS).overrun_fen == 0


@given(owed_amounts, some_holds)
def test_a_bill_that_is_known_is_covered_exactly_when_it_is_paid(owed: dict[str, int], holds: list[Hold]) -> None:
    """With nothing uncertain, `covers` and `draw` say the same."""
    paid_in_full = draw(owed, holds, TENDERS).overrun_fen == 0
    assert covers(sum(owed.values()), owed, owed, holds, TENDERS) == paid_in_full


@given(fen, some_holds)
def test_money_alone_is_covered_by_its_sum(total_fen: int, holds: Sequence[Hold]) -> None:
    """Where nobody is limited, covering is counting."""
    money = [hold for hold in holds if hold.asset == CNY]
    assert covers(total_fen, {}, {"energy": total_fen}, money, TENDERS) == (total_fen <= all_worth_fen(money, TENDERS))
