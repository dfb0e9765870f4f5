"""What the panel says of charging ports and lockers. Energy in Wh, money in fen, times in seconds."""

from __future__ import annotations

import msgspec


class PortSessionView(msgspec.Struct, frozen=True):
    """A session at a port. order: what the port was told at most. energy_wh, elapsed_s, power_w: as the board told them
    last; None: it has not. fen: what it has come to so far. finding: why it is held for review.
    """

    id: str
    seq: int
    place: str
    account: str
    phase: str
    reason: str | None
    detail: str
    preset: str
    order: str
    energy_wh: int | None
    elapsed_s: int | None
    power_w: int | None
    fen: int
    hold_fen: int
    since_s: int | None
    finding: str | None


class StayView(msgspec.Struct, frozen=True):
    """A locker that is somebody's. state: `opening`, `filling`, `stored`, `overdue`. account: empty: by card or PIN."""

    id: str
    seq: int
    place: str
    account: str
    state: str
    pin: bool
    stay_s: int
    fen: int
    hold_fen: int


class PortView(msgspec.Struct, frozen=True):
    """A port. state: `drivers.port_board.PortState`; None: its board is silent. door_open: of lockers."""

    place: str
    board: str
    port: int
    price: str
    state: str | None
    reason: str
    plugged: bool | None
    door_open: bool | None
    age_ms: int | None
    session: PortSessionView | None
    stay: StayView | None
    error: str | None
