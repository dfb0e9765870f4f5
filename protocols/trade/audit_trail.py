"""What an audit carries from one record to the next, and what its parts may ask of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from protocols.trade.audit_bill import Pinned
from protocols.trade.books import CounterKey
from protocols.trade.records import Hold, Origin, Record, SessionOpened, Stamp
from protocols.trade.records_fuel import FillingOpened, Offered
from protocols.trade.records_pack import PackSeen, SwapOpened
from protocols.trade.records_port import LockerOpened, PortOpened
from protocols.trade.swap_steps import Hands

LeaseKey = tuple[str, str]
"""(account, asset)"""


class Reading(msgspec.Struct, frozen=True):
    """The newest register of a meter. boot: that mono_ms belongs to; empty when that is not known."""

    energy_wh: int
    boot: bytes
    mono_ms: int


class Running(msgspec.Struct):
    """A session whose end has not come yet. stamp: of its opening. records: the seqs of those about it so far."""

    opened: SessionOpened
    holds: list[Hold]
    stamp: Stamp
    records: list[int]


class Sums(msgspec.Struct):
    """The site day that is running."""

    number: int = 1
    first_seq: int = 0
    sessions: int = 0
    energy_wh: int = 0
    amount_fen: int = 0
    overrun_fen: int = 0


class Lease(msgspec.Struct):
    """Rights of one account in one asset, from the log alone."""

    granted: int = 0
    used: int = 0
    returned: int = 0
    held: int = 0

    @property
    def rights(self) -> int:
        return self.granted - self.used - self.returned - self.held


NozzleKey = tuple[str, int]
"""(pump, nozzle)"""


class RunningFilling(msgspec.Struct):
    """A filling whose end has not come yet. stamp: of its opening. records: the seqs of those about it so far."""

    opened: FillingOpened
    holds: list[Hold]
    stamp: Stamp
    records: list[int]


class TankTrail(msgspec.Struct):
    """A tank since its last close: the opening and the newest dip, what flowed, and what of it before that dip."""

    opening_ml: int | None = None
    closing_ml: int | None = None
    flow: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])  # received, sold, unattributed
    at_closing: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])


class FuelTrail(msgspec.Struct):
    """What the audit of pumps and tanks carries along.

    totals_ml: newest totalizer of each nozzle. owed_ml: movements that a closed filling left to records after it.
    came_round: nozzles whose totalizer began again at 0 in the last filling, so that nobody can say how far they moved.
    excused: pumps whose next totals may stand anywhere, since the log has said why. notes: delivery notes by tank.
    """

    fillings: dict[int, RunningFilling] = msgspec.field(default_factory=dict)
    totals_ml: dict[NozzleKey, int] = msgspec.field(default_factory=dict)
    owed_ml: dict[NozzleKey, int] = msgspec.field(default_factory=dict)
    came_round: set[NozzleKey] = msgspec.field(default_factory=set)
    excused: set[str] = msgspec.field(default_factory=set)
    prices: dict[str, list[Offered]] = msgspec.field(default_factory=dict)
    grades: dict[str, list[int]] = msgspec.field(default_factory=dict)  # fillings, mL, fen, unattributed mL
    tanks: dict[str, TankTrail] = msgspec.field(default_factory=dict)
    notes: dict[str, list[str]] = msgspec.field(default_factory=dict)


class RunningPort(msgspec.Struct):
    """A session at a port whose end has not come yet; as of a filling."""

    opened: PortOpened
    holds: list[Hold]
    stamp: Stamp
    records: list[int]


class RunningStay(msgspec.Struct):
    """A locker that is somebody's. acts: for which its door has been opened since; else as of a filling."""

    opened: LockerOpened
    holds: list[Hold]
    stamp: Stamp
    records: list[int]
    stored: bool = False
    acts: list[str] = msgspec.field(default_factory=list)


class PortTrail(msgspec.Struct):
    """What the audit of ports and lockers carries along. sums: of the running day, as `PortDayClosed` names them."""

    sessions: dict[int, RunningPort] = msgspec.field(default_factory=dict)
    stays: dict[int, RunningStay] = msgspec.field(default_factory=dict)
    sums: list[int] = msgspec.field(default_factory=lambda: [0] * 7)


class RunningSwap(msgspec.Struct):
    """A swap session whose end has not come yet, and what its steps have come to; else as of a filling."""

    opened: SwapOpened
    holds: list[Hold]
    stamp: Stamp
    records: list[int]
    hands: Hands


class EndedSwap(msgspec.Struct, frozen=True):
    """A rider's newest session, for one that goes on from it. taken: the code of the pack; None: none was."""

    session: int
    returned: PackSeen | None
    returned_slot: int | None
    taken: str | None


class SwapTrail(msgspec.Struct):
    """What the audit of cabinets carries along. ended: by account. sums: of the running day, as `ShopDayClosed` names
    them.
    """

    sessions: dict[int, RunningSwap] = msgspec.field(default_factory=dict)
    ended: dict[str, EndedSwap] = msgspec.field(default_factory=dict)
    sums: list[int] = msgspec.field(default_factory=lambda: [0] * 6)


AnyRunning = Running | RunningFilling | RunningPort | RunningStay | RunningSwap
"""Whatever holds rights."""


class Trail(msgspec.Struct):
    """All that the audit carries from one record to the next; its encoding lets another audit go on from there.

    device_key: of the box, as record 0 names it. boots: all there have been. excused: meters whose next register may
    be lower, since the log has said why. meter_records: sessions closed with a signed one; measurements: the same of
    all others. closed: nothing may follow.
    fuel: pumps and tanks. ports: charging ports and lockers. swaps: cabinets.
    """

    size: int = 0
    stamp: Stamp | None = None
    device_key: bytes = b""
    boots: set[bytes] = msgspec.field(default_factory=set)
    counters: dict[CounterKey, int] = msgspec.field(default_factory=dict)
    leases: dict[LeaseKey, Lease] = msgspec.field(default_factory=dict)
    sessions: dict[int, Running] = msgspec.field(default_factory=dict)
    meters: dict[str, Reading] = msgspec.field(default_factory=dict)
    excused: set[str] = msgspec.field(default_factory=set)
    command: tuple[bytes, int] = (b"", 0)
    ticks: int = 0
    meter_records: int = 0
    measurements: int = 0
    day: Sums = msgspec.field(default_factory=Sums)
    closed: bool = False
    fuel: FuelTrail = msgspec.field(default_factory=FuelTrail)
    ports: PortTrail = msgspec.field(default_factory=PortTrail)
    swaps: SwapTrail = msgspec.field(default_factory=SwapTrail)


class Tally(msgspec.Struct):
    """What has been looked at, for the summary."""

    records: int = 0
    moves: int = 0
    sessions: int = 0
    bills: int = 0
    day_closes: int = 0
    grants: int = 0
    meter_records: int = 0


class Auditor(Protocol):
    """The audit as its parts see it: what is known so far, and what is common to all kinds of sessions."""

    site: str
    epoch: int
    trail: Trail
    tally: Tally
    pinned: Pinned

    def find(self, code: str, what: str, expected: object, got: object) -> None:
        """A finding about the record that is being looked at."""
        ...

    def begun(self, record: Record, origin: Origin, clock_lb_ms: int, clock_ub_ms: int | None) -> None: ...

    def hold(self, holds: list[Hold]) -> None: ...

    def ended(self, session: int) -> AnyRunning | None: ...

    def within_rights(self, keys: Iterable[LeaseKey]) -> None: ...


def encode_trail(trail: Trail) -> bytes:
    """This software's own form, as a snapshot carries it."""
    return msgspec.msgpack.encode(trail)


def decode_trail(data: bytes) -> Trail:
    """Raises msgspec.ValidationError or DecodeError for anything else."""
    return msgspec.msgpack.decode(data, type=Trail)
