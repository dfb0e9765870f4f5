"""What a delivery costs: exact, rounded once, and never more than the clock can prove.

The opening instant lies somewhere in [clock_lb_ms, clock_ub_ms]. A bill is the lowest price of the whole session over
all those start instants, a ceiling the highest; a slice that runs over a boundary costs the cheaper of the periods it
touches in a bill, the dearer one in a ceiling. Money is summed in whole parts of a fen, so nothing is lost on the way.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest

from protocols.trade.daytime import DAY_MS, offset_changes_ms, one_period, periods_between, stretches
from protocols.trade.quantities import largest_remainder, round_half_up
from protocols.trade.records import BillLine, Slice
from protocols.trade.tariff import Tariff

UNITS = 3_000_000
"""Parts of a fen in which every price is whole: e3 per kWh times Wh (10^-6 fen), e3 per minute times s (1/60,000)."""
_PER_WH = UNITS // 1_000_000
_PER_SECOND = UNITS // 60_000
_PER_SESSION = UNITS // 1_000

SPAN_MS_MAX = 366 * DAY_MS
"""Longest session that is priced. Slices come from other machines' records, and the work grows with the span."""

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a customer got, and what is known of when.

    slices: in ms since the opening on the monotonic clock; they may overlap where it is not known when energy flowed.
    idle_s: chargeable seconds, the grace already taken off. The opening in Unix time is not before clock_lb_ms and not
    after clock_ub_ms; None: nothing bounds it.
    """

    slices: tuple[Slice, ...]
    idle_s: int
    clock_lb_ms: int
    clock_ub_ms: int | None

    def __post_init__(self) -> None:
        if self.clock_ub_ms is not None and self.clock_ub_ms < self.clock_lb_ms:
            raise ValueError(f"expected clock_ub_ms of at least {self.clock_lb_ms}, got {self.clock_ub_ms}")


@dataclass(frozen=True, slots=True)
class Bill:
    """lines: their fen add up to amount_fen. exact_fen: before the one rounding."""

    lines: tuple[BillLine, ...]
    exact_fen: Fraction
    amount_fen: int


def bill(tariff: Tariff, delivered: Delivered) -> Bill:
    """The lowest price of the whole session; of several start instants with that price, the earliest makes the lines.

    The session fee is due even when nothing was delivered: such a session is voided, not billed. Raises ValueError for
    a slice that ends before it begins, or later than SPAN_MS_MAX.
    """
    _, start_ms = _lowest(tariff, delivered, _prices(tariff))
    energy_wh = _energy_by_period(tariff, delivered.slices, start_ms)
    lines: list[tuple[str, int, int, int, int]] = []  # code, period, quantity, price_e3, units of a fen
    for index in sorted(energy_wh):
        period, quantity = tariff.periods[index], energy_wh[index]
        lines.append(("energy", index, quantity, period.energy_e3, quantity * period.energy_e3 * _PER_WH))
        if period.service_e3:
            lines.append(("service", index, quantity, period.service_e3, quantity * period.service_e3 * _PER_WH))
    if tariff.session_e3:
        lines.append(("session", 0, 1, tariff.session_e3, tariff.session_e3 * _PER_SESSION))
    if delivered.idle_s and tariff.idle_e3_per_min:
        units = delivered.idle_s * tariff.idle_e3_per_min * _PER_SECOND
        lines.append(("idle", 0, delivered.idle_s, tariff.idle_e3_per_min, units))
    weights = [line[4] for line in lines]
    exact_fen = Fraction(sum(weights), UNITS)
    amount_fen = round_half_up(exact_fen)
    parts = largest_remainder(amount_fen, weights)
    return Bill(
        tuple(BillLine(*line[:4], part) for line, part in zip(lines, parts, strict=True)), exact_fen, amount_fen
    )


def ceiling(tariff: Tariff, delivered: Delivered) -> Fraction:
    """The highest exact price in fen that the session may have: what the cut-off is held against. Never below the
    bill's.
    """
    least, _ = _lowest(tariff, delivered, [-price_e3 for price_e3 in _prices(tariff)])
    energy_units = -least * _PER_WH
    fees = tariff.session_e3 * _PER_SESSION + delivered.idle_s * tariff.idle_e3_per_min * _PER_SECOND
    return Fraction(energy_units + fees, UNITS)


def bounds_by_code(tariff: Tariff, delivered: Delivered) -> tuple[dict[str, int], dict[str, int]]:
    """The least and the most fen that the lines of each code can come to, whenever the session may have begun.

    For payers who may not pay every line. The rounding of a bill to fen, line by line, lies within.
    """
    rounding_fen = len(tariff.periods) + 1
    least, most = {}, {}
    for code, prices in (
        ("energy", [period.energy_e3 for period in tariff.periods]),
        ("service", [period.service_e3 for period in tariff.periods]),
    ):
        low, _ = _lowest(tariff, delivered, prices)
        high, _ = _lowest(tariff, delivered, [-price_e3 for price_e3 in prices])
        least[code] = max(0, low * _PER_WH // UNITS - rounding_fen)
        most[code] = -(high * _PER_WH // UNITS) + (rounding_fen if high else 0)
    fees = {
        "session": tariff.session_e3 * _PER_SESSION,
        "idle": delivered.idle_s * tariff.idle_e3_per_min * _PER_SECOND,
    }
    for code, units in fees.items():
        least[code] = max(0, units // UNITS - 1)
        most[code] = -(-units // UNITS) + (1 if units else 0)
    return least, most


def dearest_e3(tariff: Tariff, lb_ms: int, ub_ms: int | None, horizon_ms: int) -> int:
    """Highest energy and service price per kWh that may hold from now, which is somewhere in [lb_ms, ub_ms], to
    horizon_ms later.
    """
    prices = _prices(tariff)
    if ub_ms is None:
        return max(prices)
    return max(prices[index] for index in periods_between(tariff, lb_ms, ub_ms + horizon_ms + 1))


def hold_for_energy(tariff: Tariff, energy_wh: int, lb_ms: int, ub_ms: int | None, horizon_ms: int = DAY_MS) -> int:
    """Fen that surely cover energy_wh and the session fee if delivered within horizon_ms; rounded up."""
    units = energy_wh * dearest_e3(tariff, lb_ms, ub_ms, horizon_ms) * _PER_WH + tariff.session_e3 * _PER_SESSION
    return -(-units // UNITS)


def energy_within(
    tariff: Tariff, amount_fen: int, lb_ms: int, ub_ms: int | None, horizon_ms: int = DAY_MS
) -> int | None:
    """Most Wh that amount_fen surely pays for, session fee included, if delivered within horizon_ms.

    0 when it does not even pay the session fee; None when energy is free throughout.
    """
    units = amount_fen * UNITS - tariff.session_e3 * _PER_SESSION
    price_e3 = dearest_e3(tariff, lb_ms, ub_ms, horizon_ms)
    if units < 0:
        return 0
    return units // (price_e3 * _PER_WH) if price_e3 else None


def extend(
    slices: tuple[Slice, ...], new: Slice, tariff: Tariff, clock_lb_ms: int, clock_ub_ms: int | None
) -> tuple[Slice, ...]:
    """`slices` and `new` after them, merged into the last one where that is fair.

    Both certainly within one period: merged, no price changes. Both uncertain, the clock being so: merged when they
    begin in the same whole minute since the opening, which can only lower the bill and raise the ceiling. So a day
    keeps at most 1,440 slices, and a few more at boundaries.
    """
    if not slices:
        return (new,)
    last = slices[-1]
    both = Slice(min(last.from_ms, new.from_ms), max(last.to_ms, new.to_ms), last.energy_wh + new.energy_wh)

    def certain(from_ms: int, end_ms: int) -> bool:
        return one_period(tariff, clock_lb_ms + from_ms, None if clock_ub_ms is None else clock_ub_ms + end_ms)

    merges = certain(both.from_ms, max(_end_ms(last), _end_ms(new)))
    if not merges and clock_lb_ms != clock_ub_ms and last.from_ms // MINUTE_MS == new.from_ms // MINUTE_MS:
        merges = not any(certain(piece.from_ms, _end_ms(piece)) for piece in (last, new))
    if merges:
        return (*slices[:-1], both)
    return (*slices, new)


# --- the sweep over start instants -----------------------------------------------------------------------------------


def _lowest(tariff: Tariff, delivered: Delivered, prices: list[int]) -> tuple[int, int]:
    """(lowest Wh x price of the slices, earliest start instant that has it).

    prices: of each period. With negative ones a lowest price is minus the highest.
    """
    slices = delivered.slices
    span_ms = _span_ms(slices)
    best: tuple[int, int] | None = None
    seen: set[tuple[object, ...]] = set()  # years of summer times repeat each other
    for lo_ms, hi_ms in _start_ranges(tariff, delivered.clock_lb_ms, delivered.clock_ub_ms, span_ms):
        starts, e3 = _one_price_each(tariff, prices, lo_ms, hi_ms + span_ms)
        shape = (hi_ms - lo_ms, *(start_ms - lo_ms for start_ms in starts), *e3)
        if shape in seen:
            continue
        seen.add(shape)
        found = _sweep(slices, starts, e3, lo_ms, hi_ms)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None, "there is always a start instant"
    return best


def _one_price_each(tariff: Tariff, prices: list[int], from_ms: int, to_ms: int) -> tuple[list[int], list[int]]:
    """The stretches that begin in [from_ms, to_ms], neighbours with one price joined: where they begin, their price."""
    starts: list[int] = []
    e3: list[int] = []
    for at_ms, period in stretches(tariff, from_ms):
        if at_ms > to_ms:
            break
        if not e3 or prices[period] != e3[-1]:
            starts.append(at_ms)
            e3.append(prices[period])
    return starts, e3


def _sweep(slices: tuple[Slice, ...], starts: list[int], e3: list[int], lo_ms: int, hi_ms: int) -> tuple[int, int]:
    """As _lowest, over the start instants [lo_ms, hi_ms].

    The cost changes only where an edge of a slice meets a boundary, so it is summed from those steps alone.
    """
    if len(starts) == 1:
        return sum(piece.energy_wh for piece in slices) * e3[0], lo_ms
    cost = 0
    changes: dict[int, int] = {}  # start instant -> change of the cost there
    for piece in slices:
        steps = _steps(starts, e3, piece.from_ms, _end_ms(piece), lo_ms, hi_ms)
        _, before = next(steps)
        cost += piece.energy_wh * before
        for start_ms, price in steps:
            if price != before:
                changes[start_ms] = changes.get(start_ms, 0) + piece.energy_wh * (price - before)
                before = price
    best = (cost, lo_ms)
    for start_ms in sorted(changes):
        cost += changes[start_ms]
        if cost < best[0]:
            best = (cost, start_ms)
    return best


def _steps(
    starts: list[int], e3: list[int], from_ms: int, end_ms: int, lo_ms: int, hi_ms: int
) -> Iterator[tuple[int, int]]:
    """(start instant, lowest price touched) of the slice [from_ms, end_ms): at lo_ms, then wherever that may change."""
    left = bisect_right(starts, lo_ms + from_ms) - 1  # stretch of the slice's first ms
    right = bisect_left(starts, lo_ms + end_ms) - 1  # and of its last
    yield lo_ms, min(e3[left : right + 1])
    while True:
        leaves_ms = starts[left + 1] - from_ms if left + 1 < len(starts) else hi_ms + 1
        enters_ms = starts[right + 1] - end_ms + 1 if right + 1 < len(starts) else hi_ms + 1
        start_ms = min(leaves_ms, enters_ms)
        if start_ms > hi_ms:
            return
        left += leaves_ms == start_ms
        right += enters_ms == start_ms
        yield start_ms, min(e3[left : right + 1])


def _start_ranges(tariff: Tariff, lb_ms: int, ub_ms: int | None, span_ms: int) -> Iterator[tuple[int, int]]:
    """Rising ranges of start instants that show every price which any instant of [lb_ms, ub_ms] has.

    While the offset stays the same, every day is like the first. So of the time with one offset the first day counts,
    and the starts from which a session of span_ms runs into the next offset.
    """
    begins_ms = [lb_ms, *offset_changes_ms(tariff)]
    for begin_ms, after_ms in zip_longest(begins_ms, begins_ms[1:]):
        lo_ms = max(lb_ms, begin_ms)
        day_ms = lo_ms + DAY_MS - 1
        last_ms = day_ms if after_ms is None else after_ms - 1
        if ub_ms is not None:
            last_ms = min(last_ms, ub_ms)
        if lo_ms <= last_ms:
            yield lo_ms, min(day_ms, last_ms)
        if after_ms is not None and max(day_ms + 1, after_ms - span_ms) <= last_ms:
            yield max(day_ms + 1, after_ms - span_ms), last_ms


def _energy_by_period(tariff: Tariff, slices: tuple[Slice, ...], start_ms: int) -> dict[int, int]:
    """Wh in each period for a known start; a slice over a boundary belongs to the cheapest period it touches, ties to
    the earliest.
    """
    prices = _prices(tariff)
    starts: list[int] = []
    periods: list[int] = []
    end_ms = start_ms + _span_ms(slices)
    for at_ms, period in stretches(tariff, start_ms):
        if at_ms > end_ms:
            break
        starts.append(at_ms)
        periods.append(period)
    energy_wh: dict[int, int] = {}
    for piece in slices:
        left = bisect_right(starts, start_ms + piece.from_ms) - 1
        right = bisect_left(starts, start_ms + _end_ms(piece)) - 1
        period = periods[left] if left == right else min(periods[left : right + 1], key=prices.__getitem__)
        energy_wh[period] = energy_wh.get(period, 0) + piece.energy_wh
    return energy_wh


def _prices(tariff: Tariff) -> list[int]:
    """Energy and service, e3 per kWh, of each period."""
    return [period.energy_e3 + period.service_e3 for period in tariff.periods]


def _end_ms(piece: Slice) -> int:
    """The first ms that the slice does not touch; one without length touches its own."""
    return max(piece.to_ms, piece.from_ms + 1)


def _span_ms(slices: tuple[Slice, ...]) -> int:
    """Ms from the opening to the latest end of a slice. Raises ValueError for slices that no till can have written."""
    for piece in slices:
        if not 0 <= piece.from_ms <= piece.to_ms <= SPAN_MS_MAX:
            raise ValueError(f"expected a slice within 0 to {SPAN_MS_MAX} ms, got {piece.from_ms} to {piece.to_ms}")
    return max(map(_end_ms, slices), default=0)
