"""Which session do these records tell of? From its opening to its end, and what it looks like to a person.

A charge and a filling tell the same story, of a connector or of a pump; what each looks like differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeAlias, TypeVar

from protocols.trade.codec import NotCanonical, decode
from protocols.trade.quantities import kwh, litres, yuan, yuan_e3
from protocols.trade.records import (
    BillLine,
    Hold,
    Move,
    Record,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    Stamp,
    body_of,
    session_id,
)
from protocols.trade.records_fuel import FillingClosed, FillingOpened, PumpTotals

Opened = TypeVar("Opened", SessionOpened, FillingOpened)
Closed = TypeVar("Closed", SessionClosed, FillingClosed)

_YEAR_10000_MS = 253_402_300_800_000


class NoStory(ValueError):
    """The records are not those of one session. `code`: for programs."""

    def __init__(self, code: str, seq: int) -> None:
        super().__init__(f"record {seq}: {code}")
        self.code = code
        self.seq = seq


@dataclass(frozen=True, slots=True)
class Delivery(Generic[Opened, Closed]):
    """One session as its records tell it. `closed` is None when nothing was delivered: it was voided."""

    site: str
    epoch: int
    seq: int  # of the opening record
    opened: Opened
    began: Stamp
    holds: tuple[Hold, ...]  # those of the opening and of every extension that is here
    closed: Closed | None
    moves: tuple[Move, ...]  # of the last record
    ended: Stamp

    @property
    def session(self) -> str:
        return session_id(self.site, self.epoch, self.seq)


@dataclass(frozen=True, slots=True)
class ChargeStory(Delivery[SessionOpened, SessionClosed]):
    """A charge at a connector."""


@dataclass(frozen=True, slots=True)
class FillingStory(Delivery[FillingOpened, FillingClosed]):
    """A filling at a pump."""

    @property
    def drawing_order(self) -> tuple[Hold, ...]:
        """The holds as they are drawn on: a guarantor's, the first, stands in for what all others leave."""
        return (*self.holds[1:], *self.holds[:1]) if self.opened.guaranteed else self.holds


Story: TypeAlias = ChargeStory | FillingStory


def read_story(site: str, epoch: int, records: Sequence[tuple[int, bytes]]) -> Story:
    """From (seq, exact bytes) in the receipt's order: the opening first, the end last. Raises NoStory."""
    before = -1
    holds: list[Hold] = []
    opened: SessionOpened | FillingOpened | None = None
    first_seq, began = records[0][0], None
    for place, (seq, data) in enumerate(records):
        try:
            record = decode(data, Record)
            body = body_of(record)
        except NotCanonical:
            raise NoStory("not-canonical", seq) from None
        if seq <= before:
            raise NoStory("order", seq)
        before = seq
        is_last = place == len(records) - 1
        match body:
            case SessionOpened() | FillingOpened() if place == 0:
                opened, began = body, record.stamp
                holds += body.holds
            case SessionExtended() | SessionHeld() if place and not is_last:
                if isinstance(body, SessionExtended):
                    holds += body.holds
            case SessionClosed() if is_last and isinstance(opened, SessionOpened):
                pass
            case FillingClosed() if is_last and isinstance(opened, FillingOpened):
                pass
            case SessionVoided() if is_last and place:
                pass
            case _:
                raise NoStory("kind", seq)
        if place and getattr(body, "session", None) != first_seq:
            raise NoStory("another-session", seq)
    assert opened is not None, "the first record is an opening"
    assert began is not None, "the first record is an opening"
    told = tuple(holds), tuple(record.moves)
    if isinstance(opened, FillingOpened):
        filled = body if isinstance(body, FillingClosed) else None
        return FillingStory(site, epoch, first_seq, opened, began, told[0], filled, told[1], record.stamp)
    closed = body if isinstance(body, SessionClosed) else None
    return ChargeStory(site, epoch, first_seq, opened, began, told[0], closed, told[1], record.stamp)


def view(story: Story) -> dict[str, Any]:
    """The session as plain texts, for whoever opens the file; a verifier makes it again and compares.

    Who paid stays out of it: an account is an opaque id, a card's number is in no record.
    """
    return _filling(story) if isinstance(story, FillingStory) else _charge(story)


def _charge(story: ChargeStory) -> dict[str, Any]:
    told: dict[str, Any] = {
        "session": story.session,
        "connector": story.opened.connector,
        "meter": story.opened.begin.meter,
        "began": instant(story.began.wall_ms),
        "ended": instant(story.ended.wall_ms),
        "clock": story.ended.quality.name.lower(),
        "begin_kwh": kwh(story.opened.begin.energy_wh),
    }
    if story.closed is None:
        return {**told, "energy_kwh": kwh(0), "amount_yuan": yuan(0), "lines": []}
    closed = story.closed
    return {
        **told,
        "end_kwh": kwh(closed.end.energy_wh),
        "energy_kwh": kwh(closed.energy_wh),
        "amount_yuan": yuan(closed.amount_fen),
        "overrun_yuan": yuan(closed.overrun_fen),
        "reason": closed.reason,
        "lines": [_line(line) for line in closed.lines],
    }


def _filling(story: FillingStory) -> dict[str, Any]:
    told: dict[str, Any] = {
        "session": story.session,
        "pump": story.opened.pump,
        "began": instant(story.began.wall_ms),
        "ended": instant(story.ended.wall_ms),
        "clock": story.ended.quality.name.lower(),
    }
    if story.closed is None:
        return {**told, "volume_l": litres(0), "amount_yuan": yuan(0), "lines": []}
    closed, sold = story.closed, story.closed.sold
    return {
        **told,
        "nozzle": str(sold.nozzle),
        "grade": sold.grade,
        "total_before_l": _total_l(story.opened.begin, sold.nozzle),
        "total_after_l": _total_l(closed.end, sold.nozzle),
        "volume_l": litres(closed.volume_ml),
        "price_yuan": yuan_e3(sold.price_e3),
        "amount_yuan": yuan(closed.amount_fen),
        "overrun_yuan": yuan(closed.overrun_fen),
        "reason": closed.reason,
        "lines": [_line(line) for line in closed.lines],
    }


def total_ml(totals: PumpTotals, nozzle: int) -> int | None:
    """A nozzle's totalizer. None: the pump has no such nozzle."""
    return next((one.volume_ml for one in totals.nozzles if one.nozzle == nozzle), None)


def _total_l(totals: PumpTotals, nozzle: int) -> str:
    found = total_ml(totals, nozzle)
    return "" if found is None else litres(found)


def _line(line: BillLine) -> dict[str, str]:
    return {
        "code": line.code,
        "period": str(line.period),
        "quantity": quantity(line),
        "price_yuan": yuan_e3(line.price_e3),
        "amount_yuan": yuan(line.amount_fen),
    }


def quantity(line: BillLine) -> str:
    """In kWh or litres, where it is either."""
    match line.code:
        case "energy" | "service":
            return kwh(line.quantity)
        case "fuel":
            return litres(line.quantity)
    return str(line.quantity)


def instant(wall_ms: int) -> str:
    """To the second, in UTC: `2026-09-21T12:13:20Z`; empty for a time before 1970 or after the year 9999."""
    if not 0 <= wall_ms < _YEAR_10000_MS:
        return ""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=wall_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
