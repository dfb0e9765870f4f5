"""Does the bill of a charge add up? Every sum on it worked out again, from readings and prices to what was captured."""

from __future__ import annotations

from collections import Counter

from protocols.proof import keys, ocmf
from protocols.proof.capture_check import adds_up, check_captures, check_clock, check_holds
from protocols.proof.errors import Unproven
from protocols.proof.lines import Line, either, failed, open_, proven
from protocols.proof.ocmf_session import Session, disagreements
from protocols.proof.pinned import Documents, read_pinned
from protocols.proof.receipt_story import ChargeStory
from protocols.trade import tariff_file
from protocols.trade.documents import TARIFF
from protocols.trade.price import Delivered, bill
from protocols.trade.records import SessionClosed
from protocols.trade.tariff import Tariff


def check_bill(story: ChargeStory, documents: Documents, device_key: bytes) -> list[Line]:
    """What is proven of a charge whose records are. device_key: SubjectPublicKeyInfo of the box."""
    if story.closed is None:
        return [either(not story.moves, "voided"), check_clock(story, "clock")]
    closed = story.closed
    return [
        _readings(story, closed),
        _sum(closed),
        check_captures(story, closed, documents, story.holds),
        check_holds(story),
        *_tariff(story, closed, documents),
        check_clock(story, "clock"),
        _meter_record(story, closed, device_key),
    ]


def _readings(story: ChargeStory, closed: SessionClosed) -> Line:
    """Energy is the register at the end less that at the begin, on one meter, and every part of it has its time."""
    begin, end = story.opened.begin, closed.end
    gained_wh = end.energy_wh - begin.energy_wh
    in_slices_wh = sum(piece.energy_wh for piece in closed.slices)
    holds = begin.meter == end.meter and gained_wh == closed.energy_wh == in_slices_wh
    return either(
        holds, "readings", meter=begin.meter, begin_wh=begin.energy_wh, end_wh=end.energy_wh, energy_wh=closed.energy_wh
    )


def _sum(closed: SessionClosed) -> Line:
    """Quantities times prices, exact, rounded once; the fen of the lines are its parts by largest remainder."""
    quantities = Counter[str]()
    for line in closed.lines:
        quantities[line.code] += line.quantity
    holds = (
        adds_up(closed)
        and quantities["energy"] == closed.energy_wh
        and quantities["idle"] in (0, closed.idle_s)  # blocking the place may cost nothing
    )
    return either(holds, "sum", amount_fen=closed.amount_fen, lines=len(closed.lines))


def _tariff(story: ChargeStory, closed: SessionClosed, documents: Documents) -> list[Line]:
    """The prices are those that were pinned when the session began, and the whole bill follows from them."""
    tariff, line = read_pinned(story, documents, TARIFF, Tariff, tariff_file.disorder, "tariff")
    return [line] if tariff is None else [line, either(_costs(tariff, closed), "priced")]


def _costs(tariff: Tariff, closed: SessionClosed) -> bool:
    try:
        again = bill(tariff, Delivered(tuple(closed.slices), closed.idle_s, closed.clock_lb_ms, closed.clock_ub_ms))
    except ValueError:  # slices or bounds that no session can have
        return False
    return list(again.lines) == closed.lines and again.amount_fen == closed.amount_fen


def _meter_record(story: ChargeStory, closed: SessionClosed, device_key: bytes) -> Line:
    """What the box signed for the eyes of meter tools says the same as the log; a doubtful reading says so itself."""
    if closed.meter_record is None:
        return open_("meter-record")
    try:
        record = ocmf.verify(closed.meter_record, keys.device_public_from_spki(device_key))
    except Unproven:
        return failed("meter-record")
    session = Session(story.site, story.epoch, story.seq, story.began, story.opened, closed, story.ended)
    if disagreements(record, session, record.page):
        return failed("meter-record")
    status = str(record.readings[-1].get("ST"))
    return proven("meter-record", page=record.page) if status == "G" else open_("meter-doubt", status=status)
