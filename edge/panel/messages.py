"""What the command line and the daemon say to each other over the panel's socket: one JSON object a line, each way."""

from __future__ import annotations

from typing import Any

import msgspec

from edge.panel.messages_fuel import FillingView, PumpView
from edge.panel.messages_port import PortView
from edge.panel.messages_swap import CabinetView
from protocols.trade.records import CNY

LINE_MAX = 64 * 1024
"""Longest request in bytes."""
ANSWER_MAX = 8 * 1024 * 1024
"""Longest answer in bytes; `records` is cut to fit."""


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """verb: one of `verbs.VERBS`; args: the fields of its struct."""

    verb: str
    args: dict[str, Any] = {}


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why there is no answer. code: for programs. remedy: what to do next.

    where: device and line, and the register where it is one. last_good_s: since the device's last good answer.
    want: the total that headquarters would have to grant, of want_asset.
    """

    code: str
    what: str
    remedy: str = ""
    where: str = ""
    last_good_s: float | None = None
    want: int | None = None
    want_asset: str = CNY


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Either a result or trouble."""

    result: Any = None
    trouble: Trouble | None = None


class TakenView(msgspec.Struct, frozen=True):
    """What a code came to. news: the log did not know its grant. expired: too old to sell on. rights: what may be spent
    here now, in the asset's smallest unit. connector: where its start is; empty: it carries none. session, or filling:
    what it has started; again: it did so before. refused: why it has not.
    """

    account: str
    asset: str
    news: bool
    expired: bool
    rights: int
    connector: str
    session: SessionView | None
    filling: FillingView | None
    again: bool
    refused: Trouble | None


class TroubleView(msgspec.Struct, frozen=True):
    """What went wrong last on the way out."""

    code: str
    what: str
    remedy: str
    since_s: float


class HqView(msgspec.Struct, frozen=True):
    """How things stand with headquarters. contact_s: since its last answer; None: never one in this run."""

    online: bool
    since_s: float
    contact_s: float | None
    backlog: int
    stopped: str | None
    trouble: TroubleView | None


class MqttView(msgspec.Struct, frozen=True):
    """How things stand with the broker."""

    connected: bool
    since_s: float
    trouble: TroubleView | None


class DayView(msgspec.Struct, frozen=True):
    """The site day that is running: sums of the sessions closed in it. energy_wh: by the meters of connectors;
    ports_wh: as the boards of charging ports counted. packs_out: swapped or rented.
    """

    number: int
    first_seq: int
    sessions: int
    energy_wh: int
    amount_fen: int
    overrun_fen: int
    ports_wh: int
    fuel_ml: int
    packs_out: int


class PaperView(msgspec.Struct, frozen=True):
    """A document of headquarters that says what something costs. id: its name; empty: it has none. version: in force;
    None: none has come yet. sells: what cannot be sold without it; empty: nothing here.
    """

    kind: str
    id: str
    version: int | None
    sells: str


class ValueView(msgspec.Struct, frozen=True):
    """Stored money at this site, all accounts together. rights: what may still be set aside."""

    accounts: int
    granted_fen: int
    used_fen: int
    returned_fen: int
    held_fen: int
    rights_fen: int
    overrun_fen: int


class AssetView(msgspec.Struct, frozen=True):
    """What is no money: a plan's units, deposits in fen. All accounts together."""

    asset: str
    accounts: int
    granted: int
    used: int
    returned: int
    held: int
    rights: int


class JournalView(msgspec.Struct, frozen=True):
    """The log and its disk. commit_ms_max: the longest since the start."""

    records: int
    cosigned: int
    full: bool
    commits: int
    fsyncs: int
    commit_ms_last: float
    commit_ms_max: float
    second_copy_error: str | None


class StatusView(msgspec.Struct, frozen=True):
    """The site at a glance. None where there is none: no epoch yet, no headquarters or broker in the config.

    waiting_for: why nothing is sold yet. no_starts: why no session starts now. ill: why the watchdog is not fed.
    uncertain_ms: width of the proven bounds of the time. tariff: in force, for charging. papers: all by which this
    site sells. assets: what customers have here besides money. cabinets, ports: none while the till is not open.
    """

    site: str
    epoch: int | None
    waiting_for: str | None
    no_starts: str | None
    ill: str | None
    running_s: float
    clock_quality: str
    wall_ms: int
    uncertain_ms: int | None
    hq: HqView | None
    mqtt: MqttView | None
    day: DayView | None
    value: ValueView | None
    tariff: str | None
    connectors: list[ConnectorView]
    pumps: list[PumpView]
    readers: list[ReaderView]
    journal: JournalView | None
    assets: list[AssetView] = []
    papers: list[PaperView] = []
    cabinets: list[CabinetView] = []
    ports: list[PortView] = []


class ReaderView(msgspec.Struct, frozen=True):
    """One reader. watched: a dead one shows even though its port is there. said: cards and codes, repeats and all."""

    id: str
    kind: str
    where: str
    state: str
    watched: bool
    last_good_s: float | None
    said: int
    error: str | None


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
    errors: list[str]


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
