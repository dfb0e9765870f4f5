"""What a receipt proves, and to whom: line by line, for honest receipts, forged ones, and those of a lying site."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_

from protocols.proof import ed25519, keys
from protocols.proof.lines import Mark
from protocols.proof.note import VerifierKey
from protocols.proof.reader_keys import SiteKey
from protocols.proof.receipt_file import PinnedDocument, ReceiptFile
from protocols.proof.statement import Statement, state
from protocols.trade.codec import Wire, encode
from protocols.trade.records import CNY, BillLine, Effect, Hold, Move, Pin, SessionExtended, Slice
from protocols.trade.tender import Tender, Tenders

from .people import EPOCH, HQ_KEY, LOG_KEY, SITE, STRANGER
from .sold import (
    BEGAN_MS,
    BOX,
    CITY,
    CLOSED,
    CLOSING,
    EXTENDED,
    GOOD,
    OPENED,
    OPENING,
    PAID,
    PROVISIONAL,
    SEQ,
    UNCERTAIN,
    VOIDED,
    closed,
    closing,
    metered,
    receipt_file,
    record,
    reheaded,
    spoilt,
    stamp,
    used,
)

OTHER_SPKI = keys.spki(ec.derive_private_key(7, ec.SECP256R1()).public_key())
OTHER_BOX = SiteKey(fingerprint=keys.fingerprint(OTHER_SPKI))
OTHER_LOG = keys.log_verifier(SITE, EPOCH, ed25519.public_of(STRANGER))
OTHER_HQ = keys.cosigner_verifier("hq.other/cosign", ed25519.public_of(STRANGER))
DEAR = with_(CITY, periods=[with_(period, energy_e3=period.energy_e3 + 1_000) for period in CITY.periods])

DEAR_BILL = closed(DEAR)
"""The same delivery at other prices than those that were pinned."""


def over(amount_fen: int) -> Move:
    return Move(Effect.OVERRUN, "operator", CNY, "", amount_fen, amount_fen)


def shown(told: Statement) -> str:
    """Codes with their marks: `+` proven, `-` failed, `o` open."""
    signs = {Mark.PROVEN: "+", Mark.FAILED: "-", Mark.OPEN: "o"}
    return " ".join(f"{signs[line.mark]}{line.code}" for line in told.lines)


TRUST = "+box +site-key +head +cosigned +included +included"
TOLD = "+session +readings +sum +captures +holds +tariff +priced +clock +meter-record +view ometer osoftware-keys"


def test_a_final_receipt_proves_everything_but_the_meter_and_the_keys() -> None:
    """With the fingerprint on the box and headquarters' key, a stranger needs nobody's word."""
    told = state(GOOD, [BOX], [HQ_KEY])
    assert shown(told) == f"{TRUST} {TOLD}"
    assert told.proven
    assert told.story is not None
    assert told.story.session == "shanghai-7/3/4"


@pytest.mark.parametrize(
    ("file", "site_keys", "cosigners", "proven", "line"),
    [
        pytest.param(PROVISIONAL, [BOX], [], True, "oprovisional", id="the site's word, where no more was asked"),
        pytest.param(PROVISIONAL, [BOX], [HQ_KEY], False, "onot-cosigned", id="headquarters asked, not there yet"),
        pytest.param(GOOD, [BOX], [], True, "onot-asked", id="headquarters' word is there, its key is not"),
        pytest.param(GOOD, [], [HQ_KEY], True, "osite-key", id="headquarters alone vouches"),
        pytest.param(GOOD, [], [], False, "osite-key", id="nobody the reader knows vouches"),
        pytest.param(PROVISIONAL, [], [HQ_KEY], False, "onot-cosigned", id="nobody vouches yet"),
        pytest.param(GOOD, [SiteKey(log=LOG_KEY)], [HQ_KEY], True, "+site-key", id="known by the log's key"),
        pytest.param(GOOD, [OTHER_BOX, BOX], [OTHER_HQ, HQ_KEY], True, "+cosigned", id="one of several keys"),
        pytest.param(GOOD, [BOX], [OTHER_HQ], False, "onot-cosigned", id="another headquarters"),
        pytest.param(GOOD, [OTHER_BOX], [HQ_KEY], False, "-site-key", id="another box"),
        pytest.param(GOOD, [SiteKey(log=OTHER_LOG)], [HQ_KEY], False, "-site-key", id="another log's key"),
    ],
)
def test_it_depends_on_whom_the_reader_trusts(
    file: ReceiptFile, site_keys: list[SiteKey], cosigners: list[VerifierKey], proven: bool, line: str
) -> None:
    """Proven is what somebody known to the reader vouches for, and all that was asked for."""
    told = state(file, site_keys, cosigners)
    assert told.proven is proven
    assert line in shown(told).split()


@pytest.mark.parametrize(
    ("file", "lines"),
    [
        pytest.param(replace(GOOD, device_key=OTHER_SPKI), "-box", id="another device key"),
        pytest.param(replace(GOOD, device_key=b"no key"), "-box", id="no device key"),
        pytest.param(reheaded(GOOD, by=STRANGER), "+box +site-key -head", id="a head signed by a stranger"),
        pytest.param(
            spoilt(GOOD, 1, data=CLOSING[:-1] + b"\0"),
            "+box +site-key +head +cosigned +included -included",
            id="another byte in the bill",
        ),
        pytest.param(
            spoilt(GOOD, 0, index=SEQ + 1), "+box +site-key +head +cosigned -included +included", id="another place"
        ),
        pytest.param(replace(GOOD, records=GOOD.records[::-1]), f"{TRUST} -session", id="the end before the beginning"),
    ],
)
def test_nothing_is_read_beyond_a_broken_link(file: ReceiptFile, lines: str) -> None:
    """The chain of trust stops where it breaks: what is not proven to be in the log says nothing."""
    told = state(file, [BOX], [HQ_KEY])
    assert shown(told) == lines
    assert not told.proven
    assert told.story is None


LIES = [
    pytest.param(closing(lambda bill: with_(bill, energy_wh=18_433)), "readings sum", id="more energy than the meter"),
    pytest.param(
        closing(lambda bill: with_(bill, end=with_(bill.end, meter="m2"))), "readings", id="another meter at the end"
    ),
    pytest.param(
        closing(lambda bill: with_(bill, slices=bill.slices[:1])), "readings priced", id="energy without its time"
    ),
    pytest.param(
        closing(lambda bill: with_(bill, amount_fen=bill.amount_fen + 1), [used(CLOSED.amount_fen + 1)]),
        "sum priced",
        id="a fen more than the lines",
    ),
    pytest.param(
        closing(lambda bill: with_(bill, lines=[with_(bill.lines[0], price_e3=80_000), *bill.lines[1:]])),
        "sum priced",
        id="a price that the fen do not follow",
    ),
    pytest.param(
        closing(lambda bill: with_(bill, lines=[with_(bill.lines[0], code="parking"), *bill.lines[1:]])),
        "sum priced",
        id="a line of an unknown kind",
    ),
    pytest.param(closing(lambda bill: with_(bill, exact_den=0)), "sum", id="an exact price that is no number"),
    pytest.param(closing(lambda bill: bill, [used(CLOSED.amount_fen - 1)]), "captures", id="a fen less captured"),
    pytest.param(closing(lambda bill: bill, [*PAID, *PAID]), "captures holds", id="captured twice"),
    pytest.param(closing(lambda bill: bill, [over(1), *PAID]), "captures", id="an overrun that the bill does not name"),
    pytest.param(
        closing(lambda bill: bill, [*PAID, Move(Effect.RETURNED, "acc-77", CNY, "", 1, 1)]),
        "captures",
        id="something returned within a bill",
    ),
    pytest.param(closing(lambda bill: bill, [with_(PAID[0], account="acc-78")]), "holds", id="somebody else's money"),
    pytest.param(record(DEAR_BILL, [used(DEAR_BILL.amount_fen)]), "priced", id="a tariff of its own"),
    pytest.param(
        closing(lambda bill: with_(bill, slices=[with_(piece, from_ms=piece.to_ms + 1) for piece in bill.slices])),
        "priced",
        id="a stretch that ends before it begins",
    ),
    pytest.param(
        closing(lambda bill: with_(bill, clock_ub_ms=BEGAN_MS - 1)), "priced", id="a start that ends before it begins"
    ),
    pytest.param(
        closing(lambda bill: with_(bill, meter_record=str(bill.meter_record).replace("1252.999", "1252.998"))),
        "meter-record",
        id="a meter record altered",
    ),
    pytest.param(
        closing(lambda bill: with_(metered(with_(bill, amount_fen=7)), amount_fen=bill.amount_fen)),
        "meter-record",
        id="a meter record of another bill",
    ),
]


@pytest.mark.parametrize(("record", "claims"), LIES)
def test_a_lying_site_is_caught(record: bytes, claims: str) -> None:
    """What a site has signed and headquarters has posted still must add up: every sum is worked out again."""
    told = state(receipt_file(OPENING, record), [BOX], [HQ_KEY])
    wrong = [line.code for line in told.lines if line.mark is Mark.FAILED]
    assert set(claims.split()) <= set(wrong) <= {*claims.split(), "meter-record"}
    assert not told.proven


ODD_STORIES = [
    pytest.param((OPENING, OPENING, CLOSING), "kind", id="two openings"),
    pytest.param((CLOSING, CLOSING), "kind", id="no opening"),
    pytest.param((OPENING, CLOSING, CLOSING), "kind", id="two ends"),
    pytest.param((OPENING, record(EXTENDED)), "kind", id="no end"),
    pytest.param((OPENING, record(closed(session=SEQ + 1))), "another-session", id="another session's end"),
    pytest.param((OPENING, record(SessionExtended(9, [])), CLOSING), "another-session", id="another's extension"),
    pytest.param((OPENING, CLOSING[:-1]), "not-canonical", id="a record cut off"),
    pytest.param((OPENING, encode([1, 2])), "not-canonical", id="something else"),
    pytest.param((OPENING, CLOSING.replace(b"session-closed", b"session-clo5ed")), "kind", id="an unknown kind"),
]


@pytest.mark.parametrize(("records", "why"), ODD_STORIES)
def test_the_records_must_be_those_of_one_session(records: tuple[bytes, ...], why: str) -> None:
    """All of them are in the log, and yet they are no session's receipt."""
    told = state(receipt_file(*records, with_view=False), [BOX], [HQ_KEY])
    assert told.lines[-1].code == "session"
    assert told.lines[-1].facts["why"] == why
    assert not told.proven


def test_a_voided_session_has_a_receipt_too() -> None:
    """That nothing was charged can be proven as well, and that something was."""
    told = state(receipt_file(OPENING, record(VOIDED)), [BOX], [HQ_KEY])
    assert shown(told) == f"{TRUST} +session +voided +clock +view ometer osoftware-keys"
    assert told.proven
    charged = state(receipt_file(OPENING, record(VOIDED, PAID)), [BOX], [HQ_KEY])
    assert charged.mark_of("voided") is Mark.FAILED


def test_an_extension_is_part_of_the_hold() -> None:
    """A bill beyond the first hold needs the record that took more."""
    small = record(with_(OPENED, holds=[Hold("acc-77", CNY, 1_500)]), at=stamp())
    assert state(receipt_file(small, CLOSING), [BOX], [HQ_KEY]).mark_of("holds") is Mark.FAILED
    assert state(receipt_file(small, record(EXTENDED), CLOSING), [BOX], [HQ_KEY]).proven


def test_an_overrun_is_the_operators() -> None:
    """What a stuck relay delivered beyond the hold is on the bill, and not on the customer."""
    small = record(with_(OPENED, holds=[Hold("acc-77", CNY, 2_100)]), at=stamp())
    amount_fen = CLOSED.amount_fen
    bill = metered(with_(closed(), overrun_fen=amount_fen - 2_100))
    told = state(receipt_file(small, record(bill, [used(2_100), over(amount_fen - 2_100)])), [BOX], [HQ_KEY])
    assert told.proven, shown(told)
    assert "+overrun" in shown(told).split()
    assert told.lines[9].facts == {"drawn_fen": 2_100, "overrun_fen": amount_fen - 2_100}


MIXED = Tenders(3, [Tender("kwh-plan", ["energy", "service"], 110, 1_000, True)])
"""A plan that pays 0.11 fen for each Wh."""
PLAN = 15_000
MIXED_OPENING = record(
    with_(
        OPENED,
        holds=[Hold("acc-77", "kwh-plan", PLAN), Hold("acc-77", CNY, 2_000)],
        pins=[*OPENED.pins, Pin("tenders", 3, sha256(encode(MIXED)).digest())],
    ),
    at=stamp(),
)
MIXED_CLOSING = record(CLOSED, [used(PLAN, "kwh-plan"), used(CLOSED.amount_fen - 1_650)])


MIXES = [
    pytest.param((CITY, MIXED), MIXED_CLOSING, "+tendered", id="by the rates that were pinned"),
    pytest.param((CITY,), MIXED_CLOSING, "ocaptures", id="without the rates it stays open"),
    pytest.param((CITY, with_(MIXED, version=4)), MIXED_CLOSING, "-tendered", id="by other rates"),
    pytest.param((CITY, MIXED), record(CLOSED, [used(PLAN, "kwh-plan"), used(2_000)]), "-tendered", id="too much"),
]


@pytest.mark.parametrize(("documents", "closing", "line"), MIXES)
def test_other_value_than_money_pays_at_its_rate(documents: tuple[Wire, ...], closing: bytes, line: str) -> None:
    """Which lines a plan may pay, and how much a unit is worth, was fixed when the session began."""
    told = state(receipt_file(MIXED_OPENING, closing, documents=documents), [BOX], [HQ_KEY])
    assert line in shown(told).split()
    assert told.proven is not line.startswith("-")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param({"documents": ()}, "otariff", id="no tariff"),
        pytest.param({"documents": (PinnedDocument("tariff", encode(DEAR)),)}, "-tariff", id="another tariff"),
        pytest.param({"documents": (PinnedDocument("tariff", b"?"),)}, "-tariff", id="something else"),
        pytest.param({"view": {**GOOD.view, "amount_yuan": "1.00"}}, "-view", id="a summary that says other things"),
    ],
)
def test_what_is_beside_the_records_is_checked_against_them(change: dict[str, Any], line: str) -> None:
    """Documents are worth what a pin says of them; the summary for people is made again."""
    told = state(replace(GOOD, **change), [BOX], [HQ_KEY])
    assert line in shown(told).split()
    assert told.proven is line.startswith("o")


def test_an_uncertain_clock_is_said() -> None:
    """The bill is then the lowest price over all starts, and is proven as such."""
    told = state(UNCERTAIN, [BOX], [HQ_KEY])
    assert "+priced oclock" in shown(told)
    assert told.proven


def test_a_doubtful_reading_says_so() -> None:
    """A meter that did not answer in the end: the record is honest about it, and so is the receipt."""
    told = state(receipt_file(OPENING, closing(lambda bill: metered(bill, end_status="T"))), [BOX], [HQ_KEY])
    assert "ometer-doubt" in shown(told)
    assert told.proven


@st.composite
def odd_bills(draw: st.DrawFn) -> bytes:
    """A closing record with any numbers in it, or any bytes in its place."""
    amount, instant = st.integers(0, 2**53), st.integers(-(2**63), 2**63 - 1)
    bill = with_(
        CLOSED,
        energy_wh=draw(amount),
        idle_s=draw(amount),
        slices=draw(st.lists(st.builds(Slice, amount, amount, amount), max_size=4)),
        lines=draw(
            st.lists(st.builds(BillLine, st.sampled_from(["energy", "idle", "?"]), amount, amount, amount, amount))
        ),
        clock_lb_ms=draw(instant),
        clock_ub_ms=draw(st.none() | instant),
        exact_num=draw(instant),
        exact_den=draw(instant),
        meter_record=draw(st.none() | st.text(max_size=40)),
    )
    odd = record(bill, [Move(Effect.USED, "acc-77", CNY, "", draw(amount), 0)])
    return draw(st.sampled_from([odd, CLOSING]) | st.binary(max_size=80).map(lambda junk: odd[:-3] + junk))


@settings(max_examples=100, deadline=None)
@given(odd_bills())
def test_whatever_a_site_signs_is_answered(last: bytes) -> None:
    """Any numbers in a bill, and any bytes for a record: a statement, never an exception, and proven if it is true."""
    assert state(receipt_file(OPENING, last, with_view=False), [BOX], [HQ_KEY]).proven is False
    assert state(replace(receipt_file(OPENING, last, with_view=False), view=GOOD.view), [BOX], [HQ_KEY]).proven is (
        last == CLOSING
    )
