"""Bodies of the records of pumps and tanks. Their (kind, version) stand in `records.BODIES` beside all others.

Volumes are whole mL, money whole fen, prices thousandths of a fen per litre.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from protocols.trade.codec import Wire
from protocols.trade.record_parts import Amount, BillLine, Hold, Name, Origin, Pin, Preset

Nozzle = Annotated[int, msgspec.Meta(ge=1, le=15)]
OrderKind = Literal["amount", "volume", "full"]
Text = Annotated[str, msgspec.Meta(max_length=64)]


class NozzleTotals(Wire, frozen=True):
    """A nozzle's totalizers. amount_fen: None: the pump has none for money."""

    nozzle: Nozzle
    volume_ml: Amount
    amount_fen: Amount | None


class PumpTotals(Wire, frozen=True):
    """The totalizers of all nozzles of a pump at an instant of this boot, rising by nozzle."""

    pump: Name
    nozzles: list[NozzleTotals]
    mono_ms: Amount
    wall_ms: int


class Offered(Wire, frozen=True):
    """A nozzle, the grade and tank behind it, and what a litre costs there. tank: empty where none is configured."""

    nozzle: Nozzle
    grade: Name
    tank: Text
    price_e3: Amount


class FillingOpened(Wire, frozen=True):
    """Hold, totals and order in one record, durable before the pump is authorised. Its seq is the session's id.

    guaranteed: the first hold stands in for whoever will pay after the filling, so it is drawn on last. preset: what
    the customer asked for. order_kind: `amount` (fen), `volume` (mL) or `full`; with order_limit what the pump is told
    at most. offered: the nozzles that may be used, rising, at the prices that the pump was seen to show. asked: the
    odometer or the masked plate where the account's terms ask for one. volume_step_ml, amount_step_fen, total_step_ml:
    one step of the pump's own digits, of its display and its totalizers. local_day: days since 1970 by the site's clock
    and zone, which daily limits count by.
    """

    pump: Name
    holds: list[Hold]
    guaranteed: bool
    preset: Preset
    order_kind: OrderKind
    order_limit: Amount
    offered: list[Offered]
    origin: Origin
    asked: Text
    begin: PumpTotals
    volume_step_ml: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    amount_step_fen: Annotated[int, msgspec.Meta(ge=1, le=100)]
    total_step_ml: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    local_day: Amount
    pins: list[Pin]
    clock_lb_ms: int  # the filling began, in Unix time, not before this
    clock_ub_ms: int | None


class FillingClosed(Wire, frozen=True):
    """What the pump sold, and the bill. Captures are its moves; what is left of the holds is released.

    reason: why the sale ended (an `edge.till.fill.progress.FillEnd`). volume_ml, shown_fen: by the pump's own display,
    which is the bill. exact_num/exact_den: volume times price in fen, unrounded; shown_fen lies within the pump's own
    steps of it. overrun_fen: delivered beyond the holds. meter_record: `proof.measurement`, None where there is
    none.
    """

    session: Amount
    reason: Name
    sold: Offered
    volume_ml: Amount
    shown_fen: Amount
    end: PumpTotals
    lines: list[BillLine]
    amount_fen: Amount
    exact_num: int
    exact_den: int
    overrun_fen: Amount
    meter_record: str | None


class FuelUnattributed(Wire, frozen=True):
    """A totalizer moved and no sale explains it. Nobody is charged by this record.

    why: `no-sale` (nothing was open), `sale-disagrees` (the pump's own words do not fit together), `beyond-sale` (more
    than the sale says). session: the one that it may belong to. answers: who might answer for it, as words for a
    person: sessions before and after, attendants, technicians.
    """

    pump: Name
    nozzle: Nozzle
    grade: Name
    tank: Text
    why: Name
    before: NozzleTotals
    after: NozzleTotals
    volume_ml: Amount
    session: Amount | None
    answers: list[Text]


class PumpPricesSet(Wire, frozen=True):
    """The pump shows these prices. by: `price-list`, or the person who did it."""

    pump: Name
    prices: list[Offered]
    by: Name


class PumpTotalsRead(Wire, frozen=True):
    """Totals of all pumps that answered: what the next movement is counted from."""

    pumps: list[PumpTotals]


class TankDipped(Wire, frozen=True):
    """What stands in a tank. source: `person` or `gauge`. level_mm, water_mm, temp_dc: None where not measured."""

    tank: Name
    grade: Name
    volume_ml: Amount
    level_mm: Amount | None
    water_mm: Amount | None
    temp_dc: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] | None
    source: Name
    by: Text
    mono_ms: Amount
    wall_ms: int


class FuelReceived(Wire, frozen=True):
    """A delivery into a tank, by the delivery note. number: of the note; the same note twice is refused."""

    tank: Name
    grade: Name
    volume_ml: Amount
    number: Name
    by: Text


class WetStockClosed(Wire, frozen=True):
    """A tank's site day: opening + received - sold - unattributed = expected; closing - expected = variance.

    None where a dip is missing. variance_ppm: of what was sold and unattributed; None where nothing was.
    """

    day: Amount
    tank: Name
    grade: Name
    opening_ml: Amount | None
    received_ml: Amount
    sold_ml: Amount
    unattributed_ml: Amount
    closing_ml: Amount | None
    variance_ml: int | None
    variance_ppm: int | None


class GradeSum(Wire, frozen=True):
    """One grade's fillings of a site day."""

    grade: Name
    fillings: Amount
    volume_ml: Amount
    amount_fen: Amount
    unattributed_ml: Amount


class FuelDayClosed(Wire, frozen=True):
    """The site day's fuel by grade, in the grades' order; stands right before the day's own record."""

    day: Amount
    grades: list[GradeSum]
