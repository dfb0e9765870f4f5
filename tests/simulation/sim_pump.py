"""What happens at a fuelling point: nozzles, meters, memory and valve, and the driver that talks to them.

`FuelStand` is the physical place: the twins' own model of a dispenser under virtual time. It outlives every daemon, and
what left its nozzles is the truth that bills are held against. `StandPump` is what one daemon knows of it: it
implements `drivers.pump.Pump` in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any

from sim_plant import ANSWER_S, BUSY_S, TIMEOUT_S

from drivers.api import Link, LinkState, Point, Quality, Reading
from drivers.errors import DeviceFault, Misconfigured, Silent, Transient
from drivers.pump import Decimals, NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.twins.pumps import parts
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.parts import Change, Head, Nozzle, Phase, Preset
from edge.clock import Clock
from edge.forecourt.eye import Eye
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.measurement import MeasurementRecorder
from edge.site import Site
from edge.till.fill.point import FuelPoint, NozzlePlace
from edge.till.fill.policy import FillPolicy

POLL_S = 1.0
GRADES = ("92", "0")
WRAPS_ML = 10_000_000_000
POLICY = FillPolicy(
    fill_up_cap_fen=3_000, start_timeout_s=60, still_s=60, silence_s=5, stuck_after_s=20, pay_within_s=40,
    settle_after_s=600, idle_totals_s=20,
)  # fmt: skip
STATES = {
    Phase.UNPRICED: PumpState.UNPRICED,
    Phase.IDLE: PumpState.IDLE,
    Phase.AUTHORISED: PumpState.AUTHORISED,
    Phase.DELIVERING: PumpState.DELIVERING,
    Phase.SUSPENDED: PumpState.SUSPENDED,
    Phase.REACHED: PumpState.REACHED,
    Phase.ENDED: PumpState.ENDED,
    Phase.SWITCHED_OFF: PumpState.OUT,
}


class SimEye(Eye):
    """Drivers of the simulation count on the box's own clock already."""

    def _on_our_clock(self, monotonic_ms: int) -> int:
        return monotonic_ms


class FuelStand:
    """One fuelling point.

    silent: it does not answer; deaf: it answers, and orders are lost on their way; slow: every answer takes seconds;
    odds_of_lost: that an order is done and its answer lost, now and then with a silence after it. tells_nozzle,
    counts_money, totals_lifted, lift_first, wipes: how this pump is built. fell: nozzles whose totalizer has been
    reset. excused: something beyond the till's reach has touched the filling that is here.
    """

    def __init__(self, name: str, pump: Dispenser, now_ms: Callable[[], int], built: Mapping[str, bool]) -> None:
        self.name = name
        self.pump = pump
        self.now_ms = now_ms
        self.built = built
        self.silent = self.deaf = self.slow = False
        self.odds_of_lost = 0.0
        self.fell: set[int] = set()
        self.excused = False
        self.on_authorise: Callable[[FuelStand, parts.Sale], None] = lambda stand, sale: None
        self.on_flow: Callable[[FuelStand, parts.Sale], None] = lambda stand, sale: None
        self.on_wipe: Callable[[FuelStand, parts.Sale], None] = lambda stand, sale: None
        pump.listeners.append(self._told)
        self.settle()

    def twin(self) -> FuelStand:
        """Another place with the same equipment, whose totalizers show the same; nobody is there."""
        self.settle()
        pump = self.pump
        nozzles = [
            Nozzle(n, one.grade, pump.prices_e3.get(n), pump.meters[n].ul // 1000, pump.meters[n].fen)
            for n, one in pump.nozzles.items()
        ]
        twin = FuelStand(self.name, Dispenser(nozzles, pump.head), self.now_ms, self.built)
        twin.fell = set(self.fell)
        return twin

    def settle(self) -> None:
        """Let the time since the last call have passed."""
        self.pump.advance(self.now_ms() - self.pump.now_ms)

    @property
    def faulty(self) -> bool:
        """Something is wrong with it just now."""
        return self.silent or self.deaf or self.slow or not self.pump.powered or self.pump.alarm is not None

    @property
    def step_ml(self) -> int:
        """How far display and totalizer may be apart."""
        decimals = self.pump.head.decimals
        return max(decimals.volume_ml(1), decimals.total_ml(1))

    def point(self) -> FuelPoint:
        """As the config has it."""
        return FuelPoint(self.name, {n: NozzlePlace(one.grade) for n, one in self.pump.nozzles.items()}, self.traits)

    @property
    def traits(self) -> PumpTraits:
        head = self.pump.head
        scales = head.decimals
        return PumpTraits(
            nozzles=tuple(self.pump.nozzles), volume_step_ml=scales.volume_ml(1), amount_step_fen=scales.amount_fen(1),
            price_step_e3=scales.price_e3(1), total_step_ml=scales.total_ml(1), total_ml_wraps=head.total_ml_wraps,
            amount_max_fen=999_999, volume_max_ml=head.volume_max_ml, price_max_e3=9_999_000,
            lift_first=self.built["lift_first"], can_suspend=True,
        )  # fmt: skip

    # --- hands and the world -----------------------------------------------------------------------------------------

    def lift(self, nozzle: int) -> None:
        self.settle()
        self.pump.lift(nozzle)

    def hang_up(self, nozzle: int | None = None) -> None:
        self.settle()
        self.pump.hang_up(nozzle)

    def squeeze(self, ml_s: int, ml: int) -> None:
        self.settle()
        self.pump.squeeze(ml_s, ml)

    def power(self, on: bool, *, forgets: bool = False) -> None:
        """The mains of this pump."""
        self.settle()
        if on:
            self.pump.return_power()
        else:
            self.pump.cut_power(forgets=forgets)

    def forget_sale(self) -> None:
        """Its memory of the last sale is gone."""
        self.settle()
        self.pump.memory = None

    def move_total(self, nozzle: int, ml: int) -> None:
        self.settle()
        self.pump.move_total(nozzle, ml)

    def creep(self, nozzle: int, ul_per_s: int) -> None:
        """Its totalizer moves by itself; 0 ends it."""
        self.settle()
        self.pump.leak(nozzle, ul_per_s)

    def reset_total(self, nozzle: int) -> None:
        """The head has been exchanged, and begins at 0."""
        self.settle()
        self.fell.add(nozzle)
        self.pump.move_total(nozzle, -self.pump.meters[nozzle].ul // 1000)

    def alarm(self, on: bool) -> None:
        self.settle()
        if on:
            self.pump.raise_alarm()
        else:
            self.pump.clear_alarm()

    def heal(self) -> None:
        """Nothing is wrong any more, and everybody has gone."""
        self.settle()
        self.silent = self.deaf = self.slow = False
        self.odds_of_lost = 0.0
        self.alarm(False)
        self.power(True)
        for nozzle in self.pump.nozzles:
            self.pump.leak(nozzle, 0)
        for blocked in self.pump.blocked:
            self.pump.hang_up(blocked)
        self.pump.hang_up()

    # --- what a line carries -----------------------------------------------------------------------------------------

    def contact(self) -> bool:
        """Somebody asks. False: no answer."""
        self.settle()
        return self.pump.powered and not self.silent

    def wipe(self) -> None:
        """What the protocols' RESET does to the memory."""
        if self.pump.phase is Phase.ENDED and self.built["wipes"]:
            if self.pump.memory is not None:
                self.on_wipe(self, self.pump.memory)
            self.pump.reset()

    def status(self) -> PumpStatus:
        pump = self.pump
        state = PumpState.CALLING if pump.calling else STATES[pump.phase]
        shown = pump.shown if pump.sale is not None or pump.phase is Phase.ENDED else None
        return PumpStatus(
            state,
            pump.phase.value,
            pump.selected if self.built["tells_nozzle"] else None,
            pump.out is not None,
            None if shown is None else pump.volume_ml(shown),
            None if shown is None else pump.amount_fen(shown),
            alarm=pump.alarm,
        )

    def totals(self) -> dict[int, NozzleTotal]:
        money = self.built["counts_money"]
        found = {n: self.pump.total(n) for n in self.pump.nozzles}
        return found if money else {n: NozzleTotal(one.volume_ml, None) for n, one in found.items()}

    def memory(self) -> Sale | None:
        sale = self.pump.memory
        if sale is None or self.pump.sale is not None:
            return None
        nozzle = sale.nozzle if self.built["tells_nozzle"] else None
        return Sale(nozzle, self.pump.volume_ml(sale), self.pump.amount_fen(sale), sale.price_e3, sale.number)

    def _told(self, change: Change) -> None:
        sale = self.pump.sale
        if sale is not None and change is Change.AUTHORISED:
            self.on_authorise(self, sale)
        elif sale is not None and change is Change.FLOW:
            self.on_flow(self, sale)


def open_forecourt(
    pumps: Mapping[str, FuelStand],
    site: Site,
    clock: Clock,
    recorder: MeasurementRecorder,
    random: Random,
    die: Callable[[str], None],
    keep: Callable[[str, Coroutine[Any, Any, None]], None],
) -> None:
    """As the daemon does: the drivers of all pumps, and their loops."""
    drivers = {name: StandPump(stand, random, clock.mono_ms, die) for name, stand in pumps.items()}
    points = {name: stand.point() for name, stand in pumps.items()}
    fills = FillDesk(site.desk, clock, POLICY, points, recorder)
    islands = site.islands = Islands(site, fills, drivers, {}, clock)
    for loop in islands.loops.values():
        loop.eye.__class__ = SimEye  # in place: whoever sets prices looks through the same one
    for driver in drivers.values():
        keep("driver", driver.run())
    islands.keep(keep)


def drawn(name: str, random: Random, now_ms: Callable[[], int], *, forgets: bool) -> FuelStand:
    """A fuelling point as it might have been bought. forgets: some lose memory, prices or drops when power fails."""

    def some(odds: float) -> bool:
        return random.random() < odds

    head = Head(
        decimals=Decimals(volume=random.choice((2, 2, 3)), total_volume=2),
        overrun_ml=random.choice((0, 0, 30)),
        lands_on_amount=some(0.7),
        keeps_authorisation=some(0.3),
        waits_after_stop=some(0.3),
        remembers_zero=some(0.5),
        totals_live=some(0.3),
        keeps_sale=not (forgets and some(0.3)),
        keeps_prices=not (forgets and some(0.3)),
        loses_ml=random.choice((0, 20)) if forgets else 0,
        needs_reset=some(0.3),
        authorised_ms_max=random.choice((None, None, 40_000)),
        total_ml_wraps=WRAPS_ML,
    )
    nozzles = []
    for number, grade in enumerate(GRADES[: random.choice((1, 2, 2))], start=1):
        total_ml = WRAPS_ML - random.randrange(10, 3_000) * 10 if some(0.2) else random.randrange(10**6) * 10
        nozzles.append(Nozzle(number, grade, random.choice((None, 700_000)), total_ml, random.randrange(10**7)))
    built = {
        "tells_nozzle": some(0.8) or len(nozzles) == 1,
        "counts_money": some(0.7),
        "totals_lifted": some(0.7),
        "lift_first": some(0.2),
        "wipes": some(0.5),
    }
    return FuelStand(name, Dispenser(nozzles, head), now_ms, built)


class StandPump:
    """A pump as one daemon knows it: polled, asked, told; and it may die in the middle of a dialogue."""

    profile_id = "simulated"

    def __init__(
        self, stand: FuelStand, random: Random, mono_ms: Callable[[], int], die: Callable[[str], None]
    ) -> None:
        self.stand = stand
        self.id = stand.name
        self._random = random
        self._mono_ms = mono_ms
        self._die = die
        self._last: Reading[PumpStatus] = Reading(None, Quality.NONE, None)

    async def run(self) -> None:
        while True:
            self._poll()
            await asyncio.sleep(POLL_S)

    def link(self) -> Link:
        return Link(LinkState.ONLINE, 0, None, None)

    def points(self) -> list[Point]:
        return []

    @property
    def traits(self) -> PumpTraits:
        return self.stand.traits

    def status(self) -> Reading[PumpStatus]:
        return self._last

    async def read_status(self) -> Reading[PumpStatus]:
        await self._ask()
        self._poll()
        return self._last

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        await self._ask()
        if self.stand.pump.out is not None and not self.stand.built["totals_lifted"]:
            raise Transient("a nozzle is out", where=self.id)
        return self.stand.totals()

    async def read_sale(self) -> Sale | None:
        await self._ask()
        return self.stand.memory()

    async def read_prices(self) -> Mapping[int, int]:
        await self._ask()
        return dict(self.stand.pump.prices_e3)

    async def set_prices(self, price_e3: Mapping[int, int]) -> None:
        await self._order()
        if self.stand.pump.set_prices(price_e3) is not None:
            raise DeviceFault("it takes no prices now", where=self.id)
        await self._done()

    async def authorise(self, order: Order) -> None:
        """RESET, preset, AUTHORISE: a daemon may die between any two."""
        await self._order()
        pump = self.stand.pump
        if pump.phase not in (Phase.IDLE, Phase.ENDED):
            raise Transient(f"it is {pump.phase.value}", where=self.id)
        if any(pump.prices_e3.get(nozzle) != price_e3 for nozzle, price_e3 in order.price_e3.items()):
            raise Misconfigured(f"it shows {pump.prices_e3}, not {dict(order.price_e3)}", where=self.id)
        self.stand.wipe()
        await self._order()
        refusal = pump.authorise(Preset(order.kind, order.limit), order.nozzles)
        if refusal is not None:
            raise DeviceFault(refusal.value, where=self.id)
        await self._done()

    async def stop(self) -> None:
        await self._order()
        self.stand.pump.stop()
        await self._done()

    async def suspend(self) -> None:
        await self._order()
        self.stand.pump.suspend()
        await self._done()

    async def resume(self) -> None:
        await self._order()
        self.stand.pump.resume()
        await self._done()

    async def release(self) -> None:
        await self._order()
        self.stand.wipe()
        if self.stand.pump.phase is Phase.ENDED:
            self.stand.pump.close()
        await self._done()

    def _poll(self) -> None:
        if self.stand.contact():
            self._last = Reading(self.stand.status(), Quality.GOOD, self._mono_ms())

    async def _ask(self) -> None:
        busy = self.stand.slow or self._random.random() < 0.1
        await asyncio.sleep(self._random.uniform(*(BUSY_S if busy else ANSWER_S)))
        if not self.stand.contact():
            raise await self._silent("no answer")

    async def _order(self) -> None:
        """An order is on its way. Raises Silent where it does not arrive, or has no effect."""
        await self._ask()
        if self.stand.deaf:
            raise await self._silent("acknowledged, and nothing came of it")

    async def _done(self) -> None:
        """It has been done; whether anybody hears of it is another question."""
        stand = self.stand
        self._die("after an order to a pump")
        if self._random.random() < stand.odds_of_lost:
            if self._random.random() < 0.5:
                stand.silent = True
                asyncio.get_running_loop().call_later(self._random.uniform(2, 40), setattr, stand, "silent", False)
            raise await self._silent("the answer was lost")
        self._poll()

    async def _silent(self, what: str) -> Silent:
        await asyncio.sleep(TIMEOUT_S)
        return Silent(what, where=self.id)
