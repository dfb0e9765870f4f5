"""What happened at a site on a business day? Sums over its sessions; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from cloud.night.reconcile.log import (
    AnyDelivery,
    Filling,
    Instant,
    LockerStay,
    LogFacts,
    LogKey,
    PortVisit,
    Session,
    Swap,
)
from cloud.night.report_model import (
    Adjustment,
    Connector,
    DayClose,
    FuelDay,
    HotListUse,
    Hour,
    PortDay,
    Quantities,
    ShopDay,
    SiteDay,
    TariffUse,
)
from protocols.trade import fuel_prices, hotlist, port_prices, swap_terms
from protocols.trade.documents import TARIFF
from protocols.trade.quantities import largest_remainder
from protocols.trade.records import CNY, Effect, Pin, SessionClosed
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.records_port import PortClosed

LATE_AFTER_S = 600
"""A site with a working link reports within seconds; ten minutes later, it had none."""

HOUR_MS = 3_600_000
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """A site and its calendar. zone: IANA name. day_starts_h: local hour at which its business day begins. admitted: it
    is expected to report.
    """

    id: str
    title: str
    zone: str
    day_starts_h: int
    admitted: bool = True


@dataclass(frozen=True, slots=True)
class Since:
    """What the previous report covered: dates up to and with `date`, and so many records of each log."""

    date: str
    sizes: dict[LogKey, int]


def bounds_ms(site: Site, day: date) -> tuple[int, int]:
    """The business day's first instant and the first after it, in Unix ms."""

    def begins(at: date) -> int:
        local = datetime(at.year, at.month, at.day, site.day_starts_h, tzinfo=ZoneInfo(site.zone))
        return (local - _UNIX_EPOCH) // timedelta(milliseconds=1)

    return begins(day), begins(day + timedelta(days=1))


def site_day(
    site: Site,
    day: date,
    logs: Sequence[LogFacts],
    since: Since | None,
    heard_ms: int | None,
    fuel: FuelDay | None = None,
    shop: ShopDay | None = None,
    ports: PortDay | None = None,
) -> SiteDay:
    """The site's day. heard_ms: when it was last in touch, None for never. Sessions count on the day they ended."""
    begins_ms, ends_ms = bounds_ms(site, day)
    iso = day.isoformat()
    sessions = [it for facts in logs for it in facts.deliveries]
    charges = [it for facts in logs for it in facts.sessions.values() if it.ended is not None and it.ended.date == iso]
    ended = [it for it in sessions if it.ended is not None]
    today = [it for it in ended if it.ended is not None and it.ended.date == iso]
    earlier = [it for it in ended if it.ended is not None and came_late(it.ended, it.log, iso, since)]
    unfinished = [it for it in sessions if it.ended is None]
    by_tariff: list[AnyDelivery] = [*charges, *_by_the_hour(today)]
    closes = [(facts.key, at, it) for facts in logs for at, it in facts.days if at.date == iso]
    return SiteDay(
        site=site.id,
        title=site.title,
        zone=site.zone,
        begins_ms=begins_ms,
        ends_ms=ends_ms,
        reported=bool(closes) or (heard_ms is not None and heard_ms >= ends_ms),
        day=quantities(today),
        adjusted=quantities(earlier),
        adjustments=[_adjustment(it) for it in earlier],
        running=sum(it.held is None for it in unfinished),
        held=sum(it.held is not None for it in unfinished),
        held_fen=sum(hold.amount for it in unfinished for hold in it.holds if hold.asset == CNY),
        hours=_hours(today, site),
        connectors=_connectors(charges),
        clocks=_clocks(today),
        tariffs=_versions(it.pin(TARIFF) for it in by_tariff),
        price_lists=_versions(it.pin(fuel_prices.KIND) for it in today if isinstance(it, Filling)),
        hot_lists=_hot_lists(today),
        closes=[
            DayClose(
                day=it.day,
                record=f"{key}/{at.seq}",
                sessions=it.sessions,
                energy_wh=it.energy_wh,
                amount_fen=it.amount_fen,
                overrun_fen=it.overrun_fen,
            )
            for key, at, it in closes
        ],
        fuel=fuel,
        shop=shop,
        ports=ports,
        swap_terms=_versions(it.pin(swap_terms.KIND) for it in today if isinstance(it, Swap)),
        port_prices=_versions(it.pin(port_prices.KIND) for it in today if isinstance(it, PortVisit | LockerStay)),
    )


def quantities(sessions: Iterable[AnyDelivery]) -> Quantities:
    """Sums over sessions that ended."""
    count = voided = late = energy_wh = gross_fen = captured_fen = overrun_fen = fillings = volume_ml = swaps = 0
    ports = port_wh = 0
    parts = {"energy": 0, "service": 0, "session": 0, "idle": 0, "fuel": 0}
    for session in sessions:
        assert session.ended is not None, session.id
        late += session.ended.received_ms - session.ended.at_ms > LATE_AFTER_S * 1000
        if session.closed is None:
            voided += 1
            continue
        count += 1
        match session:
            case Session(closed=SessionClosed() as closed):
                energy_wh += closed.energy_wh
            case Filling(closed=FillingClosed() as closed):
                fillings += 1
                volume_ml += closed.volume_ml
            case Swap():
                swaps += 1
            case PortVisit(closed=PortClosed() as closed):
                ports += 1
                port_wh += closed.energy_wh or 0
        gross_fen += session.closed.amount_fen
        captured_fen += sum(it.amount for it in session.moves if it.effect == Effect.USED and it.asset == CNY)
        overrun_fen += sum(it.amount for it in session.moves if it.effect == Effect.OVERRUN and it.asset == CNY)
        for line in session.closed.lines:
            parts[line.code] = parts.get(line.code, 0) + line.amount_fen
    return Quantities(
        sessions=count,
        voided=voided,
        late=late,
        energy_wh=energy_wh,
        gross_fen=gross_fen,
        captured_fen=captured_fen,
        overrun_fen=overrun_fen,
        energy_fen=parts["energy"],
        service_fen=parts["service"],
        session_fen=parts["session"],
        idle_fen=parts["idle"],
        fillings=fillings,
        volume_ml=volume_ml,
        fuel_fen=parts["fuel"],
        swaps=swaps,
        swap_fen=parts.get("swap", 0),
        rent_fen=parts.get("rent", 0) + parts.get("late", 0),
        ports=ports,
        port_wh=port_wh,
        time_fen=parts.get("time", 0),
    )


def add(sums: Iterable[Quantities]) -> Quantities:
    totals = dict.fromkeys(Quantities.__struct_fields__, 0)
    for each in sums:
        for name in totals:
            totals[name] += getattr(each, name)
    return Quantities(**totals)


def came_late(at: Instant, log: LogKey, iso: str, since: Since | None) -> bool:
    """Of an earlier day, and in no report before: it came after the previous one, or its day never had a report."""
    if at.date >= iso:
        return False
    return since is None or at.date > since.date or at.seq >= since.sizes.get(log, 0)


def _adjustment(session: AnyDelivery) -> Adjustment:
    assert session.ended is not None
    closed = session.closed
    return Adjustment(
        date=session.ended.date,
        session=session.id,
        energy_wh=(closed.energy_wh or 0) if isinstance(closed, SessionClosed | PortClosed) else 0,
        volume_ml=closed.volume_ml if isinstance(closed, FillingClosed) else 0,
        gross_fen=closed.amount_fen if closed else 0,
        received_ms=session.ended.received_ms,
    )


def _hours(sessions: Iterable[AnyDelivery], site: Site) -> list[Hour]:
    """All 24, from the hour at which the business day begins."""
    zone = ZoneInfo(site.zone)
    count, energy_wh, volume_ml, gross_fen = ([0] * 24 for _ in range(4))
    for session in sessions:
        if session.closed is None or session.ended is None:
            continue
        hour = datetime.fromtimestamp(session.ended.at_ms // 1000, zone).hour
        count[hour] += 1
        gross_fen[hour] += session.closed.amount_fen
        if isinstance(session, Filling):
            volume_ml[hour] += session.closed.volume_ml
        for from_ms, to_ms, piece_wh in _flow(session):
            for hour, part_wh in _by_hour(from_ms, to_ms, piece_wh, zone):
                energy_wh[hour] += part_wh
    order = [(site.day_starts_h + at) % 24 for at in range(24)]
    return [
        Hour(
            hour=it,
            sessions=count[it],
            energy_wh=energy_wh[it],
            volume_ml=volume_ml[it],
            gross_fen=gross_fen[it],
        )
        for it in order
    ]


def _flow(session: AnyDelivery) -> Iterator[tuple[int, int, int]]:
    """When so many Wh flowed: from and to in Unix ms. A port without slices is one piece of as long as it lasted."""
    begun_ms, closed = session.begun.at_ms, session.closed
    if not isinstance(closed, SessionClosed | PortClosed):
        return
    if closed.slices:
        for piece in closed.slices:
            yield begun_ms + piece.from_ms, begun_ms + piece.to_ms, piece.energy_wh
    elif isinstance(closed, PortClosed) and closed.energy_wh:
        lasted_ms = (closed.elapsed_s or 0) * 1000
        assert session.ended is not None, session.id
        yield begun_ms, max(begun_ms, min(begun_ms + lasted_ms, session.ended.at_ms)), closed.energy_wh


def _by_hour(from_ms: int, to_ms: int, energy_wh: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Energy spread evenly over its stretch, in parts of local clock hours that add up to it."""
    local = datetime.fromtimestamp(from_ms // 1000, zone)
    offset = local.utcoffset()
    assert offset is not None
    offset_ms = offset // timedelta(milliseconds=1)
    first, last = (from_ms + offset_ms) // HOUR_MS, (max(to_ms - 1, from_ms) + offset_ms) // HOUR_MS
    if first == last:
        return [(first % 24, energy_wh)]
    edges = [from_ms + offset_ms, *(hour * HOUR_MS for hour in range(first + 1, last + 1)), to_ms + offset_ms]
    widths = [after - before for before, after in pairwise(edges)]
    parts = largest_remainder(energy_wh, widths)
    return [((first + at) % 24, part) for at, part in enumerate(parts)]


def _connectors(sessions: Iterable[Session]) -> list[Connector]:
    by_name: dict[str, list[Session]] = {}
    for session in sessions:
        by_name.setdefault(session.opened.connector, []).append(session)
    rows: list[Connector] = []
    for name, its in sorted(by_name.items()):
        sums = quantities(its)
        occupied = [_occupied_ms(it) for it in its]
        known = [it for it in occupied if it is not None]
        occupied_s = sum(known) // 1000 if len(known) == len(occupied) else None
        rows.append(
            Connector(
                name=name,
                sessions=sums.sessions,
                energy_wh=sums.energy_wh,
                gross_fen=sums.gross_fen,
                occupied_s=occupied_s,
            )
        )
    return rows


def _occupied_ms(session: Session) -> int | None:
    """From opening to end on the monotonic clock; None when the box restarted between."""
    assert session.ended is not None
    return session.ended.mono_ms - session.begun.mono_ms if session.ended.boot == session.begun.boot else None


def _clocks(sessions: Iterable[AnyDelivery]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for session in sessions:
        assert session.ended is not None
        name = session.ended.quality.name.lower()
        counts[name] = counts.get(name, 0) + 1
    return counts


def _by_the_hour(sessions: Iterable[AnyDelivery]) -> Iterator[PortVisit]:
    """Those at ports whose price is the tariff's."""
    for it in sessions:
        if isinstance(it, PortVisit) and isinstance(it.closed, PortClosed) and it.closed.slices:
            yield it


def _versions(pins: Iterable[Pin | None]) -> list[TariffUse]:
    counts = Counter((pin.version, pin.hash.hex()) for pin in pins if pin is not None)
    return [TariffUse(version=key[0], sha256=key[1], sessions=count) for key, count in sorted(counts.items())]


def _hot_lists(sessions: Iterable[AnyDelivery]) -> list[HotListUse]:
    counts: dict[int, int] = {}
    for session in sessions:
        pin = session.pin(hotlist.KIND)
        version = 0 if pin is None else pin.version
        counts[version] = counts.get(version, 0) + 1
    return [HotListUse(version=version, sessions=count) for version, count in sorted(counts.items())]
