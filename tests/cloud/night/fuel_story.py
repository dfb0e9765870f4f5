"""A forecourt's working day: fillings, tanks and prices, as the till's own fold sees them, told to headquarters."""

from __future__ import annotations

import hashlib
from fractions import Fraction

from hq_box import ZONE
from site_story import DATE, Story, at

from cloud import documents, store
from cloud.service import Headquarters
from edge.till.fill.day import day_drafts
from edge.till.fold import apply
from edge.till.state import TillState
from protocols.trade import fuel_prices
from protocols.trade.codec import decode, encode
from protocols.trade.fuel_bill import UNITS
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep, prices_at
from protocols.trade.grants import split
from protocols.trade.quantities import e3_of_yuan
from protocols.trade.records import (
    CNY,
    BillLine,
    ConfigApplied,
    Effect,
    Hold,
    Notice,
    Origin,
    Pin,
    Preset,
    Record,
    SessionVoided,
)
from protocols.trade.records_fuel import (
    FillingClosed,
    FillingOpened,
    FuelReceived,
    FuelUnattributed,
    NozzleTotals,
    Offered,
    PumpPricesSet,
    PumpTotals,
    PumpTotalsRead,
    TankDipped,
)
from protocols.trade.tariff import Offset

NOON_S = at("12:00") // 1000
PUMPS = {"1": {1: ("92", "T1"), 2: ("0", "T2")}, "2": {1: ("92", "T1")}}
"""Grade and tank behind each nozzle."""


def price_list(version: int, *steps: tuple[int, str, str]) -> PriceList:
    """Of (Unix second, yuan of 92, yuan of 0)."""
    made = [
        PriceStep(from_s, [GradePrice("92", e3_of_yuan(petrol)), GradePrice("0", e3_of_yuan(diesel))])
        for from_s, petrol, diesel in steps
    ]
    return PriceList(
        "city", version, ZONE, [Offset(0, 8 * 3600)], [Grade("92", "92# 汽油"), Grade("0", "0# 柴油")], made
    )


PRICES = price_list(1, (0, "7.85", "7.49"), (NOON_S, "7.79", "7.42"))
"""Cheaper from noon of the story's day on."""


class Forecourt(Story):
    """Two pumps, three nozzles, two tanks. Its clock is moved by each call."""

    def __init__(self, hq: Headquarters, site: str = "f1", *, prices: PriceList = PRICES, date: str = DATE) -> None:
        self.state = TillState()
        self.totals = {(pump, nozzle): 1_000_000 for pump, nozzles in PUMPS.items() for nozzle in nozzles}
        self.prices = prices
        self.shown: dict[str, dict[int, int]] = {}
        super().__init__(hq, site, date=date)
        with store.writing(hq.engine) as connection:
            documents.publish(connection, hq.keys, hq.clock, fuel_prices.KIND, prices.version, prices, [site])
        self.add(ConfigApplied([self.pin]))
        self.reads_pumps()
        for pump in PUMPS:
            self.sets_prices(pump)

    @property
    def pin(self) -> Pin:
        return Pin(fuel_prices.KIND, self.prices.version, hashlib.sha256(encode(self.prices)).digest())

    def open_epoch(self, epoch: int) -> None:
        self.state = TillState()
        super().open_epoch(epoch)

    def add(self, body: object, moves: object = ()) -> int:
        seq = super().add(body, moves)
        self.state = apply(self.state, decode(self.leaves[-1], Record))
        return seq

    def clock(self, clock: str) -> None:
        self.wall_ms = at(clock, self.date)

    # --- pumps ---

    def pump_totals(self, pump: str) -> PumpTotals:
        nozzles = [NozzleTotals(nozzle, self.totals[pump, nozzle], None) for nozzle in PUMPS[pump]]
        return PumpTotals(pump, nozzles, self.wall_ms - self.boot_ms, self.wall_ms)

    def reads_pumps(self) -> int:
        return self.add(PumpTotalsRead([self.pump_totals(pump) for pump in PUMPS]))

    def offered(self, pump: str, nozzle: int, price_e3: int | None = None) -> Offered:
        grade, tank = PUMPS[pump][nozzle]
        return Offered(nozzle, grade, tank, self.shown[pump][nozzle] if price_e3 is None else price_e3)

    def sets_prices(self, pump: str, clock: str | None = None) -> int:
        """It shows what the list has now."""
        if clock is not None:
            self.clock(clock)
        now = prices_at(self.prices, self.wall_ms // 1000)
        self.shown[pump] = {nozzle: now[grade] for nozzle, (grade, _) in PUMPS[pump].items()}
        return self.add(PumpPricesSet(pump, [self.offered(pump, nozzle) for nozzle in PUMPS[pump]], "price-list"))

    def lifts(
        self, pump: str, account: str, hold_fen: int, clock: str, *, payer: str = "", price_off_by: int = 0
    ) -> int:
        """A filling begins: grant, hold, totals. payer: the account stands in for this one."""
        self.clock(clock)
        holds = []
        for name in (account, *([payer] if payer else [])):
            had = sum(self.counters.get((effect, name, CNY), 0) for effect in (Effect.USED, Effect.RETURNED))
            reply = self.ask(self.hq, name, had + hold_fen)
            assert split(reply.grant)[0].granted >= had + hold_fen
            self.accept(reply.grant)
            holds.append(Hold(name, CNY, hold_fen))
        offered = [self.offered(pump, it, self.shown[pump][it] + price_off_by) for it in PUMPS[pump]]
        return self.add(
            FillingOpened(
                pump=pump,
                holds=holds,
                guaranteed=bool(payer),
                preset=Preset("full", 0),
                order_kind="amount",
                order_limit=hold_fen,
                offered=offered,
                origin=Origin("card", b"", 0, ""),
                asked="",
                begin=self.pump_totals(pump),
                volume_step_ml=10,
                amount_step_fen=1,
                total_step_ml=10,
                local_day=20_000,
                pins=[self.pin],
                clock_lb_ms=self.wall_ms,
                clock_ub_ms=self.wall_ms,
            )
        )

    def hangs_up(
        self,
        session: int,
        nozzle: int,
        clock: str,
        volume_ml: int,
        *,
        shown_off_by: int = 0,
        line_off_by: int = 0,
        volume_off_by: int = 0,
        sold_at: int | None = None,
    ) -> int:
        """It ends: display, bill, captures, totals. The `off_by` are faults sown into the record."""
        self.clock(clock)
        filling = self.state.forecourt.fillings[session]
        pump = filling.opened.pump
        self.totals[pump, nozzle] += volume_ml
        told_ml = volume_ml + volume_off_by
        listed = next(one for one in filling.opened.offered if one.nozzle == nozzle)
        sold = listed if sold_at is None else self.offered(pump, nozzle, sold_at)
        exact_fen = Fraction(told_ml * sold.price_e3, UNITS)
        fen = int(exact_fen) + shown_off_by
        drawn = [*filling.holds[1:], filling.holds[0]] if filling.opened.guaranteed else list(filling.holds)
        moves, left = [], fen
        for hold in drawn:
            part = min(left, hold.amount)
            left -= part
            moves += [self.move(Effect.USED, hold.account, part)] if part else []
        moves += [self.move(Effect.OVERRUN, "operator", left)] if left else []
        line = BillLine("fuel", nozzle, told_ml, sold.price_e3, fen + line_off_by)
        return self.add(
            FillingClosed(
                session=session,
                reason="hung-up",
                sold=sold,
                volume_ml=told_ml,
                shown_fen=fen,
                end=self.pump_totals(pump),
                lines=[line],
                amount_fen=fen,
                exact_num=exact_fen.numerator,
                exact_den=exact_fen.denominator,
                overrun_fen=left,
                meter_record=None,
            ),
            moves,
        )

    def fills(
        self, pump: str, nozzle: int, account: str, begun: str, ended: str, volume_ml: int, hold_fen: int = 40_000
    ) -> str:
        """A whole filling; its id."""
        session = self.lifts(pump, account, hold_fen, begun)
        self.hangs_up(session, nozzle, ended, volume_ml)
        return f"{self.site}/{self.epoch}/{session}"

    def voids(self, session: int) -> int:
        return self.add(SessionVoided(session, "timeout"))

    def finds(self, pump: str, nozzle: int, volume_ml: int, *answers: str) -> int:
        """A totalizer has moved by itself."""
        grade, tank = PUMPS[pump][nozzle]
        before = NozzleTotals(nozzle, self.totals[pump, nozzle], None)
        self.totals[pump, nozzle] += volume_ml
        after = NozzleTotals(nozzle, self.totals[pump, nozzle], None)
        return self.add(
            FuelUnattributed(pump, nozzle, grade, tank, "no-sale", before, after, volume_ml, None, list(answers))
        )

    def sees_a_reset(self, pump: str, *, says_so: bool = True) -> int:
        for nozzle in PUMPS[pump]:
            self.totals[pump, nozzle] = 0
        if says_so:
            self.add(Notice("totalizer-fell", pump, "exchanged or reset"))
        return self.add(PumpTotalsRead([self.pump_totals(pump)]))

    # --- tanks and days ---

    def dips(self, tank: str, volume_ml: int, clock: str) -> int:
        self.clock(clock)
        grade = {"T1": "92", "T2": "0"}[tank]
        dip = TankDipped(tank, grade, volume_ml, None, None, None, "person", "li", 0, self.wall_ms)
        return self.add(dip)

    def receives(self, tank: str, volume_ml: int, number: str) -> int:
        return self.add(FuelReceived(tank, {"T1": "92", "T2": "0"}[tank], volume_ml, number, "li"))

    def closes_day(self, clock: str = "23:50") -> int:
        """By the till's own rules."""
        self.clock(clock)
        for draft in day_drafts(self.state):
            self.add(draft.body)
        day = self.state.day
        self.day = (day.number, day.first_seq, day.sessions, day.energy_wh, day.amount_fen, day.overrun_fen)
        return super().closes_day(clock)
