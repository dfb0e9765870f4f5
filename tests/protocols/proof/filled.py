"""One filling, sold and logged by the box of `people`: its records, its receipt, and how a site could lie about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from msgspec.structs import replace as with_

from protocols.proof import measurement, ocmf
from protocols.proof.measured import Told
from protocols.proof.measured import measured as what
from protocols.proof.measurement import Plate
from protocols.proof.receipt_file import ReceiptFile
from protocols.trade import fuel_prices, tender
from protocols.trade.codec import Wire, encode
from protocols.trade.fuel_bill import bill_of
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.records import (
    CNY,
    BillLine,
    Effect,
    Hold,
    Move,
    Origin,
    Pin,
    Preset,
    SessionExtended,
    SessionVoided,
    Stamp,
)
from protocols.trade.records_fuel import FillingClosed, FillingOpened, NozzleTotals, Offered, PumpTotals
from protocols.trade.tariff import Offset
from protocols.trade.tender import MONEY_ALONE, Tenders, draw

from .people import DEVICE, EPOCH, SITE
from .sold import BEGAN_MS, SEQ, receipt_file, record, stamp, used

CHANGE_S = BEGAN_MS // 1000 + 7_200
"""When the list's next prices come."""
PRICES = PriceList(
    "east", 12, "Asia/Shanghai", [Offset(0, 28_800)], [Grade("92", "92#"), Grade("0", "0# diesel")],
    [
        PriceStep(0, [GradePrice("92", 785_000), GradePrice("0", 750_000)]),
        PriceStep(CHANGE_S, [GradePrice("92", 799_000), GradePrice("0", 760_000)]),
    ],
)  # fmt: skip
PETROL, DIESEL = Offered(1, "92", "t1", 785_000), Offered(2, "0", "t2", 750_000)
VOLUME_ML, SHOWN_FEN = 26_720, 20_975
"""26.72 L at 7.85 yuan are 209.752 yuan, which the pump shows as 209.75."""
PAGE = 7


def totals(petrol_ml: int = 1_234_560, *, pump: str = "3", after_ms: int = 0) -> PumpTotals:
    nozzles = [NozzleTotals(1, petrol_ml, None), NozzleTotals(2, 2_000_000, None)]
    return PumpTotals(pump, nozzles, 60_000 + after_ms, BEGAN_MS + after_ms)


def pin(document: PriceList | Tenders) -> Pin:
    kind = fuel_prices.KIND if isinstance(document, PriceList) else tender.KIND
    return Pin(kind, document.version, sha256(encode(document)).digest())


OPENED = FillingOpened(
    pump="3",
    holds=[Hold("acc-77", CNY, 30_000)],
    guaranteed=False,
    preset=Preset("full", 0),
    order_kind="amount",
    order_limit=29_950,
    offered=[PETROL, DIESEL],
    origin=Origin("card", bytes(range(32)), 0, ""),
    asked="",
    begin=totals(),
    volume_step_ml=10,
    amount_step_fen=1,
    total_step_ml=10,
    local_day=20_717,
    pins=[pin(PRICES)],
    clock_lb_ms=BEGAN_MS,
    clock_ub_ms=BEGAN_MS,
)
ENDED = stamp(95_000)


def closed(
    volume_ml: int = VOLUME_ML, shown_fen: int = SHOWN_FEN, sold: Offered = PETROL, *, overrun_fen: int = 0
) -> FillingClosed:
    """As the till closes it; without its measurement."""
    bill = bill_of(volume_ml, sold.price_e3, shown_fen, OPENED.volume_step_ml, OPENED.amount_step_fen)
    assert bill is not None, "an honest pump"
    return FillingClosed(
        session=SEQ,
        reason="hung-up",
        sold=sold,
        volume_ml=volume_ml,
        shown_fen=shown_fen,
        end=totals(1_234_560 + volume_ml, after_ms=95_000),
        lines=[BillLine("fuel", sold.nozzle, volume_ml, sold.price_e3, shown_fen)],
        amount_fen=shown_fen,
        exact_num=bill.exact_fen.numerator,
        exact_den=bill.exact_fen.denominator,
        overrun_fen=overrun_fen,
        meter_record=None,
    )


def measured(body: FillingClosed, opened: FillingOpened = OPENED, *, began: Stamp | None = None) -> FillingClosed:
    """The same with its measurement, signed by the box."""
    told = what(Told(SITE, EPOCH, SEQ, began or stamp(), opened, body, ENDED))
    assert told is not None, "every filling has a measurement"
    payload = measurement.build(told, PAGE, Plate("DP-2207", "Zhengxing", "CS32"), "0.1.0")
    return with_(body, meter_record=measurement.signed(payload, ocmf.SoftwareSigner(DEVICE)))


CLOSED = measured(closed())
VOIDED = SessionVoided(SEQ, "sale-disagrees")
OPENING, CLOSING = record(OPENED, at=stamp()), record(CLOSED, [used(SHOWN_FEN)], ENDED)


def fuel_receipt(*records: bytes, documents: Sequence[Wire] = (PRICES,), with_view: bool = True) -> ReceiptFile:
    return receipt_file(*records, documents=documents, with_view=with_view)


def closing(change: Callable[[FillingClosed], FillingClosed], moves: Sequence[Move] | None = None) -> bytes:
    """A closing record that a lying site has put into its log and signed; its measurement says what the log says."""
    return record(change(CLOSED), [used(SHOWN_FEN)] if moves is None else moves, ENDED)


def paid_by(
    holds: Sequence[Hold], *, guaranteed: bool = False, tenders: Tenders | None = None, more: Sequence[Hold] = ()
) -> ReceiptFile:
    """The receipt of the usual bill, paid by these holds, and `more` of them taken later, by the till's own rule."""
    pins = [pin(PRICES), *([pin(tenders)] if tenders is not None else [])]
    opening = with_(OPENED, holds=list(holds), guaranteed=guaranteed, pins=pins)
    every = [*holds, *more]
    drawing = [*every[1:], every[0]] if guaranteed else every
    drawn = draw({"fuel": SHOWN_FEN}, drawing, tenders or MONEY_ALONE)
    moves = [
        Move(Effect.USED, hold.account, hold.asset, "", capture.units, capture.units)
        for hold, capture in zip(drawing, drawn.captures, strict=True)
        if capture.units
    ]
    if drawn.overrun_fen:
        moves.append(Move(Effect.OVERRUN, "operator", CNY, "", drawn.overrun_fen, drawn.overrun_fen))
    end = measured(closed(overrun_fen=drawn.overrun_fen), opening)
    between = [record(SessionExtended(SEQ, list(more)), at=ENDED)] if more else []
    documents = (PRICES, *([tenders] if tenders is not None else []))
    return fuel_receipt(record(opening, at=stamp()), *between, record(end, moves, ENDED), documents=documents)


FILLED = fuel_receipt(OPENING, CLOSING)
