"""What the log says: the till's state, a fold of records and of nothing else.

Everything here is a frozen value. `edge.till.fold.apply` makes the next one from a record; a snapshot is its encoding.
"""

from __future__ import annotations

import msgspec

from drivers.port_board import mark_of, order_number
from edge.till.state_shop import Shop
from protocols.trade.records import CNY, Hold, Pin, Preset, Register, SessionOpened, Stamp
from protocols.trade.records_fuel import FillingOpened, GradeSum, Offered, PumpTotals, TankDipped
from protocols.trade.records_port import LockerOpened, PortOpened


class Lease(msgspec.Struct, frozen=True):
    """One account's grant in one asset at this site and epoch, with all its counters.

    granted, used and returned only grow. held is the sum of the holds of open sessions.
    """

    account: str
    asset: str
    granted: int = 0
    used: int = 0
    returned: int = 0
    held: int = 0
    serial: int = 0
    expires_s: int = 0
    session_limit: int = 0
    may_stay: int = 0
    credential_key: int = 0
    credentials: tuple[bytes, ...] = ()

    @property
    def rights(self) -> int:
        """What the site may still set aside for this account. Never negative."""
        return self.granted - self.used - self.returned - self.held

    @property
    def frozen(self) -> bool:
        """Headquarters lets nobody draw on it, neither by a card nor by its name."""
        return not self.session_limit and not self.credentials


class OpenSession(msgspec.Struct, frozen=True):
    """A session whose end is not yet in the log. `seq` is its id."""

    seq: int
    stamp: Stamp
    opened: SessionOpened
    holds: tuple[Hold, ...]
    finding: str | None = None  # set while it is held for review
    held: Stamp | None = None  # of the record that holds it for review

    @property
    def hold_fen(self) -> int:
        return sum(hold.amount for hold in self.holds if hold.asset == CNY)

    @property
    def account(self) -> str:
        """The payer: the account of the first hold."""
        return self.holds[0].account


class OpenFilling(msgspec.Struct, frozen=True):
    """A filling whose end is not yet in the log. `seq` is its id."""

    seq: int
    stamp: Stamp
    opened: FillingOpened
    holds: tuple[Hold, ...]
    finding: str | None = None  # set while it is held for review
    held: Stamp | None = None  # of the record that holds it for review

    @property
    def account(self) -> str:
        """The payer: the account of the first hold."""
        return self.holds[0].account


class Flow(msgspec.Struct, frozen=True):
    """What went into and out of a tank, in mL."""

    received_ml: int = 0
    sold_ml: int = 0
    unattributed_ml: int = 0

    def less(self, before: Flow) -> Flow:
        """What came after `before`, a flow of the same tank and the same beginning."""
        return Flow(
            self.received_ml - before.received_ml,
            self.sold_ml - before.sold_ml,
            self.unattributed_ml - before.unattributed_ml,
        )


class Tank(msgspec.Struct, frozen=True):
    """A tank since the last wet-stock close.

    opening: the dip that the running day counts from; None: none has been taken. closing: the newest dip since. flow:
    since the opening dip; at_closing: of it, what had flowed when the newest dip was taken. notes: numbers of delivery
    notes that have been booked, newest last. today_ml: what has left it in the running site day; sold_days: in each of
    the days before, newest last.
    """

    grade: str
    opening: TankDipped | None = None
    closing: TankDipped | None = None
    flow: Flow = Flow()
    at_closing: Flow = Flow()
    notes: tuple[str, ...] = ()
    today_ml: int = 0
    sold_days: tuple[int, ...] = ()


class Forecourt(msgspec.Struct, frozen=True):
    """What the log says of pumps and tanks.

    fillings: open ones, by seq. totals: newest totalizers in the log, by pump. prices: what each pump was last seen to
    show, by pump. grades: the running site day's sums, by grade. used_ml: what accounts and cards have had, by
    `fuel_terms.use_key`: (local day since 1970, mL). tanks: by name. newest: the newest filling's seq, by pump.
    """

    fillings: dict[int, OpenFilling] = {}
    totals: dict[str, PumpTotals] = {}
    prices: dict[str, tuple[Offered, ...]] = {}
    grades: dict[str, GradeSum] = {}
    used_ml: dict[str, tuple[int, int]] = {}
    tanks: dict[str, Tank] = {}
    newest: dict[str, int] = {}


class OpenPort(msgspec.Struct, frozen=True):
    """A session at a charging port whose end is not yet in the log. `seq` is its id."""

    seq: int
    stamp: Stamp
    opened: PortOpened
    holds: tuple[Hold, ...]
    finding: str | None = None  # set while it is held for review
    held: Stamp | None = None  # of the record that holds it for review

    @property
    def account(self) -> str:
        """The payer: the account of the first hold."""
        return self.holds[0].account

    @property
    def place(self) -> str:
        """The port that it is at, as of `port_key`."""
        return port_key(self.opened.board, self.opened.port)

    def number(self, epoch: int) -> bytes:
        """Of its order, as its board has it."""
        return order_number(epoch, self.seq, mark_of(self.stamp.boot, self.stamp.mono_ms))


class OpenStay(msgspec.Struct, frozen=True):
    """A locker that is somebody's. `seq` is the stay's id.

    stored: of the record that says that the pack is in; None: not yet. unsure: it may be. act, door: why its door was
    opened last, and of the record that says so; empty: it has not been opened since it was stored. wanted: of the first
    record with which its owner asked for the pack; that it is still there is then not the owner's doing. charged: what
    it was put in for to charge has been started. overdue: that has been said. rest: what is still to be charged after a
    power cut. cut, cuts: the session that the newest one ended, and how many there were.
    """

    seq: int
    stamp: Stamp
    opened: LockerOpened
    holds: tuple[Hold, ...]
    stored: Stamp | None = None
    unsure: bool = False
    act: str = ""
    door: Stamp | None = None
    wanted: Stamp | None = None
    charged: bool = False
    overdue: bool = False
    rest: Preset | None = None
    cut: OpenPort | None = None
    cuts: int = 0
    finding: str | None = None
    held: Stamp | None = None

    @property
    def place(self) -> str:
        """The locker, as of `port_key`."""
        return port_key(self.opened.board, self.opened.port)


class Told(msgspec.Struct, frozen=True):
    """A settlement that is in the log, so that it is known when it comes again. Both None: it came to nothing."""

    number: bytes
    energy_wh: int | None
    elapsed_s: int | None


class PortSums(msgspec.Struct, frozen=True):
    """The running site day's ports and lockers, as of `PortDayClosed`."""

    sessions: int = 0
    energy_wh: int = 0
    amount_fen: int = 0
    unattributed: int = 0
    unattributed_wh: int = 0
    stays: int = 0
    late_fen: int = 0


class Ports(msgspec.Struct, frozen=True):
    """What the log says of charging ports and lockers.

    sessions, stays: open ones, by seq. told: the newest settlements, by `port_key`, newest last. newest: the newest
    session's seq, by `port_key`.
    """

    sessions: dict[int, OpenPort] = {}
    stays: dict[int, OpenStay] = {}
    told: dict[str, tuple[Told, ...]] = {}
    sums: PortSums = PortSums()
    newest: dict[str, int] = {}


class Day(msgspec.Struct, frozen=True):
    """The site day that is running: sums of the sessions closed in it."""

    number: int = 1
    first_seq: int = 0
    sessions: int = 0
    energy_wh: int = 0
    amount_fen: int = 0
    overrun_fen: int = 0


class TillState(msgspec.Struct, frozen=True):
    """The whole fold.

    size: records folded; the seq of the next one. leases: by `lease_key`. wallets: which leases a credential opens.
    numbers: highest start number used, by account. command: (boot, highest command number run in it). registers: last
    lifetime register in the log, by meter. pins: documents in force, by kind. closed: the epoch has had its last
    record. ticks: the rollback counter as last logged. meter_records: sessions closed with a signed meter record, so
    also the number of the last one; measurements: the same of fillings, swaps and ports. risk_used: held on the
    operator's risk pool in all, by the credential it was for. forecourt: pumps and tanks. shop: cabinets. ports:
    charging ports and lockers.
    """

    site: str = ""
    epoch: int = 0
    size: int = 0
    leases: dict[str, Lease] = {}
    wallets: dict[bytes, tuple[str, ...]] = {}
    sessions: dict[int, OpenSession] = {}
    numbers: dict[str, int] = {}
    command: tuple[bytes, int] = (b"", 0)
    registers: dict[str, Register] = {}
    pins: dict[str, Pin] = {}
    overrun_fen: int = 0
    day: Day = Day()
    closed: bool = False
    ticks: int = 0
    meter_records: int = 0
    measurements: int = 0
    risk_used: dict[bytes, int] = {}
    forecourt: Forecourt = Forecourt()
    shop: Shop = Shop()
    ports: Ports = Ports()


def lease_key(account: str, asset: str) -> str:
    return f"{account} {asset}"


def port_key(board: str, port: int) -> str:
    """A port's name for people and tables: the board's id and the number on it."""
    return f"{board}.{port}"


Open = OpenSession | OpenFilling | OpenPort | OpenStay
"""Whatever holds rights."""


def encode_state(state: TillState) -> bytes:
    """The bytes of a snapshot. They are this software's own; another version folds the log anew."""
    return msgspec.msgpack.encode(state)


def decode_state(data: bytes) -> TillState:
    """Raises msgspec.ValidationError when another version wrote the snapshot."""
    return msgspec.msgpack.decode(data, type=TillState)
