"""A forecourt on a real journal: a pump that outlives the daemon, a clock that the test turns, money and a price list.

The pump is the twins' own model (nozzles, meters, memory) behind `drivers.pump.Pump`, without a wire between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from drivers.api import Link, LinkState, Point, Quality, Reading
from drivers.errors import DeviceFault, Silent, Transient
from drivers.pump import NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.parts import Head, Nozzle, Phase, Preset, Refusal
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.journal.journal import Journal
from edge.journal.verify import verify
from edge.journal.verify_report import Trust
from edge.measurement import MeasurementRecorder
from edge.till.ask import Refused, Source
from edge.till.fill.ask import FillAsk
from edge.till.fill.point import FuelPoint, NozzlePlace
from edge.till.fill.policy import FillPolicy
from edge.till.state import OpenFilling
from protocols.proof.ocmf import SoftwareSigner
from protocols.trade import fuel_prices, fuel_terms
from protocols.trade import records as trade
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.fuel_terms import FuelTerms
from protocols.trade.records import Origin
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.tariff import Offset
from tests.edge.desk_rig import DEVICE_KEY, LOG_KEY, Till, Time

FULL = trade.Preset("full", 0)
POLICY = FillPolicy(
    fill_up_cap_fen=20_000, start_timeout_s=60, still_s=60, silence_s=5, stuck_after_s=10, pay_within_s=60,
    settle_after_s=600, idle_totals_s=30,
)  # fmt: skip
PRICES = {"92": 785_000, "0": 750_000}
BOUNDS = (-10_000, 10_000)
STEP_MS = 100
_STATES = {
    Phase.UNPRICED: PumpState.UNPRICED,
    Phase.IDLE: PumpState.IDLE,
    Phase.AUTHORISED: PumpState.AUTHORISED,
    Phase.DELIVERING: PumpState.DELIVERING,
    Phase.SUSPENDED: PumpState.SUSPENDED,
    Phase.REACHED: PumpState.REACHED,
    Phase.ENDED: PumpState.ENDED,
    Phase.SWITCHED_OFF: PumpState.OUT,
}


class ModelPump:
    """What a driver makes of a pump, and how it fails.

    answers: the line is there. totals_lifted: it gives totals with a nozzle out. loses: the next act is done, or (deaf)
    not done, and in both cases nobody hears of it. asked: every act, in order.
    """

    profile_id = "model"

    def __init__(self, name: str, time_: Time, head: Head | None = None) -> None:
        self.id = name
        self.model = Dispenser([Nozzle(1, "92", 700_000, 1_000_000), Nozzle(2, "0", 700_000, 2_000_000)], head)
        self._time = time_
        self.answers = True
        self.totals_lifted = True
        self.loses = self.deaf = False
        self.refuses_prices = self.refuses_orders = False
        self.asked: list[str] = []
        self._seen: tuple[PumpStatus, int] | None = None

    @property
    def traits(self) -> PumpTraits:
        return PumpTraits(
            nozzles=(1, 2), volume_step_ml=10, amount_step_fen=1, price_step_e3=1_000, total_step_ml=10,
            total_ml_wraps=10_000_000_000, amount_max_fen=999_999, volume_max_ml=999_990, price_max_e3=9_999_000,
            lift_first=False, can_suspend=True,
        )  # fmt: skip

    def status(self) -> Reading[PumpStatus]:
        """As polled a moment ago, where it answers; else as it was seen last."""
        if self._hears:
            self._seen = self._now(), self._time.mono_ms
        if self._seen is None:
            return Reading(None, Quality.NONE, None)
        status, seen_ms = self._seen
        at_ms = time.monotonic_ns() // 1_000_000 - (self._time.mono_ms - seen_ms)
        return Reading(status, Quality.GOOD, at_ms)

    async def read_status(self) -> Reading[PumpStatus]:
        await self._ask("status")
        return self.status()

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        await self._ask("totals")
        if self.model.out is not None and not self.totals_lifted:
            raise Transient("a nozzle is out", where=self.id)
        return {number: self.model.total(number) for number in self.model.nozzles}

    async def read_sale(self) -> Sale | None:
        await self._ask("sale")
        sale = self.model.memory
        if sale is None:
            return None
        return Sale(sale.nozzle, self.model.volume_ml(sale), self.model.amount_fen(sale), sale.price_e3)

    async def read_prices(self) -> Mapping[int, int]:
        await self._ask("prices")
        return dict(self.model.prices_e3)

    async def set_prices(self, price_e3: Mapping[int, int]) -> None:
        await self._ask("set-prices")
        if self.refuses_prices or self.model.set_prices(price_e3) is not None:
            raise DeviceFault("it takes no prices", where=self.id)

    async def authorise(self, order: Order) -> None:
        await self._ask("authorise")
        assert all(self.model.prices_e3[nozzle] == price for nozzle, price in order.price_e3.items())
        if self.refuses_orders:
            raise DeviceFault("it takes no such order", where=self.id)
        if self.deaf:
            raise Silent("no answer", where=self.id)
        refusal = self.model.authorise(Preset(order.kind, order.limit), order.nozzles)
        if refusal is Refusal.PHASE:
            raise Transient("not now", where=self.id)
        if refusal is not None:
            raise DeviceFault(refusal.value, where=self.id)
        if self.loses:
            raise Silent("no answer", where=self.id)

    async def stop(self) -> None:
        await self._ask("stop")
        self.model.stop()

    async def suspend(self) -> None:
        await self._ask("suspend")
        self.model.suspend()

    async def resume(self) -> None:
        await self._ask("resume")
        self.model.resume()

    async def release(self) -> None:
        await self._ask("release")
        if self.model.phase is Phase.ENDED:
            self.model.close()

    def link(self) -> Link:
        return Link(LinkState.ONLINE if self._hears else LinkState.OFFLINE, 0, None, None)

    def points(self) -> list[Point]:
        return []

    async def run(self) -> None:
        await asyncio.Event().wait()

    @property
    def acts(self) -> list[str]:
        """What it was told, without what it was only asked."""
        return [one for one in self.asked if one in ("authorise", "stop", "suspend", "resume", "set-prices", "release")]

    @property
    def _hears(self) -> bool:
        return self.answers and self.model.powered

    def _now(self) -> PumpStatus:
        model = self.model
        state = PumpState.CALLING if model.calling else _STATES[model.phase]
        sale = model.shown
        under_way = model.sale is not None or model.phase is Phase.ENDED
        return PumpStatus(
            state,
            model.phase.value,
            model.selected if model.sale is not None else model.out,
            model.out is not None,
            model.volume_ml(sale) if sale is not None and under_way else None,
            model.amount_fen(sale) if sale is not None and under_way else None,
            alarm=model.alarm,
        )

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        await asyncio.sleep(0)
        if not self._hears:
            raise Silent("no answer", where=self.id)


@dataclass
class Court(Till):
    """Two pumps beside an empty charging site. `wait` lets time pass, pumps deliver, and loops turn.

    device: the key of the box, which signs the measurements.
    """

    pumps: dict[str, ModelPump] = field(default_factory=dict)
    fuel: FillPolicy = POLICY
    device: ec.EllipticCurvePrivateKey = DEVICE_KEY

    def open(self) -> None:
        """As the daemon does when it starts; the pumps are as they have become meanwhile."""
        if not self.pumps:
            self.pumps = {name: ModelPump(name, self.time) for name in ("p1", "p2")}
        super().open()
        places = {1: NozzlePlace("92", "t1"), 2: NozzlePlace("0", "t2")}
        points = {name: FuelPoint(name, places, pump.traits) for name, pump in self.pumps.items()}
        recorder = MeasurementRecorder(SoftwareSigner(self.device), "0.1.0")
        self.fills = FillDesk(self.desk, self.clock, self.fuel, points, recorder)
        numbers = {"1": "p1", "2": "p2"}
        self.islands = self.site.islands = Islands(self.site, self.fills, self.pumps, numbers, self.clock)

    @property
    def pump(self) -> ModelPump:
        return self.pumps["p1"]

    @property
    def model(self) -> Dispenser:
        return self.pump.model

    async def price(self, prices: Mapping[str, int], from_s: int = 0, version: int = 1, then: int = 0) -> None:
        """A price list; then: from this Unix second on, everything costs a yuan more."""
        steps = [PriceStep(from_s, [GradePrice(*one) for one in prices.items()])]
        if then:
            steps.append(PriceStep(then, [GradePrice(grade, e3 + 100_000) for grade, e3 in prices.items()]))
        listed = PriceList("east", version, "UTC", [Offset(0, 0)], [Grade("92", "92#"), Grade("0", "diesel")], steps)
        await self.document(fuel_prices.KIND, version, encode(listed))

    async def terms(self, terms: FuelTerms) -> None:
        await self.document(fuel_terms.KIND, terms.version, encode(terms))

    async def document(self, kind: str, version: int, payload: bytes) -> None:
        await self.site.take_documents([encode(Document(kind, "hz-1", version, payload, bytes(64)))])

    # --- customers and time -------------------------------------------------------------------------------------------

    def fill(self, account: str = "ann", preset: trade.Preset = FULL, pump: str = "p1", **more: object) -> FillAsk:
        origin = Origin("panel", b"", 0, "li")
        return FillAsk(pump, preset, origin, (Source(account),), **more)  # type: ignore[arg-type]  # as named

    async def begin_filling(self, preset: trade.Preset = FULL, **more: object) -> OpenFilling:
        outcome = await self.islands.start(self.fill(preset=preset, **more))  # type: ignore[arg-type]  # as named
        assert not isinstance(outcome, Refused), outcome
        return outcome

    async def pour(self, ml: int, nozzle: int = 1, ml_s: int = 700) -> None:
        """Lift, squeeze until so much has flowed or the pump ends it, hang up."""
        self.model.lift(nozzle)
        await self.wait(0.5)
        self.model.squeeze(ml_s, ml)
        await self.wait(ml / ml_s + 0.5)
        self.model.hang_up()
        await self.wait(0.5)

    async def wait(self, seconds: float) -> None:
        """Step by step: time passes, fuel flows, every loop has a turn."""
        for _ in range(round(seconds * 1000 / STEP_MS)):
            self.elapse(STEP_MS)
            for loop in self.islands.loops.values():
                await loop.step()

    def elapse(self, ms: int) -> None:
        """Time passes at the pumps too, and nobody looks."""
        self.time += ms
        for pump in self.pumps.values():
            pump.model.advance(ms)

    # --- what came of it ----------------------------------------------------------------------------------------------

    @property
    def bills(self) -> list[tuple[int, int]]:
        """(mL, fen) of every filling closed."""
        return [(body.volume_ml, body.amount_fen) for body in self.bodies(FillingClosed)]

    def audit(self) -> None:
        """What was billed is what left the account; nothing is held without a filling."""
        lease = self.lease()
        fillings = self.desk.state.forecourt.fillings.values()
        assert lease.held == sum(hold.amount for one in fillings for hold in one.holds if hold.account == "ann")
        assert lease.used == sum(
            move.amount for record in self.journal.records() for move in record.moves if move.effect == "used"
        )


@asynccontextmanager
async def a_court(path: Path, *, granted_fen: int = 50_000, ballast_bytes: int = 0) -> AsyncIterator[Court]:
    """A forecourt that can sell, its pumps read, priced and at rest. Its log must pass the audit in the end."""
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=ballast_bytes)
    court = Court(journal, Time(), bays={})
    try:
        await court.desk.check_counter()
        await court.begin(granted_fen, may_stay=granted_fen)
        await court.price(PRICES)
        await court.wait(4)
        yield court
    finally:
        await court.journal.close()
    findings = verify(path / "journal.db", Trust()).findings
    assert not list(findings), "\n".join(str(finding) for finding in findings)
