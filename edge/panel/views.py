"""What the panel shows: the running daemon as plain values. Looks, never touches."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import msgspec

from drivers.api import Device
from drivers.line import Line
from edge.daemon_state import Daemon
from edge.panel.messages import ConnectorView, DeviceView, LineView, PointView, SessionView, StatusView
from edge.plant.watch import Outlet
from edge.site import Site
from edge.till.charge import expected_finish_s, running_price_fen
from edge.till.progress import Progress
from edge.till.state import OpenSession
from protocols.trade.quantities import kwh, yuan
from protocols.trade.records import CNY, Preset, session_id


def status(daemon: Daemon) -> StatusView:
    site, journal = daemon.site, daemon.journal
    stamp = daemon.clock.stamp()
    state = site.desk.state if site else None
    leases = [lease for lease in state.leases.values() if lease.asset == CNY] if state else []
    tariff = site.desk.tariff if site else None
    cosigned = journal.cosigned() if journal else None
    return StatusView(
        site=daemon.config.site,
        epoch=journal.epoch if journal else None,
        waiting_for=None if site else daemon.waiting_for,
        running_s=(stamp.mono_ms - daemon.started_ms) // 1000,
        clock_quality=stamp.quality.name.lower(),
        wall_ms=stamp.wall_ms,
        records=journal.size if journal else 0,
        cosigned=cosigned[0] if cosigned else 0,
        hq=plain(daemon.uplink.status()) if daemon.uplink else None,
        mqtt=plain(daemon.quick.status()) if daemon.quick else None,
        day=state.day.number if state else None,
        day_sessions=state.day.sessions if state else 0,
        day_energy_wh=state.day.energy_wh if state else 0,
        day_amount_fen=state.day.amount_fen if state else 0,
        held_fen=sum(lease.held for lease in leases),
        rights_fen=sum(lease.rights for lease in leases),
        used_fen=sum(lease.used for lease in leases),
        returned_fen=sum(lease.returned for lease in leases),
        granted_fen=sum(lease.granted for lease in leases),
        overrun_fen=state.overrun_fen if state else 0,
        accounts=len({lease.account for lease in leases}),
        tariff=f"{tariff.id} {tariff.version}" if tariff else None,
        connectors=[connector(daemon, outlet) for outlet in daemon.premises.outlets.values()],
        journal=plain(journal.counters) | {"full": journal.full} if journal else {},
    )


def connector(daemon: Daemon, outlet: Outlet) -> ConnectorView:
    charger, reading = outlet.charger.status(), outlet.meter.reading()
    found = daemon.site.desk.session_at(outlet.connector) if daemon.site else None
    drive = daemon.site.drives.get(outlet.connector) if daemon.site else None
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
        error=str(drive.error) if drive and drive.error else None,
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
        hold_fen=opened.hold_fen,
        since_s=(stamp.mono_ms - opened.stamp.mono_ms) // 1000 if same_boot else None,
        finish_s=expected_finish_s(opened, progress, tariff, stamp.wall_ms),
        finding=opened.finding or progress.finding,
    )


def preset_text(preset: Preset) -> str:
    """A preset for people."""
    match preset.kind:
        case "money":
            return f"¥{yuan(preset.amount)}"
        case "energy":
            return f"{kwh(preset.amount)} kWh"
        case "time":
            return f"{preset.amount // 60} min {preset.amount % 60} s"
    return "full"


def device(one: Device, line: str) -> DeviceView:
    link = one.link()
    last_good_s = None if link.last_good_ms is None else (_monotonic_ms() - link.last_good_ms) / 1000
    return DeviceView(
        id=one.id,
        line=line,
        profile=one.profile_id,
        state=link.state.value,
        last_good_s=last_good_s,
        error=link.error,
        counts=link.counts,
        latency_ms=link.latency_ms,
    )


def line(one: Line) -> LineView:
    stats, config = one.stats(), one.config
    return LineView(
        id=one.id,
        where=config.path or f"{config.host}:{config.port}",
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
