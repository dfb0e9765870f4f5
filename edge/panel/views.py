"""What the panel shows: the running daemon as plain values. Looks, never touches."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.api import Device
from drivers.line import Line
from drivers.readers.reader import CardReader
from edge.carried import Taken
from edge.daemon_state import Daemon
from edge.journal.journal import Journal
from edge.panel import messages, views_fuel, views_port, views_sells, views_swap
from edge.panel.messages import (
    AssetView,
    ConnectorView,
    DeviceView,
    HqView,
    JournalView,
    LineView,
    MqttView,
    PointView,
    ReaderView,
    SessionView,
    StatusView,
    TakenView,
    TroubleView,
    ValueView,
)
from edge.panel.record_view import preset_text
from edge.plant.watch import Outlet
from edge.service import ill
from edge.site import Site
from edge.sync.quick import QuickStatus
from edge.sync.uplink import Trouble, UplinkStatus
from edge.till.charge import expected_finish_s, running_price_fen
from edge.till.progress import Progress
from edge.till.state import OpenFilling, OpenSession, TillState
from protocols.trade.records import CNY, session_id

if TYPE_CHECKING:
    from drivers.ports.listener import Listener
    from drivers.pumps.pts_controller import PtsController


def status(daemon: Daemon) -> StatusView:
    site, journal = daemon.site, daemon.journal
    stamp = daemon.clock.stamp()
    state = site.desk.state if site else None
    tariff = site.desk.tariff if site else None
    return StatusView(
        site=daemon.config.site,
        epoch=journal.epoch if journal else None,
        waiting_for=None if site else daemon.waiting_for,
        no_starts=_no_starts(site) if site else None,
        ill=ill(daemon),
        running_s=(stamp.mono_ms - daemon.started_ms) / 1000,
        clock_quality=stamp.quality.name.lower(),
        wall_ms=stamp.wall_ms,
        uncertain_ms=None if stamp.ub_ms is None else stamp.ub_ms - stamp.lb_ms,
        hq=headquarters(daemon.uplink.status(), stamp.mono_ms) if daemon.uplink else None,
        mqtt=broker(daemon.quick.status(), stamp.mono_ms) if daemon.quick else None,
        day=views_sells.day(state) if state else None,
        value=value(state) if state else None,
        tariff=f"{tariff.id} {tariff.version}" if tariff else None,
        connectors=[connector(daemon, outlet) for outlet in daemon.premises.outlets.values()],
        pumps=views_fuel.pumps(daemon),
        readers=[reader(one) for one in daemon.readers],
        journal=log_and_disk(journal) if journal else None,
        assets=assets(state) if state else [],
        papers=views_sells.papers(daemon, site) if site else [],
        cabinets=views_swap.cabinets(site.shop) if site and site.shop else [],
        ports=views_port.ports(site.ports) if site and site.ports else [],
    )


def _no_starts(site: Site) -> str | None:
    refused = site.desk.no_starts(alone=not site.is_online())
    return None if refused is None else f"{refused.refusal}: {refused.detail}"


def reader(one: CardReader) -> ReaderView:
    link = one.link()
    return ReaderView(
        id=one.id,
        kind=one.profile_id,
        where=one.setup.where,
        state=link.state.value,
        watched=one.is_watched,
        last_good_s=None if link.last_good_ms is None else (_monotonic_ms() - link.last_good_ms) / 1000,
        said=link.counts.get("said", 0),
        error=link.error,
    )


def headquarters(uplink: UplinkStatus, now_ms: int) -> HqView:
    return HqView(
        online=uplink.online,
        since_s=(now_ms - uplink.since_ms) / 1000,
        contact_s=None if uplink.contact_ms is None else (now_ms - uplink.contact_ms) / 1000,
        backlog=uplink.backlog,
        stopped=uplink.stopped,
        trouble=_trouble(uplink.trouble, now_ms),
    )


def broker(quick: QuickStatus, now_ms: int) -> MqttView:
    return MqttView(quick.connected, (now_ms - quick.since_ms) / 1000, _trouble(quick.trouble, now_ms))


def value(state: TillState) -> ValueView:
    leases = [lease for lease in state.leases.values() if lease.asset == CNY]
    return ValueView(
        accounts=len({lease.account for lease in leases}),
        granted_fen=sum(lease.granted for lease in leases),
        used_fen=sum(lease.used for lease in leases),
        returned_fen=sum(lease.returned for lease in leases),
        held_fen=sum(lease.held for lease in leases),
        rights_fen=sum(lease.rights for lease in leases),
        overrun_fen=state.overrun_fen,
    )


def assets(state: TillState) -> list[AssetView]:
    """By name, without money."""
    return [
        AssetView(
            asset=name,
            accounts=len({lease.account for lease in leases}),
            granted=sum(lease.granted for lease in leases),
            used=sum(lease.used for lease in leases),
            returned=sum(lease.returned for lease in leases),
            held=sum(lease.held for lease in leases),
            rights=sum(lease.rights for lease in leases),
        )
        for name in sorted({lease.asset for lease in state.leases.values()} - {CNY})
        for leases in [[lease for lease in state.leases.values() if lease.asset == name]]
    ]


def log_and_disk(journal: Journal) -> JournalView:
    cosigned, counters = journal.cosigned(), journal.counters
    return JournalView(
        records=journal.size,
        cosigned=cosigned[0] if cosigned else 0,
        full=journal.full,
        commits=counters.commits,
        fsyncs=counters.fsyncs,
        commit_ms_last=counters.commit_us_last / 1000,
        commit_ms_max=counters.commit_us_max / 1000,
        second_copy_error=journal.second_copy_failed,
    )


def _trouble(trouble: Trouble | None, now_ms: int) -> TroubleView | None:
    if trouble is None:
        return None
    return TroubleView(trouble.code, trouble.what, trouble.remedy, (now_ms - trouble.at_ms) / 1000)


def connector(daemon: Daemon, outlet: Outlet) -> ConnectorView:
    charger, reading = outlet.charger.status(), outlet.meter.reading()
    found = daemon.site.desk.session_at(outlet.connector) if daemon.site else None
    drive = daemon.site.drives.get(outlet.connector) if daemon.site else None
    errors = [outlet.charger.link().error, outlet.meter.link().error]
    if drive is not None and drive.error is not None and errors[0] is None:
        errors.append(f"{drive.error}. {drive.error.remedy}")
    return ConnectorView(
        id=outlet.connector,
        charger=outlet.charger.id,
        meter=outlet.meter_id,
        charger_link=outlet.charger.link().state.value,
        meter_link=outlet.meter.link().state.value,
        iec=charger.value.iec.value if charger.value else None,
        register_wh=reading.value.register_wh if reading.value else None,
        register_age_ms=reading.age_ms(_monotonic_ms()),
        session=session(daemon.site, *found) if daemon.site and found else None,
        errors=list(dict.fromkeys(error for error in errors if error)),
    )


def session(site: Site, opened: OpenSession, progress: Progress) -> SessionView:
    tariff = site.desk.tariff_of(opened)
    stamp = site.clock.stamp()
    same_boot = stamp.boot == opened.stamp.boot
    return SessionView(
        id=session_id(site.desk.state.site, site.desk.state.epoch, opened.seq),
        seq=opened.seq,
        connector=opened.opened.connector,
        account=opened.account,
        phase=progress.phase.value,
        reason=progress.reason.value if progress.reason else None,
        detail=progress.detail,
        preset=preset_text(opened.opened.preset),
        energy_wh=progress.energy_wh,
        power_w=progress.power_w,
        running_fen=running_price_fen(progress, tariff) if progress.energy_wh else 0,
        hold_fen=site.desk.hold_fen(opened),
        since_s=(stamp.mono_ms - opened.stamp.mono_ms) // 1000 if same_boot else None,
        finish_s=expected_finish_s(opened, progress, tariff, stamp.wall_ms),
        finding=opened.finding or progress.finding,
    )


def taken(site: Site, one: Taken, refused: messages.Trouble | None) -> TakenView:
    """What a code came to. refused: why its start was not done, with the remedy."""
    found = site.desk.session_at(one.connector) if isinstance(one.session, OpenSession) else None
    filled = None
    if isinstance(one.session, OpenFilling) and site.islands is not None:
        filled = site.islands.fills.filling(one.session.seq)
    return TakenView(
        account=one.account,
        asset=one.asset,
        news=one.news,
        expired=one.expired,
        rights=one.rights,
        connector=one.connector,
        session=session(site, *found) if found is not None else None,
        filling=views_fuel.filling(site.islands.fills, *filled) if filled is not None and site.islands else None,
        again=one.again,
        refused=refused,
    )


def last_good_s(one: Device) -> float | None:
    """Since the last good answer; None: never one."""
    at_ms = one.link().last_good_ms
    return None if at_ms is None else (_monotonic_ms() - at_ms) / 1000


def device(one: Device, line: str) -> DeviceView:
    link = one.link()
    return DeviceView(
        id=one.id,
        line=line,
        profile=one.profile_id,
        state=link.state.value,
        last_good_s=last_good_s(one),
        error=link.error,
        counts=link.counts,
        latency_ms=link.latency_ms,
    )


def line(one: Line | PtsController | Listener) -> LineView:
    stats, config = one.stats(), one.config
    return LineView(
        id=one.id,
        where=config.where,
        up=stats.up,
        error=stats.error,
        bus_use=round(stats.bus_use, 3),
        queue_depth=stats.queue_depth,
        overruns=stats.overruns,
        exchanges=stats.exchanges,
    )


def points(one: Device) -> list[PointView]:
    now_ms = _monotonic_ms()
    return [
        PointView(
            name=point.name,
            value=point.value,
            quality=point.quality.value,
            age_ms=None if point.at_ms is None else now_ms - point.at_ms,
            took_ms=point.took_ms,
            where=point.where,
            error=point.error,
        )
        for point in one.points()
    ]


def plain(value: object) -> dict[str, Any]:
    """A dataclass or struct as a table of plain values."""
    table = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    return dict(msgspec.to_builtins(table, enc_hook=str))


def _monotonic_ms() -> int:
    """The clock that drivers count readings from."""
    return time.monotonic_ns() // 1_000_000
