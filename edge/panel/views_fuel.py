"""What the panel shows of the forecourt, as plain values. Looks, never touches."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.pumps.config import PumpConfig
from edge.daemon_state import Daemon
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.panel.messages_fuel import FillingView, NozzleView, PumpView
from edge.panel.record_view import preset_text
from edge.till.fill.prices import due, shown
from edge.till.fill.progress import FillProgress
from edge.till.state import OpenFilling
from protocols.trade.quantities import litres, yuan
from protocols.trade.records import session_id


def pumps(daemon: Daemon) -> list[PumpView]:
    """All of the config, whether the till is open or not."""
    islands = daemon.site.islands if daemon.site is not None else None
    return [pump(daemon, islands, one) for one in daemon.config.pump]


def pump(daemon: Daemon, islands: Islands | None, config: PumpConfig) -> PumpView:
    device = daemon.premises.pumps[config.id]
    link = device.link()
    status, age_ms, found = None, None, None
    errors = [link.error]
    if islands is not None and config.id in islands.loops:
        sight = islands.loops[config.id].eye.sight()
        status = sight.status_within(islands.fills.policy.silence_s * 1000)
        age_ms = None if sight.status_ms is None else sight.now.mono_ms - sight.status_ms
        found = islands.fills.filling_at(config.id)
        errors += islands.loops[config.id].troubles()
    return PumpView(
        id=config.id,
        number=config.number,
        protocol=config.protocol,
        line=config.line or config.controller or "",
        link=link.state.value,
        state=None if status is None else status.state.value,
        reason="" if status is None else status.reason,
        alarm=None if status is None else status.alarm,
        nozzle=None if status is None else status.nozzle,
        age_ms=age_ms,
        nozzles=_nozzles(islands, config),
        filling=None if islands is None or found is None else filling(islands.fills, *found),
        errors=list(dict.fromkeys(error for error in errors if error)),
    )


def filling(fills: FillDesk, opened: OpenFilling, progress: FillProgress) -> FillingView:
    """An open filling."""
    state, body, now = fills.desk.state, opened.opened, fills.now()
    order = f"{litres(body.order_limit)} L" if body.order_kind == "volume" else f"¥{yuan(body.order_limit)}"
    same_boot = now.boot == opened.stamp.boot
    return FillingView(
        id=session_id(state.site, state.epoch, opened.seq),
        seq=opened.seq,
        pump=body.pump,
        account=opened.account,
        phase=progress.phase.value,
        reason=None if progress.reason is None else progress.reason.value,
        detail=progress.detail,
        preset=preset_text(body.preset),
        order=order,
        nozzle=progress.nozzle,
        volume_ml=progress.volume_ml,
        amount_fen=progress.amount_fen,
        hold_fen=fills.hold_fen(opened),
        guaranteed=body.guaranteed,
        since_s=(now.mono_ms - opened.stamp.mono_ms) // 1000 if same_boot else None,
        finding=opened.finding,
    )


def _nozzles(islands: Islands | None, config: PumpConfig) -> list[NozzleView]:
    should: Mapping[int, int] = {}
    shows: Mapping[int, int] = {}
    totals: dict[int, int] = {}
    if islands is not None and config.id in islands.loops:
        loop, state, prices = islands.loops[config.id], islands.fills.desk.state, islands.fills.prices
        sight = loop.eye.sight()
        should = {} if prices is None else due(state, loop.point, prices, sight.now)
        shows = shown(state, loop.point, sight.prices)
        read = sight.totals or state.forecourt.totals.get(config.id)
        totals = {} if read is None else {one.nozzle: one.volume_ml for one in read.nozzles}
    return [
        NozzleView(
            one.number, one.grade, one.tank or "", should.get(one.number), shows.get(one.number), totals.get(one.number)
        )
        for one in config.nozzles
    ]
