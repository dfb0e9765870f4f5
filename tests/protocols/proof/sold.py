"""One session, sold and logged by the box of `people`: its records, its receipt, and how to spoil either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace as with_

from protocols.proof import keys, ocmf, tree
from protocols.proof.checkpoint import Checkpoint, cosign, sign_checkpoint
from protocols.proof.note import Note
from protocols.proof.ocmf_session import Plate, Session, payload_of
from protocols.proof.reader_keys import SiteKey
from protocols.proof.receipt import Receipt
from protocols.proof.receipt_file import PinnedDocument, ProvenRecord, ReceiptFile
from protocols.proof.receipt_story import read_story
from protocols.proof.receipt_view import view
from protocols.trade.codec import Wire, encode
from protocols.trade.fuel_prices import PriceList
from protocols.trade.port_prices import PortPrices
from protocols.trade.price import Delivered, bill
from protocols.trade.records import (
    CNY,
    ClockQuality,
    Draft,
    Effect,
    Hold,
    Move,
    Origin,
    Pin,
    Preset,
    Register,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    Slice,
    Stamp,
    seal,
)
from protocols.trade.swap_terms import SwapTerms
from protocols.trade.tariff import Offset, Period, Tariff
from protocols.trade.tender import Tenders, draw, owed_by

from .people import CERTIFICATE, COSIGNED_S, DEVICE, EPOCH, HQ, HQ_NAME, LOG, LOG_KEY, SITE

SEQ, SIZE = 4, 23
KINDS: dict[type, str] = {
    Tariff: "tariff",
    Tenders: "tenders",
    PriceList: "fuel-prices",
    SwapTerms: "swap-terms",
    PortPrices: "port-prices",
}
BEGAN_MS = 1_789_990_000_000
SPKI = keys.spki(DEVICE.public_key())
BOX = SiteKey(fingerprint=keys.fingerprint(SPKI))
CITY = Tariff(
    id="city-east",
    version=7,
    zone="Asia/Shanghai",
    offsets=[Offset(0, 28_800)],
    periods=[
        Period(0, "valley", 35_120, 40_000),
        Period(28_800, "peak", 110_000, 40_000),
        Period(43_200, "flat", 70_000, 40_000),
    ],
    session_e3=50_000,
    idle_e3_per_min=20_000,
    idle_grace_s=900,
)


def stamp(after_ms: int = 0, quality: ClockQuality = ClockQuality.SYNCHRONISED) -> Stamp:
    wall_ms = BEGAN_MS + after_ms
    return Stamp(b"boot-001", 60_000 + after_ms, wall_ms, quality, wall_ms - 50, wall_ms)


def opened(tariff: Tariff = CITY) -> SessionOpened:
    pin = Pin("tariff", tariff.version, sha256(encode(tariff)).digest())
    return SessionOpened(
        connector="c1",
        holds=[Hold("acc-77", CNY, 3_000)],
        preset=Preset("full", 0),
        origin=Origin("card", bytes(range(32)), 0, ""),
        begin=Register("m1", 1_234_567, 60_000, BEGAN_MS),
        pins=[pin],
        clock_lb_ms=BEGAN_MS,
        clock_ub_ms=BEGAN_MS,
    )


def closed(tariff: Tariff = CITY, *, session: int = SEQ, clock_ub_ms: int | None = BEGAN_MS) -> SessionClosed:
    """18.432 kWh over two periods, and four minutes in the way."""
    slices = [Slice(0, 1_500_000, 11_111), Slice(1_500_000, 3_600_000, 7_321)]
    cost = bill(tariff, Delivered(tuple(slices), 247, BEGAN_MS, clock_ub_ms))
    return SessionClosed(
        session=session,
        reason="EVDisconnected",
        end=Register("m1", 1_234_567 + 18_432, 3_660_000, BEGAN_MS + 3_600_000),
        energy_wh=18_432,
        slices=slices,
        idle_s=247,
        clock_lb_ms=BEGAN_MS,
        clock_ub_ms=clock_ub_ms,
        lines=list(cost.lines),
        amount_fen=cost.amount_fen,
        exact_num=cost.exact_fen.numerator,
        exact_den=cost.exact_fen.denominator,
        overrun_fen=0,
        meter_record=None,
    )


def used(amount: int, asset: str = CNY) -> Move:
    return Move(Effect.USED, "acc-77", asset, "", amount, 9_000 + amount)


def metered(closed: SessionClosed, *, page: int = 41, end_status: str = "G") -> SessionClosed:
    """The same with its meter record, signed by the box."""
    session = Session(SITE, EPOCH, closed.session, stamp(), opened(), closed, stamp(3_847_000))
    payload = payload_of(session, page, CITY, Plate(), "0.1.0", end_status=end_status)
    return with_(closed, meter_record=ocmf.sign(ocmf.build(payload), ocmf.SoftwareSigner(DEVICE)))


OPENED, CLOSED = opened(), metered(closed())
EXTENDED = SessionExtended(SEQ, [Hold("acc-77", CNY, 1_000)])
HELD = SessionHeld(SEQ, "meter-silent", "last register 1234567 Wh of m1")
VOIDED = SessionVoided(SEQ, "Timeout")
PAID = (used(CLOSED.amount_fen),)


def record(body: Wire, moves: Sequence[Move] = (), at: Stamp | None = None) -> bytes:
    return encode(seal(Draft(body, tuple(moves)), at or stamp(3_847_000)))


OPENING = record(OPENED, at=stamp())
CLOSING = record(CLOSED, PAID)


def receipt_file(
    *records: bytes, documents: Sequence[Wire] = (CITY,), final: bool = True, with_view: bool = True
) -> ReceiptFile:
    """The receipt of a log in which these stand from SEQ on. with_view: False where the records tell no session."""
    leaves = [tree.leaf_hash(b"record %d" % seq) for seq in range(SIZE)]
    for place, data in enumerate(records):
        leaves[SEQ + place] = tree.leaf_hash(data)
    head = Checkpoint(LOG_KEY.name, SIZE, tree.Frontier().append_many(leaves).root())
    note = sign_checkpoint(head, LOG)
    if final:
        note = cosign(note, HQ, HQ_NAME, COSIGNED_S)
    proven = tuple(
        ProvenRecord(
            data, Receipt(SEQ + place, tree.inclusion_proof(leaves, SEQ + place, SIZE), note, CERTIFICATE.to_bytes())
        )
        for place, data in enumerate(records)
    )
    shown = view(read_story(SITE, EPOCH, [(one.proof.index, one.data) for one in proven])) if with_view else {}
    pinned = tuple(PinnedDocument(KINDS[type(one)], encode(one)) for one in documents)
    return ReceiptFile(SPKI, proven, pinned, shown)


def closing(change: Callable[[SessionClosed], SessionClosed], moves: Sequence[Move] = PAID) -> bytes:
    """A closing record that a lying site has put into its log and signed."""
    return record(change(CLOSED), moves)


GOOD = receipt_file(OPENING, CLOSING)
PROVISIONAL = receipt_file(OPENING, CLOSING, final=False)


def _uncertain() -> ReceiptFile:
    """Of a box that did not know the time: the bill is the lowest price over all that it may have been."""
    opening = record(with_(OPENED, clock_ub_ms=None), at=stamp(quality=ClockQuality.UNKNOWN))
    bill = metered(closed(clock_ub_ms=None))
    return receipt_file(opening, record(bill, [used(bill.amount_fen)]))


UNCERTAIN = _uncertain()


def priced(tariff: Tariff, slices: tuple[Slice, ...], begin_ms: int, ub_ms: int | None) -> ReceiptFile:
    """The receipt of any delivery, billed by the till's own rule. ub_ms: how late it may have begun."""
    energy_wh = sum(piece.energy_wh for piece in slices)
    cost = bill(tariff, Delivered(slices, 0, begin_ms, ub_ms))
    opening = with_(opened(tariff), clock_lb_ms=begin_ms, clock_ub_ms=ub_ms, holds=[Hold("acc-77", CNY, 2**40)])
    end = with_(
        CLOSED, slices=list(slices), energy_wh=energy_wh, end=with_(CLOSED.end, energy_wh=1_234_567 + energy_wh),
        idle_s=0, clock_lb_ms=begin_ms, clock_ub_ms=ub_ms, lines=list(cost.lines), amount_fen=cost.amount_fen,
        exact_num=cost.exact_fen.numerator, exact_den=cost.exact_fen.denominator, meter_record=None,
    )  # fmt: skip
    moves = [used(cost.amount_fen)] if cost.amount_fen else []
    return receipt_file(record(opening, at=stamp()), record(end, moves), documents=(tariff,))


def mixed(tenders: Tenders, holds: Sequence[Hold]) -> ReceiptFile:
    """The receipt of the usual bill, paid from these holds by the till's own rule."""
    drawn = draw(owed_by(CLOSED.lines), holds, tenders)
    pin = Pin("tenders", tenders.version, sha256(encode(tenders)).digest())
    opening = with_(OPENED, holds=list(holds), pins=[*OPENED.pins, pin])
    moves = [
        Move(Effect.USED, hold.account, hold.asset, "", capture.units, capture.units)
        for hold, capture in zip(holds, drawn.captures, strict=True)
        if capture.units
    ]
    if drawn.overrun_fen:
        moves.append(Move(Effect.OVERRUN, "operator", CNY, "", drawn.overrun_fen, drawn.overrun_fen))
    end = with_(CLOSED, overrun_fen=drawn.overrun_fen, meter_record=None)
    return receipt_file(record(opening, at=stamp()), record(end, moves), documents=(CITY, tenders))


def spoilt(file: ReceiptFile, place: int, **parts: object) -> ReceiptFile:
    """The file with parts of one record's proof replaced, or its `data`."""
    records = list(file.records)
    data = parts.pop("data", records[place].data)
    assert isinstance(data, bytes)
    records[place] = ProvenRecord(data, replace(records[place].proof, **parts))  # type: ignore[arg-type]  # a list
    return replace(file, records=tuple(records))


def reheaded(file: ReceiptFile, *, by: Ed25519PrivateKey) -> ReceiptFile:
    """The same head, but signed with another key under the log's name."""
    text = Note.parse(file.checkpoint).text
    note = sign_checkpoint(Checkpoint.parse(text), by)
    return replace(file, records=tuple(replace(one, proof=replace(one.proof, checkpoint=note)) for one in file.records))
