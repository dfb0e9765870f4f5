"""Fillings in any order of events: whatever happens, every mL is a bill or a named movement, and every fen a bill."""

from __future__ import annotations

from dataclasses import replace as with_

from fill_story import CARD, POINT, Dispenser, FillStory
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from drivers.pump import PumpState
from edge.till.ask import Opening, Refused, Source
from edge.till.fill import prices
from edge.till.fill.day import day_drafts
from edge.till.fill.pay import pay
from edge.till.fill.totals import agree
from edge.till.state import OpenFilling
from protocols.trade.audit import Audit
from protocols.trade.codec import encode
from protocols.trade.fuel_prices import GradePrice, PriceStep
from protocols.trade.records import Draft, Preset
from protocols.trade.records_fuel import PumpTotalsRead

FULL, MONEY, LITRES = Preset("full", 0), Preset("money", 20_000), Preset("volume", 30_000)


def opened(answer: OpenFilling | Refused) -> OpenFilling:
    assert isinstance(answer, OpenFilling), answer
    return answer


EVENTS = st.lists(
    st.sampled_from(
        ["look", "fill", "fill", "fill", "ask", "ask", "ask-bob", "ask-92", "ask-guaranteed", "lift-1", "lift-2",
         "flow", "flow", "drop",
         "hang-up", "hang-up", "stop", "suspend", "resume", "kill", "power-cut", "pump-off", "pump-on", "silent",
         "speaks", "creep", "forget", "by-hand", "pay", "price", "day-close", "midnight", "swap"]
    ),
    max_size=60,
)  # fmt: skip
PUMPS = st.builds(
    Dispenser,
    total_fen=st.sampled_from([None, {1: 50, 2: 60}]).map(lambda fen: fen and dict(fen)),
    total_step_ml=st.sampled_from([10, 100]),
    keeps_memory=st.booleans(),
)
PAYERS = ("ann", "bob", "attendant-li")


@given(PUMPS, EVENTS)
def test_every_millilitre_is_a_bill_or_a_named_movement_and_every_fen_a_bill(
    pump: Dispenser, events: list[str]
) -> None:
    """Whatever happens in whatever order: once the pump speaks again, log and totalizers agree to the mL, or to their
    own step a sale; nobody is charged without a bill, or for what was not let flow for him; no hold is left, and no
    pump is authorised while it sells.
    """
    point = with_(POINT, traits=with_(POINT.traits, total_step_ml=pump.total_step_ml))
    story = FillStory(pump=pump, point=point)
    story.grant("ann", 10**8, CARD)
    story.grant("bob", 10**8)
    story.grant("attendant-li", 10**8)
    begin = {nozzle: pump.shown_total_ml(nozzle) for nozzle in pump.total_ml}
    for event in events:
        _happen(story, event)
        story.look(1)
    pump.powered = pump.answers = True
    for _ in range(3):
        pump.hang_up()
        story.look(260)
    story.look(8_000 if story.state.forecourt.fillings else 0)
    assert story.state.forecourt.fillings == {}
    story.see()
    story.read()
    _set_prices(story)
    opened(story.ask(Preset("money", 100)))
    for nozzle, before_ml in begin.items():
        off_ml = story.logged_ml()[nozzle] - (pump.shown_total_ml(nozzle) - before_ml)
        sales = sum(bill.sold.nozzle == nozzle for bill in story.closed)
        assert "swap" in events or abs(off_ml) <= (sales * pump.total_step_ml if pump.total_step_ml > 10 else 0)
    billed_fen = sum(bill.amount_fen - bill.overrun_fen for bill in story.closed)
    assert sum(story.lease(payer).used for payer in PAYERS) == billed_fen
    assert sum(story.lease(payer).held for payer in PAYERS) == 100
    if not {"forget", "creep"} & set(events) and pump.keeps_memory:  # else its totalizers alone tell what was sold
        for bill in story.closed:
            assert bill.volume_ml <= pump.delivered_ml.get(bill.session, 0) + 10  # a step of the display
    assert story.status is not None
    assert story.status.state in (PumpState.IDLE, PumpState.CALLING)
    audit = Audit("hz-1", 1, lambda _: b"")
    for record in story.log:
        audit.take(encode(record))
    assert list(audit.findings) == []


def _happen(story: FillStory, event: str) -> None:
    pump = story.pump
    match event:
        case "ask":
            story.ask(FULL)
        case "ask-bob":
            story.ask(MONEY, account="bob")
        case "ask-92":
            story.ask(LITRES, nozzle=1)
        case "ask-guaranteed":
            story.ask(FULL, account="attendant-li", guaranteed=True)
            story.look(1)
            pump.out = pump.out or 2
            pump.flow(3_690)
        case "fill":
            story.ask(FULL)
            story.look(1)
            pump.out = pump.out or 1
            pump.flow(2_460)
        case "lift-1" | "lift-2" if pump.out is None:
            pump.out = int(event[-1])
        case "flow":
            pump.flow(1_230)
        case "drop":
            pump.flow(40)
        case "hang-up":
            pump.hang_up()
        case "stop":
            for seq in story.rows:
                story.stop(seq)
        case "suspend" | "resume":
            pump.suspended = event == "suspend" and pump.volume_ml > 0
        case "kill" | "power-cut":
            story.restart(power_cut=event == "power-cut" and story.boot[0] < 250)
        case "pump-off":
            pump.cut_power()
        case "pump-on":
            pump.powered = True
        case "silent" | "speaks":
            pump.answers = event == "speaks"
        case "creep":
            pump.total_ml[1] += 40
        case "forget" if pump.ordered is None:
            pump.memory = None
        case "by-hand" if any(row.volume_ml > 100 for row in story.rows.values()):
            pump.hang_up()
            pump.sell_by_hand(1, 5_000)
        case "swap" if pump.ordered is None:
            pump.memory = None
            pump.total_ml = {nozzle: (ml * 7 + 3_330) % 9_000_000 // 10 * 10 for nozzle, ml in pump.total_ml.items()}
        case "midnight":
            story.mono_ms += 86_400_000
        case _:
            _happen_at_the_till(story, event)


def _happen_at_the_till(story: FillStory, event: str) -> None:
    """What is not the pump's."""
    match event:
        case "pay":
            for seq, row in list(story.rows.items()):
                filling = story.state.forecourt.fillings[seq]
                answer = pay(story.state, filling, row, Source("bob"), story.now(), story.point)
                if isinstance(answer, Opening):
                    story.write(answer.draft)
        case "price":
            now_s, last = story.now().wall_ms // 1000, story.prices.steps[-1]
            dearer = [GradePrice(one.grade, one.price_e3 + 10_000) for one in last.prices]
            story.prices = replace(story.prices, steps=[*story.prices.steps, PriceStep(now_s, dearer)])
            story.look(1)
            _set_prices(story)
        case "day-close":
            story.see()
            story.read()
            now = [one for one in [story.sight_totals] if one is not None and agree(story.state, one)]
            story.write(Draft(PumpTotalsRead(now)), *day_drafts(story.state))
        case _:
            pass


def _set_prices(story: FillStory) -> None:
    """As the pump's loop does it: at rest, without a filling."""
    should = prices.due(story.state, story.point, story.prices, story.now())
    if story.pump.state is PumpState.IDLE and not story.state.forecourt.fillings and story.pump.price_e3 != should:
        story.pump.price_e3 = dict(should)
        story.write(prices.applied(story.point, should))
