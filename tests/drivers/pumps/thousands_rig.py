"""A till that sells and sells: real drivers on paced ptys, twins at the other end, the real till and its journal.

Nothing is mocked and nothing waits for a test's word: the daemon's own loops look at the pumps, in real time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from msgspec.structs import replace

import edge.forecourt.pump_loop
from drivers.errors import DeviceError
from drivers.line import Line, LineConfig
from drivers.pump import Pump
from drivers.pumps.azt import AztPump
from drivers.pumps.config import DecimalsConfig, NozzleConfig, PumpConfig
from drivers.pumps.dart import DartPump
from drivers.pumps.gilbarco import GilbarcoPump
from drivers.pumps.sanki import SankiPump
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import Customer, drives_off, fills, lifts_two, pauses, returns_nozzle, tops_up
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults, parse_pump_faults
from drivers.twins.pumps.parts import Head, Nozzle
from drivers.twins.pumps.registry import PROTOCOLS, Serial
from drivers.twins.pumps.wire import PumpWire
from edge import clock
from edge.clock import System
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.forecourt.pump_loop import PumpLoop
from edge.journal.journal import Journal
from edge.journal.verify import verify
from edge.journal.verify_report import Trust
from edge.till.ask import Refused, Source
from edge.till.fill.ask import FillAsk
from edge.till.fill.point import FuelPoint, NozzlePlace
from edge.till.fill.policy import FillPolicy
from edge.till.fill.progress import FillEnd
from edge.till.state import OpenFilling
from protocols.trade import fuel_prices
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.records import Notice, Origin, Preset, SessionVoided, body_of
from protocols.trade.records_fuel import FillingClosed, FillingOpened, FuelUnattributed, PumpTotals
from protocols.trade.tariff import Offset
from tests.edge.desk_rig import LOG_KEY, Till, Time

GRADES = {1: ("92", 785_000), 2: ("0", 750_000)}  # nozzle: grade, price_e3
POLICY = FillPolicy(fill_up_cap_fen=9_000, start_timeout_s=20, still_s=30, silence_s=3, stuck_after_s=30)
STEP_ML = 10
WIRE = ("silent", "late:*:150", "slow:*:4", "garble", "noise-before", "noise-after", "short", "duplicate")
DIALOGUE = ("no-effect", "refuse", "late-status", "stale")
WORLD = ("power-cut@delivering:*:2000", "restart@authorised", "leap@idle:*:1230", "emergency@delivering:*:2000")
OFTEN = 1_000_000
PATIENCE_S = 40.0  # what a broken filling takes to fail


@dataclass(frozen=True, slots=True)
class Speaks:
    """A serial protocol with its two ends. twin, driver: options that keep a test's time short; paced: none of them."""

    make: Any
    nozzles: int
    serial: Mapping[str, Any]
    decimals: DecimalsConfig = field(default_factory=DecimalsConfig)
    driver: Mapping[str, Any] = field(default_factory=dict)
    twin: Mapping[str, Any] = field(default_factory=dict)


GILBARCO = DecimalsConfig(volume=3, amount=2, price=2, total_volume=2, total_amount=2)
SPEAKS: Mapping[str, Speaks] = {
    "dart": Speaks(DartPump, 2, {"parity": "O"}, driver={"gap_ms": 0, "timeout_ms": 60}, twin={"answer-ms": 0}),
    "gilbarco": Speaks(GilbarcoPump, 2, {"parity": "E"}, GILBARCO),
    "azt": Speaks(AztPump, 1, {"parity": "E", "data_bits": 7, "stop_bits": 2}, twin={"turnaround_ms": 1}),
    "sanki": Speaks(SankiPump, 1, {"parity": "E"}, driver={"gap_ms": 0}, twin={"turnaround_ms": 1}),
}


class WallTime(Time):
    """The box's own clocks."""

    def system(self) -> System:
        return clock.system()


@dataclass
class Court(Till):
    """A till with these pumps on it."""

    pumps: dict[str, Pump] = field(default_factory=dict)

    def open(self) -> None:
        super().open()
        points = {
            name: FuelPoint(name, {n: NozzlePlace(GRADES[n][0]) for n in pump.traits.nozzles}, pump.traits)
            for name, pump in self.pumps.items()
        }
        self.fills = FillDesk(self.desk, self.clock, POLICY, points)
        self.islands = self.site.islands = Islands(self.site, self.fills, self.pumps, {}, self.clock)

    async def price(self) -> None:
        prices = [GradePrice(grade, price_e3) for grade, price_e3 in GRADES.values()]
        grades = [Grade("92", "92#"), Grade("0", "diesel")]
        listed = PriceList("east", 1, "UTC", [Offset(0, 0)], grades, [PriceStep(0, prices)])
        await self.site.take_documents([encode(Document(fuel_prices.KIND, "hz-1", 1, encode(listed), bytes(64)))])


@dataclass
class Rig:
    """The truth at one end, the journal at the other. done: fillings asked for and over; begun: totals at the start."""

    court: Court
    bays: Mapping[str, Bay]
    begun: dict[str, dict[int, tuple[int, int]]]
    done: int = 0
    again: Counter[str] = field(default_factory=Counter)


@asynccontextmanager
async def selling(
    protocol: str, path: Path, seed: int, *, pumps: int = 4, baud: int = 115_200, speed: int = 300, permille: int = 4
) -> AsyncIterator[Rig]:
    """Pumps on ptys of their own, each with its faults, and a till that has read and priced all of them.

    permille: how often each kind of fault hits, of its occasions; faults of the world hit five times as often. baud: 0
    for the protocol's own, with its own times.
    """
    speaks, kind = SPEAKS[protocol], PROTOCOLS[protocol]
    assert isinstance(kind, Serial)
    own = baud == 0
    async with AsyncExitStack() as stack:
        bays: dict[str, Bay] = {}
        drivers: dict[str, Pump] = {}
        for n in range(1, pumps + 1):
            name = f"p{n}"
            nozzles = tuple(GRADES)[: speaks.nozzles]
            config = PumpConfig(
                id=name, number=n, protocol=protocol, address=kind.first_address, line=name,  # type: ignore[arg-type]  # one of them
                nozzles=tuple(NozzleConfig(number=number, grade=GRADES[number][0]) for number in nozzles),
                decimals=speaks.decimals, poll_s=None if own else 0.02, options={} if own else dict(speaks.driver),
            )  # fmt: skip
            parts = {one: getattr(kind.head, one) for one in Head.__slots__} | {"decimals": config.scales}
            built = [Nozzle(number, GRADES[number][0], 700_000, 55_030 * number, 18_736) for number in nozzles]
            dispenser = Dispenser(built, Head(**parts))
            faults = PumpFaults(dispenser, seed * 100 + n)
            bay = bays[name] = Bay(dispenser, id=name, faults=faults, speed=speed)
            bay.twin = kind.make(dispenser, kind.first_address, faults, {} if own else dict(speaks.twin))
            rate = baud or kind.baud
            wire = await stack.enter_async_context(PumpWire([bay], baud=rate, bits=kind.bits))
            on = LineConfig(id=name, path=wire.port, baud=rate, **speaks.serial)
            line = await stack.enter_async_context(Line(on))
            drivers[name] = speaks.make(line, config)
        journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0)
        court = Court(journal, WallTime(), bays={}, pumps=drivers)
        begun = {
            name: {n: (bay.pump.total(n).volume_ml, bay.pump.total(n).amount_fen or 0) for n in bay.pump.nozzles}
            for name, bay in bays.items()
        }
        tasks: list[asyncio.Task[None]] = []
        try:
            stack.enter_context(mock.patch.object(PumpLoop, "look_s", 0.1 if own else 0.01))
            stack.enter_context(mock.patch.object(edge.forecourt.pump_loop, "AGAIN_S", 1.0 if own else 0.1))
            await court.desk.check_counter()
            await court.begin(2_000_000_000, may_stay=2_000_000_000)
            await court.price()
            court.islands.keep(lambda name, work: tasks.append(asyncio.create_task(work, name=name)))
            tasks += [asyncio.create_task(pump.run()) for pump in drivers.values()]
            await _until(lambda: all(_shown(court, name) for name in drivers), "prices")
            for bay in bays.values():
                _spoil(bay, permille)
            yield Rig(court, bays, begun)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await journal.close()


def _shown(court: Court, name: str) -> bool:
    return name in court.desk.state.forecourt.prices and name in court.desk.state.forecourt.totals


def _spoil(bay: Bay, permille: int) -> None:
    for words, chance in ((WIRE, permille), (DIALOGUE, permille), (WORLD, permille * 5)):
        for fault in parse_pump_faults(words):
            if chance:
                bay.faults.set(replace(fault, chance_permille=chance, count=fault.count or OFTEN))


# --- selling ----------------------------------------------------------------------------------------------------------


async def sell(rig: Rig, fillings: int, seed: int) -> None:
    """So many fillings, shared among all pumps as they come free."""
    left = iter(range(fillings))
    await asyncio.gather(*(_serve(rig, name, left, Random(f"{seed} {name}")) for name in rig.bays))


async def _serve(rig: Rig, name: str, left: Any, random: Random) -> None:
    bay, nozzles = rig.bays[name], tuple(rig.bays[name].pump.nozzles)
    for _ in left:
        preset = random.choice(
            (Preset("full", 0), Preset("money", random.randrange(100, 5_000)),
             Preset("volume", random.randrange(50, 800) * STEP_ML))
        )  # fmt: skip
        filling = await _start(rig, name, preset)
        bay.add(_customer(random, nozzles))
        await _over(rig, name, filling.seq)
        rig.done += 1


async def _start(rig: Rig, name: str, preset: Preset) -> OpenFilling:
    """The cashier tries again until the pump is free, read, and willing."""
    ask = FillAsk(name, preset, Origin("panel", b"", 0, "li"), (Source("ann"),))
    async with asyncio.timeout(PATIENCE_S):
        while True:
            outcome = await rig.court.islands.start(ask)
            if not isinstance(outcome, Refused):
                return outcome
            rig.again[outcome.refusal.value] += 1
            await asyncio.sleep(0.05)


async def _over(rig: Rig, name: str, seq: int) -> None:
    """Until its record is durable; whoever has gone without fuel is cancelled by the cashier."""
    bay, fills = rig.bays[name], rig.court.fills
    async with asyncio.timeout(PATIENCE_S):
        while seq in fills:
            await asyncio.sleep(0.01)
            bay.catch_up()
            if not bay.busy:
                await asyncio.sleep(0.1)
                found = fills.filling(seq)
                if found is not None and found[1].may_flow:
                    await rig.court.islands.stop(seq, FillEnd.LOCAL)
        while bay.busy:
            await asyncio.sleep(0.01)
            bay.catch_up()
            if bay.pump.sale is None and bay.pump.out is not None:
                bay.pump.hang_up()


def _customer(random: Random, nozzles: Sequence[int]) -> Customer:
    nozzle, ml_s = random.choice(nozzles), random.randrange(300, 800)
    ml = random.randrange(20, 900) * STEP_ML
    kind = random.randrange(20)
    if kind < 10:
        return fills(nozzle, ml, ml_s=ml_s)
    if kind < 13:
        return fills(nozzle, ml_s=ml_s, room_ml=ml)
    if kind < 15:
        return pauses(nozzle, [ml, 50 * STEP_ML], ml_s=ml_s, pause_ms=900)
    if kind < 17:
        return tops_up(nozzle, ml, [3 * STEP_ML, 5 * STEP_ML], ml_s=ml_s)
    if kind < 18:
        return drives_off(nozzle, ml, ml_s=ml_s, after_ms=20_000)
    if kind < 19 and len(nozzles) > 1:
        return lifts_two(nozzle, 3 - nozzle, ml, ml_s=ml_s)
    return returns_nozzle(nozzle)


# --- what came of it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Books:
    """What pumps gave and what the log says.

    gave_ml, gave_fen: by the display of every sale at every pump. leapt_ml: totalizers went on by so much more.
    rest_ml: what a totalizer of whole steps shows less or more than the displays of sales that were cut off. unbilled:
    sales of more than a step that no bill has. unbilled_fen: of all of those. billed_twice: bills that no sale has.
    """

    fillings: int
    bills: int
    voided: int
    gave_ml: int
    leapt_ml: int
    billed_ml: int
    unattributed_ml: int
    rest_ml: int
    gave_fen: int
    billed_fen: int
    unbilled: int
    unbilled_fen: int
    used_fen: int
    overrun_fen: int
    held_fen: int
    billed_twice: Mapping[tuple[str, int, int], int]
    notices: Mapping[str, int]


async def settle(rig: Rig) -> None:
    """All faults end; every pump is read until the log has counted all that moved."""
    for bay in rig.bays.values():
        bay.faults.clear()
        bay.pump.clear_alarm()
    court = rig.court
    async with asyncio.timeout(PATIENCE_S):
        while _uncounted(rig) or court.journal.size < court.desk.state.size:
            await asyncio.sleep(0.05)
            try:
                await rig.court.islands.read_totals()
            except DeviceError:
                pass  # it is tried again


def _uncounted(rig: Rig) -> bool:
    for name, bay in rig.bays.items():
        bay.catch_up()
        known = {one.nozzle: one.volume_ml for one in rig.court.desk.state.forecourt.totals[name].nozzles}
        if known != {n: bay.pump.total(n).volume_ml for n in bay.pump.nozzles}:
            return True
    return False


def books(rig: Rig) -> Books:
    """Everything counted anew: from the pumps themselves, and from the records."""
    court = rig.court
    records = [body_of(record) for record in court.journal.records()]
    closed = [body for body in records if isinstance(body, FillingClosed)]
    opened = {seq: body for seq, body in enumerate(records) if isinstance(body, FillingOpened)}
    stray = [body for body in records if isinstance(body, FuelUnattributed)]
    sold = Counter(
        (name, bay.pump.volume_ml(sale), bay.pump.amount_fen(sale))
        for name, bay in rig.bays.items()
        for sale in bay.sold
    )
    sold = Counter({sale: count for sale, count in sold.items() if sale[1]})
    billed = Counter((opened[body.session].pump, body.volume_ml, body.amount_fen) for body in closed if body.volume_ml)
    unbilled, lease = sold - billed, court.lease()
    gave_ml = sum(ml * count for (_, ml, _), count in sold.items())
    moved_ml = sum(
        bay.pump.total(nozzle).volume_ml - before_ml
        for name, bay in rig.bays.items()
        for nozzle, (before_ml, _) in rig.begun[name].items()
    )
    return Books(
        fillings=rig.done,
        bills=len(closed),
        voided=sum(isinstance(body, SessionVoided) for body in records),
        gave_ml=gave_ml,
        leapt_ml=moved_ml - gave_ml,
        billed_ml=sum(body.volume_ml for body in closed),
        unattributed_ml=sum(body.volume_ml for body in stray),
        rest_ml=sum(_rest_ml(opened[body.session], body, stray) for body in closed),
        gave_fen=sum(fen * count for (_, _, fen), count in sold.items()),
        billed_fen=sum(body.amount_fen for body in closed),
        unbilled=sum(count for (_, ml, _), count in unbilled.items() if ml > STEP_ML),
        unbilled_fen=sum(fen * count for (_, _, fen), count in unbilled.items()),
        used_fen=lease.used,
        overrun_fen=sum(body.overrun_fen for body in closed),
        held_fen=lease.held,
        billed_twice=billed - sold,
        notices=Counter(body.what for body in records if isinstance(body, Notice)),
    )


def _rest_ml(opened: FillingOpened, closed: FillingClosed, stray: Sequence[FuelUnattributed]) -> int:
    """What the totalizer went on by in this filling, less its bill and what is nobody's: under one step."""
    nozzle = closed.sold.nozzle
    after, before = (_at(totals, nozzle) for totals in (closed.end, opened.begin))
    nobodys_ml = sum(body.volume_ml for body in stray if (body.session, body.nozzle) == (closed.session, nozzle))
    rest_ml = after - before - closed.volume_ml - nobodys_ml
    assert abs(rest_ml) <= STEP_ML, closed
    return rest_ml


def _at(totals: PumpTotals, nozzle: int) -> int:
    return next(one.volume_ml for one in totals.nozzles if one.nozzle == nozzle)


def audited(path: Path) -> list[str]:
    """What production's own audit finds in the closed journal."""
    return [str(finding) for finding in verify(path / "journal.db", Trust()).findings]


async def _until(what: Any, why: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110  # neither end tells by an event
            await asyncio.sleep(0.02)
