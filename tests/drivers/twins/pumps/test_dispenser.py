"""A pump with nobody on its line: valve, display, meters and memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.pump import Decimals, NozzleTotal
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.parts import FULL, Change, EndedBy, Head, Nozzle, Phase, Preset, Refusal

P92, P95 = 785_000, 839_000  # 7.85 and 8.39 yuan per litre


def pump(head: Head | None = None, **kinds: int | bool) -> Dispenser:
    nozzles = [Nozzle(1, "92", P92, total_ml=1_000_000, total_fen=7_850_00), Nozzle(2, "95", P95)]
    return Dispenser(nozzles, Head(**kinds) if head is None else head)  # type: ignore[arg-type]  # ints and bools of Head


def flow(it: Dispenser, ml: int, nozzle: int = 1, ml_s: int = 800) -> None:
    """Let exactly so much flow, or as much as the pump allows."""
    it.lift(nozzle)
    it.squeeze(ml_s, ml)
    for _ in range(5_000):
        it.advance(100)
        if it.flow_ml_s == 0:
            return


class TestASale:
    def test_a_whole_one(self) -> None:
        """Authorise, lift, fill, hang up: display, memory and totals agree."""
        it = pump()
        assert it.authorise() is None
        assert (it.phase, it.selected, it.shown_ml) == (Phase.AUTHORISED, None, 0)
        flow(it, 12_340)
        assert (it.phase, it.shown_ml, it.shown_fen) == (Phase.DELIVERING, 12_340, 9_687)  # 96.869 yuan
        it.hang_up()
        sale = it.memory
        assert sale is not None
        assert (it.phase, sale.ended_by, sale.nozzle, sale.price_e3) == (Phase.ENDED, EndedBy.HUNG_UP, 1, P92)
        assert it.total(1) == NozzleTotal(1_012_340, 785_00 * 10 + 9_687)
        assert it.total(2) == NozzleTotal(0, 0)

    def test_the_nozzle_may_be_out_first(self) -> None:
        """Lifted before it is authorised, the pump calls; nothing flows until then."""
        it = pump()
        flow(it, 1_000)
        assert (it.calling, it.meters[1].ul) == (True, 1_000_000_000)
        it.authorise()
        it.squeeze(500)
        it.advance(1_000)
        assert (it.phase, it.shown_ml) == (Phase.DELIVERING, 500)

    def test_what_is_counted_but_not_shown_is_kept(self) -> None:
        """Three sales of 3.337 L show 3.33 each, and the totals have all 10.011 L, in steps of 10 mL."""
        it = pump()
        for _ in range(3):
            it.authorise()
            flow(it, 3_337)
            it.hang_up()
            assert it.shown_ml == 3_330
        assert it.meters[1].ul - 1_000_000_000 == 10_011_000
        assert it.total(1).volume_ml == 1_010_010

    def test_totals_move_when_the_sale_is_over(self) -> None:
        """A head that is not `totals_live` shows the old total until the nozzle is in."""
        for live, shown in ((False, 1_000_000), (True, 1_005_000)):
            it = pump(totals_live=live)
            it.authorise()
            flow(it, 5_000)
            assert it.total(1).volume_ml == shown
            it.hang_up()
            assert it.total(1).volume_ml == 1_005_000

    def test_hung_up_before_any_flow(self) -> None:
        """A sale of zero, or still authorised, as heads differ; a head may forget a zero."""
        it = pump()
        it.authorise()
        it.lift(1)
        it.hang_up()
        assert (it.phase, it.memory and it.memory.ul) == (Phase.ENDED, 0)
        it = pump(keeps_authorisation=True)
        it.authorise()
        it.lift(1)
        it.hang_up()
        assert it.phase is Phase.AUTHORISED
        flow(it, 2_000, nozzle=2)
        it.hang_up()
        assert it.memory is not None
        assert (it.memory.nozzle, it.memory.price_e3) == (2, P95)
        it = pump(remembers_zero=False)
        for ml in (700, 0):
            it.authorise()
            flow(it, ml)
            it.hang_up()
        assert it.shown_ml == 700

    def test_a_nozzle_that_may_not(self) -> None:
        """Only nozzle 2 may: nozzle 1 gives nothing, is hung up, and the authorisation stands."""
        it = pump()
        it.authorise(FULL, [2])
        flow(it, 1_000, nozzle=1)
        assert (it.phase, it.meters[1].ul) == (Phase.AUTHORISED, 1_000_000_000)
        it.hang_up()
        flow(it, 1_000, nozzle=2)
        assert (it.phase, it.shown_ml) == (Phase.DELIVERING, 1_000)

    def test_a_second_nozzle_is_dead(self) -> None:
        """Lifted beside another one it is blocked until all are in, whoever is hung up first."""
        it = pump()
        told: list[Change] = []
        it.listeners.append(told.append)
        it.authorise()
        it.lift(1)
        it.lift(2)
        assert (it.out, it.blocked, told[-1]) == (1, (2,), Change.BLOCKED)
        flow(it, 1_000)
        it.hang_up(1)
        assert (it.phase, it.out) == (Phase.ENDED, None)
        it.lift(1)
        assert (it.out, it.blocked) == (None, (2, 1))
        it.hang_up(2)
        it.hang_up(1)
        it.lift(2)
        assert (it.out, it.blocked) == (2, ())

    def test_a_full_tank(self) -> None:
        """The nozzle shuts itself; squeezed again, a little more goes in."""
        it = pump()
        it.park(20_005)
        it.authorise()
        it.lift(1)
        it.squeeze(800)
        it.advance(60_000)
        assert (it.phase, it.shown_ml, it.trigger_ml_s) == (Phase.DELIVERING, 20_000, 0)
        it.park(200)
        it.squeeze(50)
        it.advance(60_000)
        assert it.meters[1].ul == 1_020_205_000


PRESETS = [
    # preset, overrun, lands: volume and amount shown
    (Preset("volume", 10_000), 0, True, 10_000, 7_850),
    (Preset("volume", 10_009), 0, True, 10_000, 7_850),  # whole steps
    (Preset("amount", 2_000), 0, True, 2_550, 2_000),  # 2.55 L are worth 20.02
    (Preset("amount", 2_000), 0, False, 2_550, 2_002),
    (Preset("amount", 2_000), 30, True, 2_580, 2_025),  # the valve was slow: what flowed is shown
    (Preset("volume", 10_000), 30, True, 10_030, 7_874),
    (Preset("amount", 785), 0, True, 1_000, 785),
    (Preset("amount", 1), 0, True, 10, 1),
]


class TestPresets:
    @pytest.mark.parametrize(("preset", "overrun_ml", "lands", "volume_ml", "amount_fen"), PRESETS)
    def test_the_end(self, preset: Preset, overrun_ml: int, lands: bool, volume_ml: int, amount_fen: int) -> None:
        """The valve closes at the first step that shows the limit, the nozzle being still out."""
        it = pump(overrun_ml=overrun_ml, lands_on_amount=lands)
        it.authorise(preset)
        flow(it, 60_000)
        assert (it.phase, it.shown_ml, it.shown_fen) == (Phase.REACHED, volume_ml, amount_fen)
        before_fen = it.total(1).amount_fen
        it.hang_up()
        total = it.total(1)
        assert total.amount_fen is not None
        assert before_fen is not None
        assert (it.phase, total.volume_ml, total.amount_fen - before_fen) == (
            Phase.ENDED,
            1_000_000 + volume_ml,
            amount_fen,
        )

    def test_the_last_one_wins(self) -> None:
        """A preset sent in mid-sale moves the end; one that is exceeded already ends the sale."""
        it = pump()
        it.authorise(Preset("volume", 10_000))
        flow(it, 3_000)
        assert it.change_preset(Preset("volume", 5_000)) is None
        flow(it, 9_000)
        assert (it.phase, it.shown_ml) == (Phase.REACHED, 5_000)
        it = pump()
        it.authorise()
        flow(it, 3_000)
        it.change_preset(Preset("volume", 2_000))
        assert (it.phase, it.shown_ml) == (Phase.REACHED, 3_000)

    def test_the_end_of_the_display(self) -> None:
        """A sale without limit ends when the display can show no more."""
        it = pump(volume_max_ml=9_990)
        it.authorise()
        flow(it, 60_000)
        assert (it.phase, it.shown_ml) == (Phase.REACHED, 9_990)

    @settings(deadline=None, max_examples=200)
    @given(
        price_e3=st.integers(1_000, 2_000_000),
        limit_fen=st.integers(1, 100_000),
        volume=st.integers(1, 3),
        amount=st.integers(0, 2),
    )
    def test_an_amount_is_met_within_one_step(self, price_e3: int, limit_fen: int, volume: int, amount: int) -> None:
        """For any price and decimals: the shown volume is worth the limit, and one step less is not."""
        decimals = Decimals(volume=volume, amount=amount)
        it = Dispenser([Nozzle(1, "92", price_e3)], Head(decimals=decimals, lands_on_amount=False, flow_ml_s_max=10**9))
        if it.authorise(Preset("amount", limit_fen)) is not None:
            assert limit_fen < decimals.amount_fen(1)
            return
        it.lift(1)
        it.squeeze(10**9)
        it.advance(10**6)
        assert it.phase is Phase.REACHED
        step_fen, step_ml = decimals.amount_fen(1), decimals.volume_ml(1)
        limit_fen = limit_fen // step_fen * step_fen
        if it.shown_ml < it.head.volume_max_ml - step_ml:
            assert it.shown_fen >= limit_fen
        sale = it.sale
        assert sale is not None
        sale.ul -= step_ml * 1_000
        assert it.amount_fen(sale) < limit_fen


class TestTheLine:
    def test_stop(self) -> None:
        """In mid-sale it ends at once, or when the nozzle is in; before any flow the authorisation is gone."""
        it = pump(overrun_ml=20)
        it.authorise()
        it.lift(1)
        it.squeeze(800)
        it.advance(1_000)
        assert it.stop() is None
        assert (it.phase, it.shown_ml, it.memory and it.memory.ended_by) == (Phase.ENDED, 820, EndedBy.STOPPED)
        it = pump(waits_after_stop=True)
        it.authorise()
        flow(it, 500)
        it.stop()
        assert it.stop() is None
        assert it.phase is Phase.REACHED
        it.hang_up()
        assert (it.phase, it.memory and it.memory.ended_by) == (Phase.ENDED, EndedBy.STOPPED)
        it = pump(waits_after_stop=True)
        it.authorise()
        it.lift(1)
        it.stop()
        assert it.phase is Phase.ENDED
        assert it.close() is None
        assert it.calling

    def test_pause(self) -> None:
        """Suspended, nothing flows though the trigger is held; then it goes on as what it was."""
        it = pump()
        it.authorise()
        assert it.suspend() is None
        assert it.resume() is None
        assert it.phase is Phase.AUTHORISED
        it.lift(1)
        it.squeeze(800)
        it.advance(1_000)
        it.suspend()
        it.advance(10_000)
        assert (it.phase, it.shown_ml) == (Phase.SUSPENDED, 800)
        it.resume()
        it.advance(1_000)
        assert (it.phase, it.shown_ml) == (Phase.DELIVERING, 1_600)
        it.suspend()
        it.hang_up()
        assert it.phase is Phase.ENDED

    def test_close_and_reset(self) -> None:
        """Both make it idle; only a reset wipes the memory. The next sale may also begin without them."""
        for wipe in (False, True):
            it = pump()
            it.authorise()
            flow(it, 500)
            it.hang_up()
            assert (it.reset() if wipe else it.close()) is None
            assert (it.phase, it.shown_ml) == (Phase.IDLE, 0 if wipe else 500)
        it.authorise()
        it.stop()
        assert it.authorise() is None

    REFUSALS = (
        (Phase.IDLE, "resume", Refusal.PHASE),
        (Phase.IDLE, "suspend", Refusal.PHASE),
        (Phase.AUTHORISED, "authorise", Refusal.PHASE),
        (Phase.AUTHORISED, "close", Refusal.PHASE),
        (Phase.DELIVERING, "reset", Refusal.PHASE),
        (Phase.SWITCHED_OFF, "authorise", Refusal.OFF),
        (Phase.SWITCHED_OFF, "close", Refusal.OFF),
    )

    @pytest.mark.parametrize(("phase", "act", "refusal"), REFUSALS)
    def test_not_now(self, phase: Phase, act: str, refusal: Refusal) -> None:
        """What a phase does not allow is refused and changes nothing."""
        it = pump()
        if phase is Phase.SWITCHED_OFF:
            it.switch_off()
        elif phase is not Phase.IDLE:
            it.authorise()
            flow(it, 100 if phase is Phase.DELIVERING else 0)
        assert it.phase is phase
        assert getattr(it, act)() is refusal
        assert it.phase is phase

    def test_what_it_does_not_know(self) -> None:
        """Limits, nozzles and prices that cannot be are refused."""
        it = pump()
        for preset in (Preset("volume", 0), Preset("volume", 9), Preset("volume", 10**9), Preset("amount", 10**9)):
            assert it.authorise(preset) is Refusal.LIMIT
        assert it.authorise(FULL, [3]) is Refusal.LIMIT
        assert it.authorise(FULL, []) is Refusal.LIMIT
        assert it.set_prices({3: 1}) is Refusal.LIMIT
        assert it.set_prices({1: 0}) is Refusal.LIMIT

    def test_prices(self) -> None:
        """A price of the sale is that of its authorisation; while it lasts none can be set."""
        it = pump()
        assert it.set_prices({1: 800_000}) is None
        it.authorise()
        flow(it, 1_000)
        assert it.set_prices({1: 900_000}) is Refusal.PHASE
        assert it.shown_fen == 800

    def test_an_authorisation_lapses(self) -> None:
        """Nobody comes: a sale of zero."""
        it = pump(authorised_ms_max=60_000)
        it.authorise()
        it.advance(59_999)
        assert it.phase is Phase.AUTHORISED
        it.advance(1)
        assert (it.phase, it.memory and it.memory.ended_by) == (Phase.ENDED, EndedBy.TIMEOUT)


class TestTheWorld:
    def test_emergency_stop(self) -> None:
        """The sale ends; nothing is authorised until it is over."""
        it = pump()
        it.authorise()
        flow(it, 800)
        it.raise_alarm()
        assert (it.phase, it.memory and it.memory.ended_by) == (Phase.ENDED, EndedBy.EMERGENCY)
        assert it.authorise() is Refusal.ALARM
        it.clear_alarm()
        assert it.authorise() is None

    CUTS = (
        # head, phase after, sale remembered, total, prices
        (Head(), Phase.ENDED, 8_000, 1_008_000, True),
        (Head(loses_ml=30), Phase.ENDED, 7_970, 1_007_970, True),
        (Head(keeps_sale=False), Phase.IDLE, None, 1_008_000, True),
        (Head(keeps_prices=False), Phase.UNPRICED, 8_000, 1_008_000, False),
        (Head(keeps_sale=False, needs_reset=True), Phase.ENDED, None, 1_008_000, True),
    )

    @pytest.mark.parametrize(("head", "phase", "shown_ml", "total_ml", "priced"), CUTS)
    def test_power_cut_in_mid_sale(
        self, head: Head, phase: Phase, shown_ml: int | None, total_ml: int, priced: bool
    ) -> None:
        """The flow stops at once; afterwards the head knows what it keeps, and the truth is in `delivered_ul`."""
        it = pump(head)
        it.authorise()
        it.lift(1)
        it.squeeze(800)
        it.advance(10_000)
        it.cut_power()
        it.advance(10_000)
        assert it.authorise() is it.stop() is it.set_prices({}) is Refusal.DARK
        it.hang_up()
        it.return_power()
        assert (it.phase, it.memory and it.shown_ml, it.total(1).volume_ml) == (phase, shown_ml, total_ml)
        assert bool(it.prices_e3) is priced
        assert it.delivered_ul[1] == 8_000_000
        if not priced:
            assert it.authorise() is Refusal.UNPRICED
            it.set_prices({1: P92})
            assert it.phase is Phase.UNPRICED
            it.set_prices({2: P95})
            assert it.phase is Phase.IDLE

    def test_power_cut_at_rest(self) -> None:
        """An idle pump comes back idle; one with an ended sale still shows it."""
        it = pump()
        it.cut_power()
        it.return_power()
        assert it.phase is Phase.IDLE
        it.authorise()
        it.stop()
        it.cut_power()
        it.return_power()
        assert it.phase is Phase.ENDED

    def test_totals_that_move_by_themselves(self) -> None:
        """A test run moves the total at once; a leak of 1 mL per hour is exact after a day of odd steps."""
        it = pump()
        it.move_total(1, 5_000, 3_925)
        assert it.total(1).volume_ml == 1_005_000
        it.leak(2, 277)
        for _ in range(24 * 3_600):
            it.advance(997)
            it.advance(3)
        assert it.meters[2].ul == 277 * 24 * 3_600
        assert it.sales == 0

    def test_totals_wrap(self) -> None:
        """The shown total begins again at 0."""
        it = pump(total_ml_wraps=1_002_000)
        it.authorise()
        flow(it, 3_500)
        it.hang_up()
        assert it.total(1).volume_ml == 1_500

    def test_a_head_that_needs_a_reset(self) -> None:
        """DART's kind: ENDED after power-up, first prices and every stop; IDLE only by a reset."""
        it = Dispenser([Nozzle(1, "92")], Head(needs_reset=True))
        assert it.phase is Phase.UNPRICED
        it.set_prices({1: P92})
        assert it.phase is Phase.ENDED
        it.reset()
        it.stop()
        assert it.phase is Phase.ENDED
        it.switch_off()
        it.stop()
        assert it.phase is Phase.ENDED
        it.switch_off()
        it.reset()
        assert it.phase is Phase.IDLE
