"""What the command line and the daemon say to each other over the panel's socket: one JSON object a line, each way."""

from __future__ import annotations

from typing import Any

import msgspec

LINE_MAX = 64 * 1024
"""Longest request in bytes."""
ANSWER_MAX = 8 * 1024 * 1024
"""Longest answer in bytes; `records` is cut to fit."""


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """verb: one of `verbs.VERBS`; args: the fields of its struct."""

    verb: str
    args: dict[str, Any] = {}


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why there is no answer. code: for programs. remedy: what to do next."""

    code: str
    what: str
    remedy: str = ""
    where: str = ""
    want: int | None = None


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Either a result or trouble."""

    result: Any = None
    trouble: Trouble | None = None


class StatusView(msgspec.Struct, frozen=True):
    """The site at a glance. Times in seconds; None where there is none yet."""

    site: str
    epoch: int | None
    waiting_for: str | None
    running_s: int
    clock_quality: str
    wall_ms: int
    records: int
    cosigned: int
    hq: dict[str, Any] | None
    mqtt: dict[str, Any] | None
    day: int | None
    day_sessions: int
    day_energy_wh: int
    day_amount_fen: int
    held_fen: int
    rights_fen: int
    used_fen: int
    returned_fen: int
    granted_fen: int
    overrun_fen: int
    accounts: int
    tariff: str | None
    connectors: list[ConnectorView]
    journal: dict[str, Any]


class ConnectorView(msgspec.Struct, frozen=True):
    """One connector: what its charger says and the session it has. Unknown is None."""

    id: str
    charger: str
    meter: str
    charger_link: str
    meter_link: str
    iec: str | None
    register_wh: int | None
    register_age_ms: int | None
    session: SessionView | None
    error: str | None


class SessionView(msgspec.Struct, frozen=True):
    """A running session. finish_s: expected seconds to the preset, None when unknown."""

    id: str
    seq: int
    connector: str
    account: str
    phase: str
    reason: str | None
    detail: str
    preset: str
    energy_wh: int
    power_w: int | None
    running_fen: int
    hold_fen: int
    since_s: int | None
    finish_s: int | None
    finding: str | None


class DeviceView(msgspec.Struct, frozen=True):
    """How the conversation with a device goes."""

    id: str
    line: str
    profile: str
    state: str
    last_good_s: float | None
    error: str | None
    counts: dict[str, int]
    latency_ms: dict[str, float]


class LineView(msgspec.Struct, frozen=True):
    """How a line does."""

    id: str
    where: str
    up: bool
    error: str | None
    bus_use: float
    queue_depth: int
    overruns: int
    exchanges: int


class PointView(msgspec.Struct, frozen=True):
    """One value of a device as last read, and how long the request took that brought it."""

    name: str
    value: str
    quality: str
    age_ms: int | None
    took_ms: float | None
    where: str
    error: str | None
