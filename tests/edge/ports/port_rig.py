"""Charging ports on a real journal: a board that outlives the daemon, a clock that the test turns, money and prices.

`Board` behaves as boards do: it counts for itself, ends by itself, keeps its settlements until they are acknowledged,
through power cuts too, and tells of what runs only now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drivers.api import Link, LinkState, Point, Quality, Reading
from drivers.errors import DeviceFault, Silent, Unsupported
from drivers.port_board import PortEnd, PortOrder, PortState, PortStatus, PortTraits, Settlement
from edge.journal.journal import Journal
from edge.journal.verify import verify
from edge.journal.verify_report import Trust
from edge.measurement import MeasurementRecorder
from edge.ports.locker_desk import LockerDesk
from edge.ports.port_desk import PortDesk
from edge.ports.ports import PortHall
from edge.till.ask import Refused, Source
from edge.till.policy import Policy
from edge.till.port.ask import PortAsk
from edge.till.port.place import PortPlace
from edge.till.port.policy import PortPolicy
from edge.till.state import OpenPort
from protocols.trade import port_prices
from protocols.trade import records as trade
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.port_prices import PortPrice, PortPrices, PowerStep
from protocols.trade.records import Origin
from protocols.trade.records_port import PortClosed, PortUnattributed
from protocols.trade.tariff import Offset
from tests.edge.desk_rig import LOG_KEY, Till, Time

FULL = trade.Preset("full", 0)
POLICY = PortPolicy(
    fill_up_cap_fen=500, silence_s=60, start_timeout_s=60, begin_wait_s=60, unplugged_s=20, over_limit_s=60,
    settle_wait_s=60, settle_after_s=3_600, door_s=5, shut_s=60, overdue_s=86_400, pin_tries=3, pin_pause_s=120,
)  # fmt: skip
TRAITS = PortTraits(
    ports=(1, 2, 3), doors=False, feels_plug=True, counts_energy=True, energy_step_wh=10, power_w_max=1_000,
    time_max_s=36_000,
)  # fmt: skip
BY_TIME = PortPrice(
    "bikes", "time", [PowerStep(200, 100_000), PowerStep(400, 150_000), PowerStep(1_000, 300_000)], 0, 0, 0, 0, 0, 0, 0
)
"""1.00 yuan an hour to 200 W, 1.50 to 400 W, 3.00 above."""
BY_ENERGY = PortPrice("cars", "energy", [], 120_000, 0, 0, 0, 0, 0, 0)
BY_TARIFF = PortPrice("piles", "tariff", [], 0, 0, 0, 0, 0, 0, 0)
LOCKERS = PortPrice("lockers", "time", [PowerStep(1_000, 100_000)], 0, 0, 0, 0, 200_000, 86_400, 3)
"""1.00 yuan an hour; from the second day on 2.00 yuan a day, three days at most."""
STEP_S = 5


@dataclass
class Running:
    """What runs at an outlet."""

    order: PortOrder
    elapsed_s: int = 0
    energy_mwh: int = 0
    peak_w: int = 0


@dataclass
class Outlet:
    """One outlet: what is plugged in, what runs, whose door stands open. load_w: that the pack draws."""

    plugged: bool = True
    load_w: int = 150
    running: Running | None = None
    fault: bool = False
    door_open: bool = False
    door_stuck: bool = False
    wild_w: int = 0  # it goes on with so much whatever it is told


class Board:
    """A port board as its driver shows it, and how it fails.

    answers: the line is there. loses: the next start is taken and nobody hears so; deaf: it is not. refuses: it says
    no. lazy: the next start is taken, and it does not begin. startled: it begins this order when it is told to stop.
    stops: it takes orders to stop; else it says no. insists: what it says of each port, whatever is so. tells_every_s:
    what it says of running orders is so old at most.
    """

    profile_id = "rig"

    def __init__(self, name: str, time_: Time, traits: PortTraits = TRAITS) -> None:
        self.id = name
        self.traits = traits
        self.outlets = {port: Outlet() for port in traits.ports}
        self.kept: list[Settlement] = []
        self.answers = True
        self.loses = self.deaf = self.refuses = self.hears_no_ack = self.lazy = False
        self.startled: PortOrder | None = None
        self.ends_by_itself = True
        self.settles = self.stops = True
        self.insists: PortStatus | None = None
        self.feels_doors = True
        self.tells_every_s = 5
        self.asked: list[tuple[str, int]] = []
        self._time = time_
        self._told: dict[int, tuple[PortStatus, int]] = {}
        self.tell()

    # --- as a driver -------------------------------------------------------------------------------------------------

    def status(self) -> Mapping[int, Reading[PortStatus]]:
        told: dict[int, Reading[PortStatus]] = {}
        for port, (status, seen_ms) in self._told.items():
            at_ms = time.monotonic_ns() // 1_000_000 - (self._time.mono_ms - seen_ms)
            told[port] = Reading(status, Quality.GOOD, at_ms)
        return told

    async def read_status(self, port: int) -> Reading[PortStatus]:
        await self._ask("status", port)
        self.tell()
        return self.status()[port]

    async def start(self, port: int, order: PortOrder) -> None:
        await self._ask("start", port)
        outlet = self.outlets[port]
        if self.deaf:
            raise Silent("no answer", where=self.id)
        if self.refuses or outlet.fault or (self.traits.feels_plug and not outlet.plugged):
            raise DeviceFault("it says no", where=self.id)
        if outlet.running is not None and outlet.running.order.number != order.number:
            raise DeviceFault("busy", where=self.id)
        if outlet.running is None and not self.lazy and all(one.number != order.number for one in self.kept):
            outlet.running = Running(order)
        self.tell()
        if self.loses:
            raise Silent("no answer", where=self.id)

    async def stop(self, port: int, number: bytes) -> None:
        await self._ask("stop", port)
        if not self.stops:
            raise DeviceFault("it does not stop", where=self.id)
        running = self.outlets[port].running
        if running is not None and running.order.number == number:
            self.end(port, PortEnd.STOPPED)
        self.tell()
        if self.startled is not None and running is None:
            self.outlets[port].running, self.startled = Running(self.startled), None

    def settlements(self) -> Sequence[Settlement]:
        return list(self.kept) if self.answers and self.settles else []

    async def acknowledge(self, settlement: Settlement) -> None:
        await self._ask("acknowledge", settlement.port)
        if not self.hears_no_ack:
            self.kept = [one for one in self.kept if one.number != settlement.number]

    async def open_door(self, port: int) -> None:
        if not self.traits.doors:
            raise Unsupported("no doors", where=self.id)
        await self._ask("open", port)
        if not self.outlets[port].door_stuck:
            self.outlets[port].door_open = True
        self.tell()

    def link(self) -> Link:
        return Link(LinkState.ONLINE if self.answers else LinkState.OFFLINE, 0, None, None)

    def points(self) -> list[Point]:
        return []

    async def run(self) -> None:
        await asyncio.Event().wait()

    # --- as a board --------------------------------------------------------------------------------------------------

    def advance(self, seconds: int) -> None:
        """Time passes, whoever looks."""
        for _ in range(seconds):
            for port, outlet in self.outlets.items():
                running = outlet.running
                if running is None:
                    continue
                power_w = outlet.load_w if outlet.plugged else 0
                running.elapsed_s += 1
                running.energy_mwh += power_w * 1_000 // 3_600
                running.peak_w = max(running.peak_w, power_w)
                if self.ends_by_itself:
                    self._may_end(port, outlet, running)
        if self.answers and (self._time.mono_ms // 1000) % self.tells_every_s < seconds:
            self.tell()

    def end(self, port: int, end: PortEnd) -> None:
        """The order is over; its settlement waits."""
        running = self.outlets[port].running
        assert running is not None
        energy_wh = running.energy_mwh // 1_000
        energy_wh -= energy_wh % self.traits.energy_step_wh
        settlement = Settlement(
            port, running.order.number, end, end.value, energy_wh, running.elapsed_s, running.peak_w, ticket=port
        )
        self.kept.append(settlement)
        self.outlets[port].running = None

    def tell(self) -> None:
        """It says how every outlet stands."""
        for port in self.outlets:
            self._told[port] = self._now(port), self._time.mono_ms

    def cut_power(self) -> None:
        """Every order ends, and is kept."""
        for port, outlet in self.outlets.items():
            if outlet.running is not None:
                self.end(port, PortEnd.POWER_LOSS)

    def _may_end(self, port: int, outlet: Outlet, running: Running) -> None:
        order, energy_wh = running.order, running.energy_mwh // 1_000
        if not outlet.plugged:
            self.end(port, PortEnd.UNPLUGGED)
        elif outlet.load_w > self.traits.power_w_max:
            self.end(port, PortEnd.OVERLOAD)
        elif self._used_up(order, running.elapsed_s, energy_wh):
            self.end(port, PortEnd.LIMIT)
        elif outlet.load_w == 0:
            self.end(port, PortEnd.FULL if energy_wh else PortEnd.NO_LOAD)

    def _used_up(self, order: PortOrder, elapsed_s: int, energy_wh: int) -> bool:
        longest_s = order.time_max_s if order.time_max_s is not None else self.traits.time_max_s
        by_time = elapsed_s >= (order.limit if order.kind == "time" else longest_s)
        return by_time or (order.kind == "energy" and energy_wh >= order.limit)

    def _now(self, port: int) -> PortStatus:
        if self.insists is not None:
            return self.insists
        outlet = self.outlets[port]
        door = outlet.door_open if self.traits.doors and self.feels_doors else None
        running = outlet.running
        if outlet.fault:
            return PortStatus(PortState.FAULT, "7", plugged=outlet.plugged, door_open=door)
        if running is None:
            state = PortState.PLUGGED if outlet.plugged else PortState.IDLE
            return PortStatus(state, "2", plugged=outlet.plugged, door_open=door)
        return PortStatus(
            PortState.CHARGING, "1", running.order.number, running.energy_mwh // 1_000, running.elapsed_s,
            outlet.load_w if outlet.plugged else 0, running.peak_w, outlet.plugged, door,
        )  # fmt: skip

    async def _ask(self, what: str, port: int) -> None:
        self.asked.append((what, port))
        await asyncio.sleep(0)
        if not self.answers:
            raise Silent("no answer", where=self.id)


@dataclass
class Rack(Till):
    """One board beside an empty charging site. `wait` lets time pass, ports deliver, and the loop turn."""

    board: Board | None = None
    traits: PortTraits = TRAITS
    price: str = "bikes"
    rules: PortPolicy = POLICY
    recorder: MeasurementRecorder | None = None

    def open(self) -> None:
        """As the daemon does when it starts; the board is as it has become meanwhile."""
        if self.board is None:
            self.board = Board("rack", self.time, self.traits)
        super().open()
        places = [PortPlace("rack", port, self.price, self.traits) for port in self.traits.ports]
        by_id = {place.id: place for place in places}
        self.ports = PortDesk(self.desk, self.clock, self.rules, by_id, self.recorder)
        lockers = LockerDesk(self.desk, self.clock, self.rules, self.ports.places)
        self.hall = PortHall(self.site, self.ports, lockers, {"rack": self.board}, self.clock)

    @property
    def steel(self) -> Board:
        assert self.board is not None
        return self.board

    @property
    def loop(self):  # type: ignore[no-untyped-def]  # a test's short word
        return self.hall.loops["rack"]

    async def publish_prices(self, *prices: PortPrice, version: int = 1) -> None:
        some = list(prices) or [BY_TIME, BY_ENERGY, BY_TARIFF, LOCKERS]
        listed = PortPrices("east", version, "Asia/Shanghai", [Offset(0, 28_800)], some)
        await self.document(port_prices.KIND, version, encode(listed))

    async def document(self, kind: str, version: int, payload: bytes) -> None:
        await self.site.take_documents([encode(Document(kind, "hz-1", version, payload, bytes(64)))])

    # --- customers and time ------------------------------------------------------------------------------------------

    def asks(self, port: int = 1, preset: trade.Preset = FULL, account: str = "ann") -> PortAsk:
        return PortAsk(f"rack.{port}", preset, Origin("panel", b"", 0, "li"), (Source(account),))

    async def begin_port(self, port: int = 1, preset: trade.Preset = FULL, account: str = "ann") -> OpenPort:
        outcome = await self.hall.start(self.asks(port, preset, account))
        assert not isinstance(outcome, Refused), outcome
        return outcome

    async def wait(self, seconds: int, step_s: int = STEP_S) -> None:
        """Step by step: time passes, packs charge, the loop has a turn."""
        for _ in range(-(-seconds // step_s)):
            self.elapse(step_s)
            await self.loop.step()
            await self.hall.charge_stored()

    def elapse(self, seconds: int) -> None:
        """Time passes at the board too, and nobody looks."""
        self.time += seconds * 1000
        self.steel.advance(seconds)

    # --- what came of it ---------------------------------------------------------------------------------------------

    @property
    def bills(self) -> list[tuple[str, int]]:
        """(why, fen) of every session closed."""
        return [(body.reason, body.amount_fen) for body in self.bodies(PortClosed)]

    @property
    def loose(self) -> list[str]:
        """Why each settlement was written down without a bill."""
        return [body.why for body in self.bodies(PortUnattributed)]

    def audit_money(self) -> None:
        """What was billed is what left the account; nothing is held without a session or a stay."""
        lease, ports = self.lease(), self.desk.state.ports
        open_ones = [*ports.sessions.values(), *ports.stays.values()]
        assert lease.held == sum(hold.amount for one in open_ones for hold in one.holds if hold.account == "ann")
        moved = [move for record in self.journal.records() for move in record.moves]
        assert lease.used == sum(move.amount for move in moved if (move.effect, move.account) == ("used", "ann"))


@asynccontextmanager
async def a_rack(
    path: Path, *, granted_fen: int = 50_000, price: str = "bikes", traits: PortTraits = TRAITS
) -> AsyncIterator[Rack]:
    """Ports that can sell. The log must pass the audit in the end."""
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0)
    rack = Rack(journal, Time(), Policy(progress_s=60), bays={}, traits=traits, price=price)
    try:
        await rack.desk.check_counter()
        await rack.begin(granted_fen, may_stay=granted_fen)
        await rack.publish_prices()
        yield rack
        rack.audit_money()
    finally:
        await rack.journal.close()
    findings = verify(path / "journal.db", Trust()).findings
    assert not list(findings), "\n".join(str(finding) for finding in findings)


def with_doors(traits: PortTraits = TRAITS) -> PortTraits:
    return replace(traits, doors=True)
