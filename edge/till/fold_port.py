"""What a record of charging ports and lockers changes in the ports' part of the till's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from edge.till.port import again
from edge.till.state import OpenPort, OpenStay, Ports, PortSums, Told, port_key
from protocols.trade.records import Stamp
from protocols.trade.records_port import (
    LockerClosed,
    LockerDoor,
    LockerOverdue,
    LockerStored,
    PortClosed,
    PortDayClosed,
    PortUnattributed,
)

TOLD_KEPT = 32
"""Settlements that are remembered for each port. A board's memory holds fewer; an older one that comes again is written
down once more, and charged to nobody."""


def opened(ports: Ports, session: OpenPort) -> Ports:
    """A port has an order."""
    newest = {**ports.newest, session.place: session.seq}
    behind = {
        seq: replace(stay, charged=True, rest=None) for seq, stay in ports.stays.items() if stay.place == session.place
    }
    stays = {**ports.stays, **behind} if behind else ports.stays
    return replace(ports, sessions={**ports.sessions, session.seq: session}, stays=stays, newest=newest)


def closed(ports: Ports, epoch: int, session: OpenPort, body: PortClosed) -> Ports:
    """A session has been billed. The caller takes it off the open ones."""
    sums = ports.sums
    sums = replace(
        sums,
        sessions=sums.sessions + 1,
        energy_wh=sums.energy_wh + (body.energy_wh or 0),
        amount_fen=sums.amount_fen + body.amount_fen,
    )
    ports = _cut(replace(ports, sums=sums), session, body.reason, body)
    if not body.settled:
        return ports
    return _told(ports, session.place, Told(session.number(epoch), body.energy_wh, body.elapsed_s))


def voided(ports: Ports, epoch: int, session: OpenPort, reason: str) -> Ports:
    """A session came to nothing: its settlement may yet say so."""
    return _told(_cut(ports, session, reason, None), session.place, Told(session.number(epoch), None, None))


def given_back(ports: Ports, body: LockerClosed) -> Ports:
    """A locker is free again. The caller takes the stay off the open ones."""
    sums = ports.sums
    return replace(ports, sums=replace(sums, stays=sums.stays + 1, late_fen=sums.late_fen + body.amount_fen))


def ended(ports: Ports, seq: int) -> Ports:
    """Without this session or stay, where it was one."""
    if seq in ports.sessions:
        return replace(ports, sessions={key: one for key, one in ports.sessions.items() if key != seq})
    if seq in ports.stays:
        return replace(ports, stays={key: one for key, one in ports.stays.items() if key != seq})
    return ports


def with_open(ports: Ports, one: OpenPort | OpenStay) -> Ports:
    """With this session or stay as it is now."""
    if isinstance(one, OpenPort):
        return replace(ports, sessions={**ports.sessions, one.seq: one})
    return replace(ports, stays={**ports.stays, one.seq: one})


def _unattributed(ports: Ports, stamp: Stamp, body: PortUnattributed) -> Ports:
    sums = ports.sums
    sums = replace(
        sums,
        unattributed=sums.unattributed + 1,
        unattributed_wh=sums.unattributed_wh + (body.energy_wh or 0),
    )
    told = Told(body.number, body.energy_wh, body.elapsed_s)
    return _told(replace(ports, sums=sums), port_key(body.board, body.port), told)


def _stored(ports: Ports, stamp: Stamp, body: LockerStored) -> Ports:
    return with_open(ports, replace(ports.stays[body.stay], stored=stamp, unsure=body.unsure))


def _door(ports: Ports, stamp: Stamp, body: LockerDoor) -> Ports:
    stay = ports.stays[body.stay]
    wanted = stay.wanted or (stamp if body.act == "collect" else None)
    return with_open(ports, replace(stay, act=body.act, door=stamp, wanted=wanted))


def _overdue(ports: Ports, stamp: Stamp, body: LockerOverdue) -> Ports:
    return with_open(ports, replace(ports.stays[body.stay], overdue=True))


def _day(ports: Ports, stamp: Stamp, body: PortDayClosed) -> Ports:
    return replace(ports, sums=PortSums())


def _cut(ports: Ports, session: OpenPort, reason: str, bill: PortClosed | None) -> Ports:
    behind = [again.cut(stay, session, reason, bill) for stay in ports.stays.values() if stay.place == session.place]
    return replace(ports, stays={**ports.stays, **{stay.seq: stay for stay in behind}}) if behind else ports


def _told(ports: Ports, key: str, told: Told) -> Ports:
    return replace(ports, told={**ports.told, key: (*ports.told.get(key, ()), told)[-TOLD_KEPT:]})


FOLDS: Mapping[type, Callable[[Ports, Stamp, Any], Ports]] = {
    PortUnattributed: _unattributed,
    LockerStored: _stored,
    LockerDoor: _door,
    LockerOverdue: _overdue,
    PortDayClosed: _day,
}
