"""Does the bill of a charge add up? Every sum on it worked out again, from readings and prices to what was captured."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from hashlib import sha256

from protocols.proof import keys, ocmf
from protocols.proof.capture_check import Documents, check_captures, check_holds, payload_of, pin_of
from protocols.proof.errors import Unproven
from protocols.proof.lines import Line, either, failed, open_, proven
from protocols.proof.ocmf_session import Session, disagreements
from protocols.proof.receipt_story import ChargeStory
from protocols.trade import tariff_file
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.documents import TARIFF
from protocols.trade.price import Delivered, bill
from protocols.trade.quantities import largest_remainder, round_half_up
from protocols.trade.records import ClockQuality, SessionClosed
from protocols.trade.tariff import Tariff

_FEN_PER: dict[str, Fraction] = {
    "energy": Fraction(1, 1_000_000),  # e3 per kWh times Wh
    "service": Fraction(1, 1_000_000),
    "session": Fraction(1, 1_000),  # e3 each
    "idle": Fraction(1, 60_000),  # e3 per minute times seconds
}


def check_bill(story: ChargeStory, documents: Documents, device_key: bytes) -> list[Line]:
    """What is proven of a charge whose records are. device_key: SubjectPublicKeyInfo of the box."""
    if story.closed is None:
        return [either(not story.moves, "voided"), _clock(story)]
    closed = story.closed
    return [
        _readings(story, closed),
        _sum(closed),
        check_captures(story, closed, documents, story.holds),
        check_holds(story),
        *_tariff(story, closed, documents),
        _clock(story),
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
    if any(line.code not in _FEN_PER for line in closed.lines):
        return failed("sum", amount_fen=closed.amount_fen)
    exact = [line.quantity * line.price_e3 * _FEN_PER[line.code] for line in closed.lines]
    total = sum(exact, Fraction(0))
    amount_fen = round_half_up(total)
    parts = largest_remainder(amount_fen, exact) if total else [0] * len(exact)
    quantities = Counter[str]()
    for line in closed.lines:
        quantities[line.code] += line.quantity
    holds = (
        (closed.exact_num, closed.exact_den) == (total.numerator, total.denominator)
        and amount_fen == closed.amount_fen
        and parts == [line.amount_fen for line in closed.lines]
        and quantities["energy"] == closed.energy_wh
        and quantities["idle"] in (0, closed.idle_s)  # blocking the place may cost nothing
    )
    return either(holds, "sum", amount_fen=closed.amount_fen, lines=len(closed.lines))


def _tariff(story: ChargeStory, closed: SessionClosed, documents: Documents) -> list[Line]:
    """The prices are those that were pinned when the session began, and the whole bill follows from them."""
    pin, payload = pin_of(story, TARIFF), payload_of(documents, TARIFF)
    if pin is None:
        return [failed("tariff")]
    if payload is None:
        return [open_("tariff", version=pin.version)]
    tariff = _read_tariff(payload) if sha256(payload).digest() == pin.hash else None
    if tariff is None:
        return [failed("tariff", version=pin.version)]
    return [proven("tariff", id=tariff.id, version=pin.version), either(_costs(tariff, closed), "priced")]


def _read_tariff(payload: bytes) -> Tariff | None:
    try:
        tariff = decode(payload, Tariff)
    except NotCanonical:
        return None
    return None if tariff_file.disorder(tariff) else tariff


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


def _clock(story: ChargeStory) -> Line:
    sure = story.began.quality is story.ended.quality is ClockQuality.SYNCHRONISED
    return (proven if sure else open_)("clock", began_ms=story.began.wall_ms, ended_ms=story.ended.wall_ms)
