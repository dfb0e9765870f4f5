"""Fillings at a pump: each way in which one can begin, run and end, and what it costs whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fill_story import CARD, LIST, POINT, FillStory
from msgspec.structs import replace

from edge.till.ask import Refusal, Refused, Source
from edge.till.fill.progress import FillEnd, FillPhase, decode_fill, encode_fill
from edge.till.state import OpenFilling
from protocols.trade.fuel_prices import GradePrice, PriceStep
from protocols.trade.fuel_terms import FuelTerms, Terms
from protocols.trade.records import Notice, Preset, SessionHeld, SessionVoided

FULL, MONEY, LITRES = Preset("full", 0), Preset("money", 20_000), Preset("volume", 30_000)


def station(fen: int = 100_000) -> FillStory:
    """A pump at rest, and ann with so much to spend."""
    story = FillStory()
    story.grant("ann", fen, CARD)
    return story


def opened(answer: OpenFilling | Refused) -> OpenFilling:
    assert isinstance(answer, OpenFilling), answer
    return answer


def refusal(answer: OpenFilling | Refused) -> Refusal | None:
    return answer.refusal if isinstance(answer, Refused) else None


def fill(story: FillStory, volume_ml: int, nozzle: int = 1) -> None:
    """Lift, squeeze, hang up, and let the till look on."""
    story.look(2)
    story.pump.out = nozzle
    story.look(2)
    for _ in range(4):
        story.pump.flow(volume_ml // 4 // 10 * 10)
        story.look(1)
    story.pump.hang_up()
    story.look(4)


# --- sales ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "squeezed_ml", "volume_ml", "amount_fen", "why"),
    [
        (MONEY, 40_000, 25_480, 20_002, "preset"),  # 200.00 yuan at 7.85: the first 10 mL that pass it
        (MONEY, 12_000, 12_000, 9_420, "hung-up"),
        (LITRES, 40_000, 30_000, 23_550, "preset"),
        (LITRES, 1_000, 1_000, 785, "hung-up"),
        (FULL, 40_000, 40_000, 31_400, "hung-up"),
        (FULL, 80_000, 63_630, 49_950, "preset"),  # the cap of 500.00 less the margin of 0.50
    ],
)
def test_a_filling_is_billed_as_the_pump_shows_it(
    preset: Preset, squeezed_ml: int, volume_ml: int, amount_fen: int, why: str
) -> None:
    """By money, by litres and full; stopped by the preset or by the customer."""
    story = station()
    opened(story.ask(preset))
    fill(story, squeezed_ml)
    [bill] = story.closed
    assert (bill.volume_ml, bill.amount_fen, bill.reason) == (volume_ml, amount_fen, why)
    held = min(amount_fen, 20_000) if preset == MONEY else amount_fen
    assert story.lease("ann").used == held
    assert bill.overrun_fen == amount_fen - held
    assert story.lease("ann").held == 0
    assert story.authorised == 1


def test_a_nozzle_put_back_before_flow_costs_nothing() -> None:
    """Lifted, looked at, hung up: the authorisation lapses and the hold is released."""
    story = station()
    opened(story.ask(FULL))
    fill(story, 0)
    assert story.closed == []
    assert [body.reason for body in story.bodies(SessionVoided)] == ["hung-up"]  # type: ignore[attr-defined]  # of that kind
    assert story.lease("ann").rights == 100_000


def test_nobody_comes() -> None:
    """An authorisation that nobody uses is taken back from the pump."""
    story = station()
    opened(story.ask(MONEY))
    story.look(130)
    assert story.pump.ordered is None
    assert [body.reason for body in story.bodies(SessionVoided)] == ["timeout"]  # type: ignore[attr-defined]  # of that kind


def test_another_grade_before_flow() -> None:
    """The first nozzle is put back after a fill-up was let go: its sale was none; the other grade needs a new start."""
    story = station()
    opened(story.ask(FULL))
    story.look(2)
    story.pump.out = 2
    story.look(2)
    story.pump.flow(10_000)
    story.look(2)
    story.pump.hang_up()
    story.look(4)
    [bill] = story.closed
    assert (bill.sold.grade, bill.sold.tank, bill.amount_fen) == ("0", "t2", 7_500)


def test_a_stop_ends_it_at_what_has_flowed() -> None:
    """The pump is told, and what its memory says afterwards is billed."""
    story = station()
    filling = opened(story.ask(FULL))
    story.pump.out = 1
    story.look(2)
    story.pump.flow(5_000)
    story.look(1)
    story.stop(filling.seq, FillEnd.REMOTE)
    story.look(4)
    [bill] = story.closed
    assert (bill.volume_ml, bill.reason) == (5_000, "remote")


# --- what may not start -----------------------------------------------------------------------------------------------

Spoiler = Callable[[FillStory], object]


def _busy(story: FillStory) -> None:
    opened(story.ask(MONEY))


def _terms(*terms: Terms) -> Spoiler:
    def spoil(story: FillStory) -> None:
        story.terms = FuelTerms(1, list(terms))

    return spoil


SPOILED: list[tuple[Refusal, Spoiler]] = [
    (Refusal.PUMP_SILENT, lambda story: story.fall_silent()),
    (Refusal.PUMP_BUSY, _busy),
    (Refusal.PRICE_DIFFERS, lambda story: story.pump.price_e3.update({1: 784_000})),
    (Refusal.WRONG_GRADE, _terms(Terms("ann", b"", ["95"], 0, ""))),
    (Refusal.DAY_LIMIT, _terms(Terms("ann", CARD, [], 1, ""), Terms("ann", b"", [], 60_000, ""))),
    (Refusal.ANSWER_MISSING, _terms(Terms("ann", b"", [], 0, "odometer"))),
    (Refusal.NOT_ENOUGH, lambda story: story.state.leases.update({"ann CNY": replace(story.lease("ann"), granted=99)})),
]


@pytest.mark.parametrize(("why", "spoil"), SPOILED, ids=[str(why) for why, _ in SPOILED])
def test_each_refusal_alone(why: Refusal, spoil: Spoiler) -> None:
    """One thing is wrong, that is what the customer is told, and nothing is held."""
    story = station()
    spoil(story)
    before = story.lease("ann").held
    answer = story.ask(MONEY, credential=CARD)
    if why is Refusal.DAY_LIMIT:  # a millilitre is left: too little for the pump to give
        assert refusal(answer) in (Refusal.DAY_LIMIT, Refusal.NOT_ENOUGH)
    else:
        assert refusal(answer) == why, answer
    assert story.lease("ann").held == before
    assert story.authorised == 0


def test_diesel_only_sixty_litres_a_day() -> None:
    """The card's terms: one grade, and no more in a day than they allow, running fillings included."""
    story = station(fen=10**7)
    story.terms = FuelTerms(1, [Terms("ann", CARD, ["0"], 60_000, "")])
    first = opened(story.ask(Preset("volume", 40_000), credential=CARD))
    assert [one.grade for one in first.opened.offered] == ["0"]
    fill(story, 40_000, nozzle=2)
    second = opened(story.ask(Preset("volume", 40_000), credential=CARD))
    assert second.opened.order_limit == 20_000
    fill(story, 40_000, nozzle=2)
    assert [bill.volume_ml for bill in story.closed] == [40_000, 20_000]
    assert refusal(story.ask(Preset("volume", 40_000), credential=CARD)) == Refusal.DAY_LIMIT
    story.mono_ms += 86_400_000
    assert opened(story.ask(Preset("volume", 40_000), credential=CARD)).opened.order_limit == 40_000


def test_a_day_limit_binds_money_too() -> None:
    """A fill-up is ordered for what the remaining litres cost at the cheapest nozzle, so that no nozzle gives more."""
    story = station(fen=10**7)
    story.terms = FuelTerms(1, [Terms("ann", b"", [], 10_000, "")])
    filling = opened(story.ask(FULL, credential=CARD))
    assert (filling.opened.order_kind, filling.opened.order_limit) == ("amount", 7_500)


# --- what nobody explains ---------------------------------------------------------------------------------------------


def test_a_totalizer_that_moves_by_itself_is_booked_and_charged_to_nobody() -> None:
    """Before the next filling the log is brought to the pump's totals."""
    story = station()
    story.pump.total_ml[2] += 1_230
    opened(story.ask(MONEY))
    [gone] = story.unattributed
    assert (gone.nozzle, gone.volume_ml, gone.why, gone.session) == (2, 1_230, "no-sale", None)
    assert story.lease("ann").used == 0


def test_whoever_filled_last_might_answer() -> None:
    """The log knows, so a restart does not forget it."""
    story = station()
    filling = opened(story.ask(FULL))
    fill(story, 8_000)
    story.restart(power_cut=True)
    story.pump.total_ml[1] += 500
    opened(story.ask(MONEY))
    assert [gone.answers for gone in story.unattributed] == [[f"after session {filling.seq}"]]


def test_a_totalizer_that_falls_is_a_notice_and_a_new_baseline() -> None:
    """An exchanged counter explains nothing and is billed to nobody."""
    story = station()
    story.pump.total_ml[1] = 5
    opened(story.ask(MONEY))
    assert [body.what for body in story.bodies(Notice)] == ["totalizer-fell"]  # type: ignore[attr-defined]  # of that kind
    assert story.unattributed == []


def test_wrong_decimals_are_found_at_the_first_sale() -> None:
    """Volume times price is not the amount: nothing is billed, the movement is booked, and a person is told why."""
    story = station()
    opened(story.ask(FULL))
    story.look(2)
    story.pump.out = 1
    story.look(1)
    story.pump.flow(10_000)
    story.look(1)
    story.pump.hang_up()
    assert story.pump.memory is not None
    story.pump.memory = (1, 10_000, story.pump.memory[2] * 10)
    story.look(60)
    assert story.closed == []
    assert [body.reason for body in story.bodies(SessionVoided)] == ["sale-disagrees"]  # type: ignore[attr-defined]  # of that kind
    [gone] = story.unattributed
    assert (gone.why, gone.volume_ml, gone.answers[0]) == ("sale-disagrees", 10_000, f"session {gone.session}")
    assert story.lease("ann").rights == 100_000
    assert any("decimals" in body.detail for body in story.bodies(Notice))  # type: ignore[attr-defined]  # of that kind


def test_what_flows_beyond_the_sale_is_not_the_customers() -> None:
    """A leaking valve moves the totalizer further than the sale: the sale is billed, the rest is unattributed."""
    story = station()
    opened(story.ask(FULL))
    story.look(2)
    story.pump.out = 1
    story.look(1)
    story.pump.flow(10_000)
    story.look(1)
    story.pump.hang_up()
    story.pump.total_ml[1] += 500
    story.look(4)
    [bill], [gone] = story.closed, story.unattributed
    assert (bill.volume_ml, gone.volume_ml, gone.why) == (10_000, 500, "beyond-sale")


# --- deaths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_sale_that_ends_while_the_box_is_off_is_recovered_from_the_pump(*, power_cut: bool) -> None:
    """Its memory and totals say what it was; the row of before the death need not."""
    story = station()
    opened(story.ask(FULL))
    story.look(2)
    story.pump.out = 1
    story.pump.flow(22_000)
    story.pump.hang_up()
    story.restart(power_cut=power_cut)
    story.look(4)
    [bill] = story.closed
    assert (bill.volume_ml, bill.amount_fen) == (22_000, 17_270)


def test_an_authorisation_sent_just_before_a_death_is_not_sent_again() -> None:
    """The row says ordered, the pump has sold meanwhile: totals are read first, and they say so."""
    story = station()
    filling = opened(story.ask(FULL))
    story.authorise(filling)
    story.restart()
    story.pump.out = 1
    story.pump.flow(8_000)
    story.pump.hang_up()
    story.look(4)
    assert story.authorised == 1
    assert [bill.volume_ml for bill in story.closed] == [8_000]


def test_an_authorisation_that_never_arrived_is_sent_after_reading() -> None:
    """The totals have not moved, so the order may be given again."""
    story = station()
    opened(story.ask(FULL))
    story.restart()
    fill(story, 8_000)
    assert story.authorised == 1
    assert [bill.volume_ml for bill in story.closed] == [8_000]


def test_a_pump_that_loses_its_power_and_its_memory() -> None:
    """Totals of litres and money bill it; without money in them nothing but the display could, and it does."""
    story = station()
    story.pump.keeps_memory = False
    opened(story.ask(FULL))
    story.pump.out = 1
    story.look(2)
    story.pump.flow(6_000)
    story.look(1)
    story.pump.cut_power()
    story.look(20)
    story.pump.powered = True
    story.look(4)
    [bill] = story.closed
    assert (bill.volume_ml, bill.amount_fen) == (6_000, 4_710)


def test_a_pump_that_stays_silent_keeps_the_money_held_until_it_speaks() -> None:
    """Held for review, and settled by its own words once they come."""
    story = station()
    filling = opened(story.ask(FULL))
    story.pump.out = 1
    story.look(2)
    story.pump.flow(6_000)
    story.look(1)
    story.stop(filling.seq)
    story.pump.answers = False
    story.look(60)
    assert [body.finding for body in story.bodies(SessionHeld)] == ["pump-silent"]  # type: ignore[attr-defined]  # of that kind
    assert story.lease("ann").held > 0
    story.pump.answers = True
    story.pump.hang_up()
    story.look(6)
    assert [bill.volume_ml for bill in story.closed] == [6_000]


def test_a_pump_that_never_speaks_again_charges_nobody() -> None:
    """After the time for it the filling is void; what the totals say later is unattributed."""
    story = station()
    filling = opened(story.ask(FULL))
    story.pump.out = 1
    story.look(2)
    story.pump.flow(6_000)
    story.look(1)
    story.stop(filling.seq)
    story.pump.answers = False
    story.look(8_000)
    assert story.closed == []
    assert story.lease("ann").rights == 100_000
    story.pump.answers = True
    story.pump.hang_up()
    opened(story.ask(MONEY))
    assert [gone.volume_ml for gone in story.unattributed] == [6_000]


# --- post-pay ---------------------------------------------------------------------------------------------------------


def test_the_guarantor_pays_what_nobody_else_does() -> None:
    """The attendant lets a filling go; the customer's card pays most of it afterwards."""
    story = station()
    story.grant("attendant-li", 60_000)
    sources = (Source("attendant-li"),)
    filling = opened(story.ask(FULL, sources=sources, guaranteed=True))
    fill(story, 20_000)
    assert story.closed == []
    assert story.rows[filling.seq].phase == FillPhase.PAYING
    story.pay(filling.seq, "ann", 15_000)
    story.look(1)
    assert story.closed == []  # 157.00 are due
    story.pay(filling.seq, "ann", 700)
    story.look(1)
    assert story.closed[0].amount_fen == 15_700
    assert (story.lease("ann").used, story.lease("attendant-li").used) == (15_700, 0)


def test_a_customer_who_drives_off_is_the_guarantors() -> None:
    """Nobody pays in time."""
    story = station()
    story.grant("attendant-li", 60_000)
    opened(story.ask(FULL, sources=(Source("attendant-li"),), guaranteed=True))
    fill(story, 20_000)
    story.look(260)
    assert story.lease("attendant-li").used == 15_700


# --- prices -----------------------------------------------------------------------------------------------------------


def test_a_price_change_reaches_only_fillings_that_begin_after_it() -> None:
    """The opening record holds the price that the pump showed; the list's next step does not touch it."""
    story = station()
    later = PriceStep(story.now().wall_ms // 1000 + 5, [GradePrice("92", 800_000), GradePrice("0", 760_000)])
    story.prices = replace(LIST, steps=[*LIST.steps, later])
    opened(story.ask(FULL))
    fill(story, 10_000)
    assert story.closed[0].amount_fen == 7_850
    story.look(10)
    assert refusal(story.ask(FULL)) == Refusal.PRICE_DIFFERS


def test_a_row_comes_back_from_its_bytes() -> None:
    """What is saved is what was seen."""
    story = station()
    filling = opened(story.ask(FULL))
    story.look(3)
    row = story.rows[filling.seq]
    assert decode_fill(encode_fill(row)) == row


def test_the_point_names_what_it_offers() -> None:
    """Nozzle, grade, tank and price as a record has them."""
    assert POINT.offered(2, 750_000).tank == "t2"
