"""What does the site look like right now? A small picture for a map or an app; nothing that money depends on."""

from __future__ import annotations

import msgspec

from edge.forecourt.islands import Islands
from edge.site import Site
from edge.till.charge import running_price_fen
from edge.till.sight import ChargerSight
from protocols.trade.records import session_id


class LiveConnector(msgspec.Struct, frozen=True):
    """A place to charge. All but `id` are None while its charger is silent."""

    id: str
    plugged: bool | None
    delivering: bool | None
    faulted: bool | None
    state: str | None  # the vendor's own word


class LiveSession(msgspec.Struct, frozen=True):
    """A running session; the account is not shown. amount_fen: what it would cost if it ended now."""

    session: str  # site/epoch/seq
    connector: str
    phase: str
    energy_wh: int
    amount_fen: int
    hold_fen: int
    power_w: int | None
    reason: str | None  # why it ends, once it does


class LivePump(msgspec.Struct, frozen=True):
    """A pump. state: a `drivers.pump.PumpState`. nozzle: the one that is out. All but `id` are None while silent."""

    id: str
    state: str | None
    nozzle: int | None
    alarm: str | None


class LiveFilling(msgspec.Struct, frozen=True):
    """A filling that is open; the account is not shown. As the pump displayed it last."""

    session: str  # site/epoch/seq
    pump: str
    phase: str
    nozzle: int | None
    volume_ml: int
    amount_fen: int
    hold_fen: int
    reason: str | None  # why it ends, once it does


class LiveState(msgspec.Struct, frozen=True):
    """The whole picture. size: records in the log. at_ms: Unix time by the box's clock, of the last change."""

    site: str
    epoch: int
    size: int
    at_ms: int
    connectors: list[LiveConnector]
    sessions: list[LiveSession]
    pumps: list[LivePump]
    fillings: list[LiveFilling]


def look(site: Site) -> LiveState:
    """As last read and decided; no I/O."""
    state, desk = site.desk.state, site.desk
    silence_ms = desk.policy.silence_s * 1000
    return LiveState(
        site=state.site,
        epoch=state.epoch,
        size=state.size,
        at_ms=site.clock.wall_ms(),
        connectors=[
            _connector(name, sight.status_within(silence_ms)) for name, sight in sorted(site.watch.sights().items())
        ],
        sessions=[
            LiveSession(
                session=session_id(state.site, state.epoch, session.seq),
                connector=session.opened.connector,
                phase=progress.phase.value,
                energy_wh=progress.energy_wh,
                amount_fen=running_price_fen(progress, desk.tariff_of(session)),
                hold_fen=desk.hold_fen(session),
                power_w=progress.power_w,
                reason=None if progress.reason is None else progress.reason.value,
            )
            for session, progress in desk.sessions()
        ],
        pumps=[] if site.islands is None else _pumps(site.islands),
        fillings=[] if site.islands is None else _fillings(site.islands),
    )


def _pumps(islands: Islands) -> list[LivePump]:
    silence_ms = islands.fills.policy.silence_s * 1000
    seen = {name: loop.eye.sight().status_within(silence_ms) for name, loop in sorted(islands.loops.items())}
    return [
        LivePump(name, None, None, None)
        if status is None
        else LivePump(name, status.state.value, status.nozzle, status.alarm)
        for name, status in seen.items()
    ]


def _fillings(islands: Islands) -> list[LiveFilling]:
    state, fills = islands.fills.desk.state, islands.fills
    return [
        LiveFilling(
            session=session_id(state.site, state.epoch, filling.seq),
            pump=filling.opened.pump,
            phase=progress.phase.value,
            nozzle=progress.nozzle,
            volume_ml=progress.volume_ml,
            amount_fen=progress.amount_fen,
            hold_fen=fills.hold_fen(filling),
            reason=None if progress.reason is None else progress.reason.value,
        )
        for filling, progress in fills.fillings()
    ]


def _connector(name: str, status: ChargerSight | None) -> LiveConnector:
    if status is None:
        return LiveConnector(name, None, None, None, None)
    return LiveConnector(name, status.plugged, status.delivering, status.faulted, status.reason)
