"""Is one bill what meter, tariff, holds and rounding make it? Pure checks of a closed session against its opening."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from protocols.trade import price, tender
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.documents import BYTES_MAX, TARIFF
from protocols.trade.records import BillLine, Effect, Hold, Move, Pin, SessionClosed, SessionOpened
from protocols.trade.tariff import Tariff
from protocols.trade.tender import MONEY_ALONE, Tenders

Fault = tuple[str, str, object, object]
"""(code of a finding, what, expected, got)"""

T = TypeVar("T")

_KEPT = 64
"""Decoded documents in memory at once; a site changes its prices some times a year."""


class Pinned:
    """The documents that a log pins, decoded once each."""

    def __init__(self, payload_of: Callable[[Pin], bytes | None]) -> None:
        self._payload_of = payload_of
        self._read: dict[bytes, object] = {}

    def read(self, pins: Sequence[Pin], kind: str, into: type[T]) -> T | None:
        """The one of that kind; None where none is pinned, or its content is not to be had or is something else."""
        pin = next((pin for pin in pins if pin.kind == kind), None)
        if pin is None:
            return None
        found = self._read.get(pin.hash)
        if found is None:
            payload = self._payload_of(pin)
            if payload is None:
                return None
            try:
                found = decode(payload, into, bytes_max=BYTES_MAX)
            except NotCanonical:
                return None
            if len(self._read) >= _KEPT:
                self._read.clear()
            self._read[pin.hash] = found
        return found if isinstance(found, into) else None

    def has(self, pin: Pin) -> bool:
        return pin.hash in self._read or self._payload_of(pin) is not None


def bill_faults(
    opened: SessionOpened, holds: Sequence[Hold], moves: Sequence[Move], closed: SessionClosed, pinned: Pinned
) -> Iterator[Fault]:
    """Everything that does not add up. holds: all that the session ever took. moves: of the closing record."""
    yield from _energy_faults(opened, closed)
    yield from _price_faults(opened, closed, pinned)
    yield from capture_faults(opened.pins, holds, moves, closed.lines, closed.overrun_fen, pinned)


def _energy_faults(opened: SessionOpened, closed: SessionClosed) -> Iterator[Fault]:
    begin, end = opened.begin, closed.end
    if begin.meter != end.meter:
        yield "energy", "meter of the session", begin.meter, end.meter
    elif end.energy_wh - begin.energy_wh != closed.energy_wh:
        expected = f"{end.energy_wh} - {begin.energy_wh} = {end.energy_wh - begin.energy_wh}"
        yield "energy", "energy of the session in Wh", expected, closed.energy_wh
    sliced_wh = sum([piece.energy_wh for piece in closed.slices])
    if sliced_wh != closed.energy_wh:
        yield "energy", "energy of its slices in Wh", closed.energy_wh, sliced_wh


def _price_faults(opened: SessionOpened, closed: SessionClosed, pinned: Pinned) -> Iterator[Fault]:
    """The bill worked out again, to the fen and to the exact fraction before the one rounding."""
    tariff = pinned.read(opened.pins, TARIFF, Tariff)
    if tariff is None:
        yield "document", "the tariff that the session pins", "its content", "nothing that hashes to it"
        return
    try:
        delivered = price.Delivered(tuple(closed.slices), closed.idle_s, closed.clock_lb_ms, closed.clock_ub_ms)
        bill = price.bill(tariff, delivered)
    except ValueError as error:  # slices or bounds that no session can have
        yield "bill", "what was delivered", "something that can be priced", error
        return
    if bill.amount_fen != closed.amount_fen:
        yield "bill", f"the bill in fen, by tariff version {tariff.version}", bill.amount_fen, closed.amount_fen
    exact = bill.exact_fen
    if (exact.numerator, exact.denominator) != (closed.exact_num, closed.exact_den):
        yield "bill", "the exact price in fen", exact, f"{closed.exact_num}/{closed.exact_den}"
    if list(bill.lines) != closed.lines:
        yield "bill", "the lines of the bill", _lines(bill.lines), _lines(closed.lines)


def capture_faults(
    pins: Sequence[Pin],
    holds: Sequence[Hold],
    moves: Sequence[Move],
    lines: Sequence[BillLine],
    billed_overrun_fen: int,
    pinned: Pinned,
) -> Iterator[Fault]:
    """Who paid how much is worked out again too: the holds in their order, each for the lines that it may pay."""
    tenders = pinned.read(pins, tender.KIND, Tenders) or MONEY_ALONE
    moved, overrun_fen = Counter[tuple[str, str]](), 0
    for move in moves:
        if move.effect == Effect.USED:
            moved[move.account, move.asset] += move.amount
        elif move.effect == Effect.OVERRUN:
            overrun_fen += move.amount
    held, meant = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    drawn = tender.draw(tender.owed_by(lines), holds, tenders)
    for hold, capture in zip(holds, drawn.captures, strict=True):
        held[hold.account, hold.asset] += hold.amount
        meant[hold.account, hold.asset] += capture.units
    for key in sorted(moved.keys() | meant.keys()):
        if moved[key] > held[key]:
            yield "capture", f"captured from {key[0]} in {key[1]}", f"at most {held[key]}, as was held", moved[key]
        elif moved[key] != meant[key]:
            yield "capture", f"captured from {key[0]} in {key[1]}", meant[key], moved[key]
    if not overrun_fen == billed_overrun_fen == drawn.overrun_fen:
        got = f"{overrun_fen} moved, {billed_overrun_fen} in the bill"
        yield "capture", "delivered beyond the holds, in fen", drawn.overrun_fen, got


def _lines(lines: Sequence[BillLine]) -> str:
    said = (
        f"{line.quantity} of {line.code} {line.period} at {line.price_e3} e3: {line.amount_fen} fen" for line in lines
    )
    return "; ".join(said)
