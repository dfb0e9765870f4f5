"""What the panel can be asked of tanks: each verb a struct of arguments and a function on the running daemon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from edge.daemon_state import Daemon
from edge.forecourt.tanks import TankRefused, Tanks
from edge.panel import verbs
from edge.panel.messages import Trouble
from edge.panel.messages_tank import BookedView, TankView
from edge.panel.verbs import Declined, NoArgs, Verb
from edge.till.fill import tank_rules
from edge.till.state import Tank
from protocols.trade.stock_forecast import SoldDay, forecast

Volume = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Millimetres = Annotated[int, msgspec.Meta(ge=0, le=30_000)]


class OneTank(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """tank: its id."""

    tank: str


class Dip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """volume_ml: None: as the gauge shows now. temp_dc: tenths of a degree Celsius."""

    tank: str
    volume_ml: Annotated[int, msgspec.Meta(ge=0, le=10**12)] | None = None
    level_mm: Millimetres | None = None
    water_mm: Millimetres | None = None
    temp_dc: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] | None = None


class Receive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """note: number of the delivery note. grade: as on the note; empty: not compared."""

    tank: str
    volume_ml: Volume
    note: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    grade: str = ""


async def tanks(daemon: Daemon, args: NoArgs, by: str) -> object:
    court = tanks_of(daemon)
    return [view(daemon, court, name) for name in sorted(court.limits)]


async def show(daemon: Daemon, args: OneTank, by: str) -> object:
    court = tanks_of(daemon)
    if args.tank not in court.limits:
        known = ", ".join(sorted(court.limits))
        raise Declined(Trouble("unknown-tank", f"no tank {args.tank}", f"It is one of {known}.", where=args.tank))
    return view(daemon, court, args.tank)


async def dip(daemon: Daemon, args: Dip, by: str) -> object:
    court = tanks_of(daemon)
    try:
        if args.volume_ml is None:
            booked = await court.dip_by_gauge(args.tank, by)
        else:
            booked = await court.dip(
                args.tank, by, args.volume_ml,
                level_mm=args.level_mm, water_mm=args.water_mm, temp_dc=args.temp_dc,
            )  # fmt: skip
    except TankRefused as refused:
        raise Declined(_refused(args.tank, refused)) from None
    return BookedView(booked.volume_ml, view(daemon, court, args.tank))


async def receive(daemon: Daemon, args: Receive, by: str) -> object:
    court = tanks_of(daemon)
    try:
        booked = await court.receive(args.tank, args.grade, args.volume_ml, args.note, by)
    except TankRefused as refused:
        raise Declined(_refused(args.tank, refused)) from None
    return BookedView(booked.volume_ml, view(daemon, court, args.tank))


VERBS: dict[str, tuple[type[msgspec.Struct], Verb]] = {
    "tanks": (NoArgs, tanks),
    "tank-show": (OneTank, show),
    "tank-dip": (Dip, dip),
    "tank-receive": (Receive, receive),
}


def tanks_of(daemon: Daemon) -> Tanks:
    """Raises Declined where the till is not open or has no tanks."""
    islands = verbs.site_of(daemon).islands
    if islands is None or not islands.tanks.limits:
        raise Declined(Trouble("no-tanks", "this site has no tanks", "Put [[tank]] into the config."))
    return islands.tanks


def view(daemon: Daemon, court: Tanks, name: str) -> TankView:
    """A tank as gauge and book have it."""
    limits, seen, book = court.limits[name], court.seen(name), court.book(name) or Tank(court.limits[name].grade)
    gauge, newest = court.gauges.get(name), tank_rules.newest_dip(book)
    stock_ml = seen.volume_ml if seen is not None and seen.volume_ml is not None else tank_rules.book_ml(book)
    now_ms = daemon.clock.stamp().wall_ms
    return TankView(
        id=name,
        grade=limits.grade,
        capacity_ml=limits.capacity_ml,
        gauge=None if gauge is None else gauge.id,
        gauge_ml=None if seen is None else seen.volume_ml,
        level_mm=None if seen is None else seen.level_mm,
        water_mm=None if seen is None else seen.water_mm,
        temp_dc=None if seen is None else seen.temp_dc,
        book_ml=tank_rules.book_ml(book),
        dip_ml=None if newest is None else newest.volume_ml,
        dip_wall_ms=None if newest is None else newest.wall_ms,
        difference_ml=tank_rules.difference_ml(book),
        received_ml=book.flow.received_ml,
        sold_ml=book.flow.sold_ml,
        unattributed_ml=book.flow.unattributed_ml,
        days_tenths=None if stock_ml is None else _days_tenths(book, stock_ml, now_ms),
    )


def _days_tenths(book: Tank, stock_ml: int, now_ms: int) -> int | None:
    """By the days that the log remembers of this tank; None: none has been closed yet."""
    weekday = datetime.fromtimestamp(now_ms / 1000, UTC).weekday()
    sold = [SoldDay((weekday - len(book.sold_days) + at) % 7, ml) for at, ml in enumerate(book.sold_days)]
    told = forecast(stock_ml, sold, weekday)
    return None if told is None else told.tenths


def _refused(tank: str, refused: TankRefused) -> Trouble:
    return Trouble("tank-refused", refused.what, "`fieldtill tank show` has the tank's book.", where=tank)
