"""A bill that several payers share: the nightly run draws it again, and notices a part taken from the wrong one."""

from __future__ import annotations

import hashlib

import pytest
from site_story import DATE, PRICES, at

from cloud.night.reconcile.bills import reconcile_bills
from cloud.night.reconcile.findings import Finding
from cloud.night.reconcile.log import Instant, LogFacts, LogKey, Session
from protocols.trade import price, tender
from protocols.trade.codec import encode
from protocols.trade.documents import TARIFF
from protocols.trade.records import (
    CNY,
    ClockQuality,
    Effect,
    Hold,
    Move,
    Origin,
    Pin,
    Preset,
    Register,
    SessionClosed,
    SessionOpened,
    Slice,
)
from protocols.trade.tender import Tender, Tenders

TENDERS = Tenders(1, [Tender("POINTS", [], 1, 10, True)])
PINS = [
    Pin(TARIFF, 1, hashlib.sha256(encode(PRICES)).digest()),
    Pin(tender.KIND, 1, hashlib.sha256(encode(TENDERS)).digest()),
]
HOLDS = [Hold("ann", "POINTS", 500), Hold("ann", CNY, 60), Hold("guest", CNY, 400)]


def findings(*captures: tuple[str, str, int], known: bool = True) -> list[tuple[str, str]]:
    """What is found in a session of 2.00 yuan with these captures."""
    began_ms = at("01:00")
    slices = (Slice(0, 60_000, 2_000),)
    bill = price.bill(PRICES, price.Delivered(slices, 0, began_ms, began_ms))
    assert bill.amount_fen == 200
    begin, end = Register("m1", 100, 0, began_ms), Register("m1", 2_100, 60_000, began_ms)
    origin = Origin("panel", b"", 0, "li")
    opened = SessionOpened("c1", HOLDS, Preset("full", 0), origin, begin, PINS, began_ms, began_ms)
    closed = SessionClosed(
        5, "Local", end, 2_000, list(slices), 0, began_ms, began_ms, list(bill.lines), 200,
        bill.exact_fen.numerator, bill.exact_fen.denominator, 0, None,
    )  # fmt: skip
    key = LogKey("s1", 1)
    moves = tuple(Move(Effect.USED, account, asset, "", amount, amount) for account, asset, amount in captures)
    now = Instant(5, b"boot-one", 0, began_ms, began_ms, ClockQuality.SYNCHRONISED, DATE)
    session = Session(key, now, opened, tuple(HOLDS), now, closed, moves=moves)
    facts = LogFacts(key)
    facts.sessions[5] = session
    signed = {PINS[1].hash: TENDERS} if known else {}
    found: list[Finding] = list(reconcile_bills([facts], {PINS[0].hash: PRICES}, signed))
    return [(one.code, one.detail) for one in found]


def test_each_payer_has_paid_the_part_that_the_order_gives() -> None:
    """50 fen in points, 60 of her money, 90 of the guest's."""
    assert findings(("ann", "POINTS", 500), ("ann", CNY, 60), ("guest", CNY, 90)) == []


@pytest.mark.parametrize(
    "captures",
    [
        [("ann", "POINTS", 500), ("ann", CNY, 50), ("guest", CNY, 100)],
        [("ann", "POINTS", 490), ("ann", CNY, 60), ("guest", CNY, 90)],
        [("ann", CNY, 60), ("guest", CNY, 140)],
        [],
    ],
)
def test_a_part_taken_from_another_is_found(captures: list[tuple[str, str, int]]) -> None:
    """The sum may be right, and somebody has paid what was another's."""
    ((code, detail),) = findings(*captures)
    assert code == "capture-differs"
    assert "in the stated order it is 60 CNY of ann, 500 POINTS of ann, 90 CNY of guest" in detail


def test_a_document_that_is_gone_is_said() -> None:
    """Without it nobody can tell who owed what."""
    assert [code for code, _ in findings(("ann", "POINTS", 500), known=False)] == ["tariff-missing"]
