"""A pump, its customers and the till told as a story: the pump does what a pump does, the decisions are the real ones.

Nothing here does I/O. `FillStory` keeps the log as a list of records and folds it like the daemon does. The pump's
totalizers and its memory outlive every death of the till, and most power cuts of the pump.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.pump import PumpState, PumpStatus, PumpTraits
from edge.till.ask import Opening, Refused, Source
from edge.till.fill import prices, totals, watch
from edge.till.fill.ask import FillAsk
from edge.till.fill.point import FuelPoint, NozzlePlace
from edge.till.fill.policy import FillPolicy
from edge.till.fill.progress import FillEnd, FillProgress
from edge.till.fill.settle import Next, begin_paying, fuel_worth_fen, hold_for_review, settle, what_next
from edge.till.fill.sight import FillSight, SaleSeen
from edge.till.fill.start import open_filling
from edge.till.fill.watch import FillAct
from edge.till.fold import apply
from edge.till.state import Lease, OpenFilling, TillState, lease_key
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.fuel_terms import NO_TERMS, FuelTerms
from protocols.trade.grants import Grant, join
from protocols.trade.records import (
    CNY,
    ClockQuality,
    ConfigApplied,
    Draft,
    EpochOpened,
    GrantAccepted,
    Hold,
    Origin,
    Pin,
    Preset,
    Record,
    SessionExtended,
    Stamp,
    body_of,
    seal,
)
from protocols.trade.records_fuel import FillingClosed, FuelUnattributed, NozzleTotals, PumpTotals
from protocols.trade.tariff import Offset
from protocols.trade.tender import MONEY_ALONE

MIDNIGHT_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
CARD = b"card0001"
WRAPS_ML = 10_000_000_000
TRAITS = PumpTraits(
    nozzles=(1, 2), volume_step_ml=10, amount_step_fen=1, price_step_e3=1_000, total_step_ml=10,
    total_ml_wraps=WRAPS_ML,
    amount_max_fen=999_999, volume_max_ml=999_990, price_max_e3=9_999_000, lift_first=False, can_suspend=False,
)  # fmt: skip
POINT = FuelPoint("3", {1: NozzlePlace("92", "t1"), 2: NozzlePlace("0", "t2")}, TRAITS)
LIST = PriceList(
    "east", 1, "UTC", [Offset(0, 0)], [Grade("92", "92#"), Grade("0", "diesel")],
    [PriceStep(0, [GradePrice("92", 785_000), GradePrice("0", 750_000)])],
)  # fmt: skip
POLICY = FillPolicy(
    start_timeout_s=60, still_s=60, silence_s=5, stuck_after_s=20, pay_within_s=120, settle_after_s=3600
)
LOOK_MS = 500


@dataclass
class Dispenser:
    """The steel side: what has flowed, what is shown, what is remembered."""

    out: int | None = None  # nozzle that is lifted
    ordered: tuple[str, int, tuple[int, ...]] | None = None
    nozzle: int | None = None  # that the sale is on
    volume_ml: int = 0
    reached: bool = False
    answers: bool = True
    powered: bool = True
    keeps_memory: bool = True
    memory: tuple[int, int, int] | None = None  # nozzle, mL, fen
    total_ml: dict[int, int] = field(default_factory=lambda: {1: 1_000_000, 2: 2_000_000})
    total_fen: dict[int, int] | None = None
    total_step_ml: int = 10
    suspended: bool = False
    by: int | None = None  # the filling that has let it deliver
    delivered_ml: dict[int, int] = field(default_factory=dict)  # by filling
    price_e3: dict[int, int] = field(default_factory=lambda: {1: 785_000, 2: 750_000})

    @property
    def shown_fen(self) -> int:
        return 0 if self.nozzle is None else (self.volume_ml * self.price_e3[self.nozzle] + 500_000) // 1_000_000

    @property
    def state(self) -> PumpState:
        if self.ordered is None:
            return PumpState.IDLE if self.out is None else PumpState.CALLING
        if self.reached:
            return PumpState.REACHED
        if self.suspended:
            return PumpState.SUSPENDED
        return PumpState.DELIVERING if self.volume_ml else PumpState.AUTHORISED

    def flow(self, volume_ml: int) -> int:
        """The customer squeezes; what truly came out."""
        if self.ordered is None or self.out is None or self.reached or self.suspended or not self.powered:
            return 0
        kind, limit, allowed = self.ordered
        if self.out not in allowed:
            return 0
        self.nozzle = self.out
        for _ in range(volume_ml // 10):
            if (kind == "volume" and self.volume_ml >= limit) or (kind == "amount" and self.shown_fen >= limit):
                self.reached = True
                break
            self.volume_ml += 10
        return self.volume_ml

    def end(self) -> None:
        """Hung up, stopped, or without power: the sale goes into memory and totals."""
        if self.ordered is not None and self.volume_ml and self.nozzle is not None:
            self.memory = (self.nozzle, self.volume_ml, self.shown_fen)
            self.total_ml[self.nozzle] += self.volume_ml
            if self.total_fen is not None:
                self.total_fen[self.nozzle] += self.shown_fen
        if self.by is not None:
            self.delivered_ml[self.by] = self.delivered_ml.get(self.by, 0) + self.volume_ml
        self.ordered, self.volume_ml, self.reached, self.suspended, self.by = None, 0, False, False, None

    def sell_by_hand(self, nozzle: int, volume_ml: int) -> None:
        """Somebody else, by the attendant's key, while nobody looks."""
        fen = (volume_ml * self.price_e3[nozzle] + 500_000) // 1_000_000
        self.memory = (nozzle, volume_ml, fen)
        self.total_ml[nozzle] += volume_ml
        if self.total_fen is not None:
            self.total_fen[nozzle] += fen

    def shown_total_ml(self, nozzle: int) -> int:
        return self.total_ml[nozzle] - self.total_ml[nozzle] % self.total_step_ml

    def hang_up(self) -> None:
        self.end()
        self.out = None

    def cut_power(self) -> None:
        self.end()
        self.powered = False
        if not self.keeps_memory:
            self.memory = None


@dataclass
class FillStory:
    """One pump, one price list, and whoever comes."""

    pump: Dispenser = field(default_factory=Dispenser)
    point: FuelPoint = POINT
    policy: FillPolicy = POLICY
    prices: PriceList = LIST
    terms: FuelTerms = NO_TERMS
    boot: bytes = b"boot-001"
    mono_ms: int = 1_000
    booted_ms: int = MIDNIGHT_MS
    state: TillState = field(default_factory=TillState)
    log: list[Record] = field(default_factory=list)
    rows: dict[int, FillProgress] = field(default_factory=dict)
    sight_sale: SaleSeen | None = None
    sight_totals: PumpTotals | None = None
    status: PumpStatus | None = None
    status_ms: int | None = None
    authorised: int = 0  # how often the pump has been authorised

    def __post_init__(self) -> None:
        self.write(Draft(EpochOpened("hz-1", 1, bytes(32), b"spki", b"sig", "test")))
        self.write(Draft(ConfigApplied([Pin("fuel-prices", 1, bytes(32))])))
        self.see()
        self.read()
        self.write(*totals.explain(self.state, self.point, self.now_totals()))
        should = prices.due(self.state, self.point, self.prices, self.now())
        self.write(prices.applied(self.point, should))

    # --- the world -------------------------------------------------------------------------------------------------

    def now(self) -> Stamp:
        wall_ms = self.booted_ms + self.mono_ms
        return Stamp(self.boot, self.mono_ms, wall_ms, ClockQuality.SYNCHRONISED, wall_ms - 50, wall_ms + 50)

    def now_totals(self) -> PumpTotals:
        assert self.sight_totals is not None
        return self.sight_totals

    def fall_silent(self) -> None:
        """The pump has not answered for a while."""
        self.pump.answers = False
        self.mono_ms += 60_000

    def see(self) -> None:
        pump = self.pump
        if not (pump.answers and pump.powered):
            return
        sells = pump.ordered is not None
        self.status_ms = self.mono_ms
        self.status = PumpStatus(
            pump.state, pump.state.value, pump.nozzle if sells and pump.volume_ml else pump.out, pump.out is not None,
            pump.volume_ml if sells else None, pump.shown_fen if sells else None,
        )  # fmt: skip

    def read(self) -> None:
        """Memory and totals, as they stand."""
        pump = self.pump
        if not (pump.answers and pump.powered) or pump.ordered is not None:
            return
        nozzle, volume_ml, shown_fen = pump.memory or (0, 0, 0)
        told = None if pump.memory is None else nozzle
        self.sight_sale = SaleSeen(told, volume_ml, shown_fen, None, None, self.mono_ms, empty=pump.memory is None)
        fen = pump.total_fen
        shown = {nozzle: pump.shown_total_ml(nozzle) for nozzle in sorted(pump.total_ml)}
        found = [NozzleTotals(n, ml, None if fen is None else fen[n]) for n, ml in shown.items()]
        self.sight_totals = PumpTotals(self.point.id, found, self.mono_ms, self.booted_ms + self.mono_ms)

    def sight(self) -> FillSight:
        return FillSight(
            self.now(), self.status, self.status_ms, self.sight_sale, self.sight_totals, self.pump.price_e3
        )

    # --- the log ---------------------------------------------------------------------------------------------------

    def write(self, *drafts: Draft) -> None:
        for draft in drafts:
            record = seal(draft, self.now())
            self.log.append(record)
            self.state = apply(self.state, record)

    def bodies(self, kind: type) -> list[object]:
        return [body for body in map(body_of, self.log) if isinstance(body, kind)]

    def grant(self, account: str, fen: int, *credentials: bytes, may_stay: int = 10**9) -> None:
        grant = Grant(account, CNY, "hz-1", 1, 1, fen, 0, 4_000_000_000, 10**9, may_stay, 1, list(credentials))
        self.write(Draft(GrantAccepted(join(grant, bytes(64)))))

    def lease(self, account: str) -> Lease:
        return self.state.leases[lease_key(account, CNY)]

    # --- the till --------------------------------------------------------------------------------------------------

    def ask(self, preset: Preset, account: str = "ann", **more: object) -> OpenFilling | Refused:
        """Read everything, explain what moved, decide."""
        self.see()
        self.read()
        if not self.state.forecourt.fillings and self.sight_totals is not None:
            self.write(*totals.explain(self.state, self.point, self.now_totals()))
        credential = more.pop("credential", b"")
        assert isinstance(credential, bytes)
        sources = more.pop("sources", (Source("" if credential else account, credential),))
        ask = FillAsk("3", preset, Origin("card", credential, 0, ""), sources, credential, **more)  # type: ignore[arg-type]  # a test's own names
        decision = open_filling(self.state, ask, self.point, self.sight(), self.prices, self.policy, terms=self.terms)
        if isinstance(decision, Refused):
            return decision
        assert isinstance(decision, Opening)
        seq = self.state.size
        self.write(decision.draft)
        filling = self.state.forecourt.fillings[seq]
        self.rows[seq] = watch.first_progress(filling)
        return filling

    def pay(self, seq: int, account: str, fen: int) -> None:
        self.write(Draft(SessionExtended(seq, [Hold(account, CNY, fen)])))

    def look(self, times: int = 1, *, act: bool = True) -> None:
        """So many looks of the till, each half a second."""
        for _ in range(times):
            self.mono_ms += LOOK_MS
            self.see()
            for seq, filling in list(self.state.forecourt.fillings.items()):
                self._look_at(seq, filling, act=act)

    def _look_at(self, seq: int, filling: OpenFilling, *, act: bool) -> None:
        worth_fen = fuel_worth_fen(filling.holds, MONEY_ALONE)
        row = watch.advance(filling, self.rows[seq], self.sight(), self.point, self.policy, worth_fen)
        self.rows[seq] = row
        if act:
            self._do(watch.act(filling, row, self.sight(), self.point, self.policy), seq, filling)
        row = self.rows[seq]
        match what_next(filling, row, self.sight(), self.point, self.policy):
            case Next.HOLD:
                self.write(hold_for_review(filling, row, self.sight(), self.policy))
            case Next.PAY:
                self.rows[seq] = begin_paying(row, self.mono_ms)
            case Next.SETTLE:
                self.write(*settle(self.state, filling, row, self.now(), self.point))
                del self.rows[seq]
            case Next.WAIT:
                pass

    def _do(self, act: FillAct, seq: int, filling: OpenFilling) -> None:
        pump = self.pump
        if act is FillAct.READ:
            self.read()
            self.rows[seq] = watch.advance(filling, self.rows[seq], self.sight(), self.point, self.policy, 10**9)
        if not (pump.answers and pump.powered):
            return
        if act is FillAct.AUTHORISE:
            self.authorise(filling)
            self.rows[seq] = watch.authorised(self.rows[seq], self.mono_ms)
        elif act is FillAct.STOP:
            pump.end()

    def authorise(self, filling: OpenFilling) -> None:
        """As the driver does it: a running sale would be refused, the memory of the last one is wiped."""
        assert self.pump.ordered is None, "authorised twice"
        order = watch.order_of(filling)
        self.pump.memory, self.pump.volume_ml, self.pump.nozzle = None, 0, None
        self.pump.ordered, self.pump.by = (order.kind, order.limit, order.nozzles), filling.seq
        self.authorised += 1

    def stop(self, seq: int, reason: FillEnd = FillEnd.LOCAL) -> None:
        self.rows[seq] = watch.stop(self.rows[seq], reason, self.mono_ms)

    def restart(self, *, power_cut: bool = False) -> None:
        """The daemon dies and comes back; rows as last saved."""
        self.mono_ms += 3_000
        if power_cut:
            self.booted_ms += self.mono_ms
            self.boot, self.mono_ms = bytes([self.boot[0] + 1]) + self.boot[1:], 500
        self.status = self.sight_sale = self.sight_totals = None
        self.rows = {seq: watch.resume(row, self.boot, self.mono_ms) for seq, row in self.rows.items()}

    # --- what came of it -------------------------------------------------------------------------------------------

    @property
    def closed(self) -> list[FillingClosed]:
        return [body for body in self.bodies(FillingClosed) if isinstance(body, FillingClosed)]

    @property
    def unattributed(self) -> list[FuelUnattributed]:
        return [body for body in self.bodies(FuelUnattributed) if isinstance(body, FuelUnattributed)]

    def logged_ml(self) -> dict[int, int]:
        """mL that bills and unattributed movements account for, by nozzle."""
        found = dict.fromkeys(self.point.nozzles, 0)
        for body in self.closed:
            found[body.sold.nozzle] += body.volume_ml
        for gone in self.unattributed:
            found[gone.nozzle] += gone.volume_ml
        return found
